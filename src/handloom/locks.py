"""One writer to a folder: a lock that the system lets go of when its process ends."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from handloom.files import FileError

LOCK = ".lock"

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Be the only one who writes to a folder, until the end of the block.

    The lock is on an open file, not in the file's being there: a lock file that a killed process
    left behind blocks nobody.

    Parameters
    ----------
    folder : path
        An existing folder.

    Raises
    ------
    FileError
        If another process, or another training of this one, writes to it; or if no lock can be had.
    """
    path = folder / LOCK
    taken = FileError(
        f"{folder} is being written to by another training{_who(path)}; wait for it, or name "
        f"another folder"
    )
    descriptor = -1
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        _lock(descriptor)
        if not os.path.samestat(os.fstat(descriptor), path.stat()):
            raise taken  # somebody has just removed the file that is locked here
    except OSError as error:
        if descriptor >= 0:
            os.close(descriptor)
        if descriptor >= 0 and isinstance(error, BlockingIOError | PermissionError):
            raise taken from None
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot lock the folder {folder}: {error.strerror}") from None
    try:
        with suppress(OSError):  # a help for people, no more
            os.truncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def _who(path: Path) -> str:
    try:
        text = path.read_text().strip()
    except OSError:
        return ""
    return f" (process {text})" if text.isdigit() else ""
