"""Compilation of code on this machine: whether a block had to compile, told when it begins.

`handloom.fused` calls `begins` when compiled code is not in its cache; a training watches for it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class NotStoredWarning(RuntimeWarning):
    """Compiled code cannot be stored, so that each process compiles it again."""


_watcher: ContextVar[Callable[[], None] | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(begin: Callable[[], None], end: Callable[[], None]) -> Iterator[None]:
    """Call ``begin`` before the first compilation of a block, in this thread, and ``end`` after it.

    Neither is called if all compiled code is loaded from the cache. An exception of ``begin`` is
    raised at the end of the block, since in the middle it would look like one of the compiler.
    """
    errors: list[BaseException] = []
    begun = False

    def once() -> None:
        nonlocal begun
        if begun:
            return
        begun = True
        try:
            begin()
        except BaseException as error:
            errors.append(error)

    token = _watcher.set(once)
    try:
        yield
    finally:
        _watcher.reset(token)
        if begun:
            end()
    if errors:
        raise errors[0]


def begins() -> None:
    """Tell the block that watches, if there is one, that code is compiled now."""
    watcher = _watcher.get()
    if watcher is not None:
        watcher()
