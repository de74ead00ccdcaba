"""Objects in use: those that a training changes are refused to others until it has ended."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock, get_ident
from weakref import WeakValueDictionary

from handloom.errors import ModelError

Part = tuple[str, object]
"""The name of an object in messages, and the object: a path stands for the file or folder there."""

REMEDY = (
    "make one for each training (copy.deepcopy copies one), or start this training when that one "
    "has ended"
)


class _Use:
    """The use of some objects by a thread, until it has ended or is lost."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self.parts = tuple(parts)  # kept alive, so that no other object takes their ids
        self.thread, self.ended = get_ident(), False


class _Uses:
    """The uses of one process, by the ids of the objects; none is kept alive."""

    def __init__(self) -> None:
        self.lock = RLock()  # a signal handler may interrupt the thread that holds it
        self.by_key: WeakValueDictionary[object, _Use] = WeakValueDictionary()


_PROCESSES: dict[int, _Uses] = {}
"""The uses by process: in a process forked from a training, the objects are copies, and free."""


@contextmanager
def in_use(parts: Iterable[Part], *, nested: bool = False, remedy: str = REMEDY) -> Iterator[None]:
    """Use objects until the end of the block; all of them, or none if another use has one.

    Parameters
    ----------
    parts : iterable of Part
        The objects that the block changes.
    nested : bool
        Whether the block may be inside of another use by the same thread, such as a training whose
        callback runs it.
    remedy : str
        The end of the error message: how to avoid the error.

    Raises
    ------
    ModelError
        If an object is in use.
    """
    use = _Use(parts)
    try:
        uses = _uses()
        with uses.lock:
            for key in _free_keys(use, uses, nested, remedy):
                uses.by_key[key] = use
        yield
    finally:
        use.ended = True


@contextmanager
def unused(parts: Iterable[Part], *, remedy: str) -> Iterator[None]:
    """Refuse objects that another thread uses; no thread begins to use any before the block ends.

    Parameters and errors are those of `in_use`. The block should be short.
    """
    uses = _uses()
    with uses.lock:
        _free_keys(_Use(parts), uses, True, remedy)
        yield


def _uses() -> _Uses:
    return _PROCESSES.setdefault(os.getpid(), _Uses())


def _free_keys(use: _Use, uses: _Uses, nested: bool, remedy: str) -> list[object]:
    """Return the keys of the objects that are free; refuse those of another use."""
    free: list[object] = []
    for name, each in use.parts:
        key = os.path.realpath(each) if isinstance(each, Path) else id(each)
        other = uses.by_key.get(key)
        if other is None or other.ended:
            free.append(key)
        elif not nested or other.thread != use.thread:
            raise ModelError(f"{name} is in use by {_user(other, use)}: {remedy}")
    return free


def _user(other: _Use, use: _Use) -> str:
    if other.thread == use.thread:
        return "the training that called this, by a callback"
    return "another training, in another thread"
