"""Locks and flushes, which some network file systems lack: work goes on without, with a warning."""

import errno
import os
import stat
import sys
from pathlib import Path

from handloom.secondary import warn

UNSUPPORTED = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})
"""The errors of a file system that has no locks, or cannot flush."""

_warned: set[tuple[str, int]] = set()
"""Warnings issued in this process: the call, and the device."""

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _unlock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def open_lock(path: Path) -> int:
    """Open a lock file, and return its descriptor; it is created if it is missing.

    One of another user, who may have ended, is opened for reading. A link is not followed: it may
    lead to any file.

    Raises
    ------
    OSError
        If it cannot be opened, or is a link, a folder, a pipe or a device.
    """
    no_link = getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | no_link, 0o666)
    except PermissionError:
        if not path.exists():
            raise
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | no_link)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"{path.name} is not a regular file", str(path))
    return descriptor


def lock(descriptor: int) -> bool:
    """Lock an open file at once; return False if another holder has it.

    Where the file system has no locks, the file counts as locked, with one warning.

    Raises
    ------
    OSError
        If it cannot be locked for another reason.
    """
    try:
        _lock(descriptor)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        _warn("lock", descriptor, f"{error.strerror}): let a single training write to a folder")
    return True


def unlock(descriptor: int) -> None:
    """Release a lock and close its file; copies of the descriptor in forked processes too."""
    try:
        _unlock(descriptor)
    except OSError:
        pass  # closing releases it
    finally:
        os.close(descriptor)


def flush(descriptor: int) -> None:
    """Flush an open file to disk; where the file system cannot, go on with one warning.

    Raises
    ------
    OSError
        If it cannot be flushed for another reason.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        _warn("flush", descriptor, f"{error.strerror}): a power failure may cost the latest files")


def _warn(call: str, descriptor: int, rest: str) -> None:
    """Warn once for each call and file system."""
    key = (call, os.fstat(descriptor).st_dev)
    if key not in _warned:
        _warned.add(key)
        warn(f"this file system cannot {call} files ({rest}")
