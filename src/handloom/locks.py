"""A lock that gives a folder a single writer; the system releases it when the process ends."""

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
    """Hold the write lock of a folder until the end of the block.

    The lock is on the open file, not on its existence: a lock file that a killed process left
    behind does not block.

    Parameters
    ----------
    folder : path
        An existing folder.

    Raises
    ------
    FileError
        If another process, or another training in this one, holds the lock; or if locking fails.
    """
    path = folder / LOCK
    taken = FileError(
        f"{folder} is being written to by another training{_owner(path)}; wait for it, or "
        f"choose another folder"
    )
    descriptor = -1
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        _lock(descriptor)
        if not os.path.samestat(os.fstat(descriptor), path.stat()):
            raise taken  # the locked file was just removed by another process
    except OSError as error:
        if descriptor >= 0:
            os.close(descriptor)
        if descriptor >= 0 and isinstance(error, BlockingIOError | PermissionError):
            raise taken from None
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot lock the folder {folder}: {error.strerror}") from None
    try:
        with suppress(OSError):  # for people to read only
            os.truncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def _owner(path: Path) -> str:
    try:
        text = path.read_text().strip()
    except OSError:
        return ""
    return f" (process {text})" if text.isdigit() else ""
