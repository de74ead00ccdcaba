"""A folder with a single writer, which is known to it wherever the folder is moved.

The system releases the lock when the process ends.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from handloom import file_systems, secondary
from handloom.files import FileError, new_folder

LOCK = ".lock"

GONE = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)
"""The errors of a path where nothing is."""


@contextmanager
def only_writer(
    folder: Path, *, warn: Callable[[str], None] | None = None
) -> Iterator["HeldFolder"]:
    """Hold the write lock of a folder until the end of the block.

    The lock is on the open file, not on its existence: a lock file that a killed process left
    behind does not block.

    Parameters
    ----------
    folder : path
        An existing folder.
    warn : callable, optional
        As in `HeldFolder`.

    Raises
    ------
    FileError
        If another process, or another training in this one, holds the lock; or if locking fails.
    """
    held = HeldFolder(folder, warn=warn)
    try:
        yield held
    finally:
        held.release()


class HeldFolder:
    """A folder that files are written to: the one that was opened, even if it is moved.

    Call `check` before each write. It notices if the folder was moved, deleted or replaced, or if
    its lock file was, and returns a path at which no other training writes.

    Parameters
    ----------
    folder : path
        An existing folder.
    lock : bool
        Whether it is locked against other writers.
    warn : callable, optional
        Called with a message if the folder was moved, deleted, replaced or unlocked, once for each
        time that happens. By default it issues a Python warning.

    Attributes
    ----------
    path : Path
        The absolute path at the last check.

    Raises
    ------
    FileError
        If it cannot be opened, or another writer has locked it.
    """

    def __init__(
        self, folder: Path, *, lock: bool = True, warn: Callable[[str], None] | None = None
    ) -> None:
        self._handles: list[_Handle] = []
        self._locks, self._warn = lock, warn or secondary.warn
        self._open(folder)

    def _open(self, folder: Path) -> None:
        """Open and lock a folder, then release the one before."""
        handles: list[_Handle] = []
        try:
            if self._locks:
                handles.append(_lock(folder))
            path = folder.absolute()
            handles += [_Handle(path), _Handle(path.parent)]
        except BaseException as error:
            for handle in handles:
                handle.close()
            if isinstance(error, OSError) and not isinstance(error, FileError):
                raise FileError(f"cannot open the folder {folder}: {error.strerror}") from None
            raise
        self.release()
        self.path, self._handles = path, handles
        *_, self._folder, self._parent = handles

    def release(self) -> None:
        """Release the lock and the folder."""
        while self._handles:
            self._handles.pop(0).close()

    __del__ = release

    def __reduce__(self) -> NoReturn:
        raise TypeError("a folder that is held cannot be copied")

    def check(self) -> Path:
        """Return the path to write to, after a warning if it is another one than before.

        A folder that was moved is followed where the system can tell its path (Linux). Else, and
        if another training may own it, a new folder takes over: of the same name if that is free,
        or of that name with a number.

        Raises
        ------
        FileError
            If there is no place to write to; the next call tries again.
        """
        before = self.path
        try:
            if not self._folder.is_at(before):
                if (moved := self._folder.path()) is None:
                    self._start_anew("was deleted, moved or replaced")
                    return self.path
                self._follow(moved)
                self._warn(
                    f"the folder {before} was moved to {moved} while it was written to; training "
                    f"goes on, and writes to {moved}"
                )
            if self._locks and not self._handles[0].is_at(self.path / LOCK):
                self._lock_again()
        except OSError as error:
            if isinstance(error, FileError):
                raise
            raise FileError(f"cannot write to the folder {before}: {error.strerror}") from None
        return self.path

    def keep_in(self, parent: Path) -> None:
        """Hold the folder of the same name in a folder that was moved, or is new, and said so.

        Raises
        ------
        FileError
            If it cannot be created.
        """
        path = parent / self.path.name
        if path == self.path and self._parent.is_at(parent):
            return
        if self._folder.is_at(path):
            self._follow(path)
        else:
            self._open(new_folder(path))

    def _follow(self, path: Path) -> None:
        parent = _Handle(path.parent)
        self._handles.pop().close()
        self._handles.append(parent)
        self.path, self._parent = path, parent

    def _lock_again(self) -> None:
        """Lock a folder whose lock file was removed; leave it if another one was created since."""
        path = self.path / LOCK
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
            self._open(self.path)
        except (FileExistsError, FileError):
            self._start_anew("lost its lock file to another training")
            return
        self._warn(
            f"the lock file {path} was removed while it was in use; it is locked again. Start no "
            f"other training in a folder that a training writes to"
        )

    def _start_anew(self, reason: str) -> None:
        before, parent = self.path, self.path.parent
        if parent.exists() and not self._parent.is_at(parent):  # it may be another training's too
            parent = new_folder(parent)
        self._open(new_folder(parent / before.name))
        self._warn(
            f"the folder {before} {reason} while it was written to; training goes on, and writes "
            f"to the new folder {self.path}"
        )


class _Handle:
    """An open file or folder, which is recognized wherever it is."""

    def __init__(self, path: Path, descriptor: int | None = None) -> None:
        self._is_lock = descriptor is not None
        self._process = os.getpid()
        if descriptor is None:
            with suppress(OSError):  # not on Windows, nor with too many open files
                descriptor = os.open(path, getattr(os, "O_PATH", os.O_RDONLY))
        self._descriptor = descriptor
        self._status = path.stat() if descriptor is None else os.fstat(descriptor)

    def is_at(self, path: Path) -> bool:
        """Return whether a path leads to it; errors other than a missing path are raised."""
        try:
            return os.path.samestat(path.stat(), self._status)
        except OSError as error:
            if error.errno in GONE:
                return False
            raise

    def path(self) -> Path | None:
        """Return its path now, or None if it was deleted, or the system cannot tell."""
        try:
            path = Path(f"/proc/self/fd/{self._descriptor}").readlink()
            return path if self.is_at(path) else None
        except OSError:
            return None

    def close(self) -> None:
        if self._descriptor is None:
            return
        if self._is_lock and self._process == os.getpid():
            file_systems.unlock(self._descriptor)
        else:  # a lock is that of the process that took it, also where a fork copied it
            os.close(self._descriptor)


def _lock(folder: Path) -> _Handle:
    """Lock a folder; see `only_writer` for the errors."""
    path = folder / LOCK
    descriptor = -1
    try:
        descriptor = file_systems.open_lock(path)
        is_ours = file_systems.lock(descriptor)
        # else the locked file was just removed by another process
        if not (is_ours and os.path.samestat(os.fstat(descriptor), path.stat())):
            raise FileError(
                f"{folder} is being written to by another training{_owner(path)}; wait for it, or "
                f"choose another folder"
            )
        with suppress(OSError):  # for people to read only
            os.truncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        return _Handle(path, descriptor)
    except BaseException as error:
        if descriptor >= 0:
            os.close(descriptor)
        if isinstance(error, OSError) and not isinstance(error, FileError):
            message = f"cannot lock the folder {folder}: {error.strerror}"
            raise FileError(message) from None
        raise


def _owner(path: Path) -> str:
    try:
        text = path.read_text().strip()
    except OSError:
        return ""
    return f" (process {text})" if text.isdigit() else ""
