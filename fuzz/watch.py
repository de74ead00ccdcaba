"""Acts that no file may cause in a reader, and the watch: memory, programs, paths, pickles."""

import ast
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from handloom.errors import HandloomError

if sys.platform != "win32":
    import resource

FORBIDDEN = (
    *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"),
    *("socket.connect", "socket.getaddrinfo", "pickle.find_class"),
)
"""Audit events of the interpreter that no reader may cause."""

CODE = (".py", ".pyc", ".so", "<string>")
"""Endings of files that Python opens itself to import a module, or to quote a line of source.

From version 3.12 on it looks for the line even where the source came from no file.
"""


class FindingError(Exception):
    """A reader did a forbidden act."""


class Watch:
    """Notes files opened outside of a folder, and forbidden acts, while it is on.

    An audit hook lasts as long as the process, so there is one watch in a process.
    """

    def __init__(self) -> None:
        self._folder: str | None = None
        self._seen: list[str] = []
        sys.addaudithook(self._note)

    @contextmanager
    def over(self, folder: Path) -> Iterator[None]:
        """Raise `FindingError` afterwards if anything was done that is not allowed."""
        self._seen.clear()
        self._folder = os.path.realpath(folder)
        try:
            yield
        finally:
            self._folder = None
            if self._seen:
                raise FindingError("; ".join(self._seen))

    def _note(self, event: str, details: tuple[object, ...]) -> None:
        if self._folder is None:
            return
        if event in FORBIDDEN:
            self._seen.append(f"{event} {details!r}")
        elif event == "open" and isinstance(details[0], str | bytes):
            path = os.path.realpath(os.fsdecode(details[0]))
            inside = path == self._folder or path.startswith(self._folder + os.sep)
            if not inside and not path.endswith(CODE):
                self._seen.append(f"opened {path}")


def attempt(read: Callable[[bytes], object], data: bytes) -> HandloomError | None:
    """Return the error with which a reader refused an input; None if it took it.

    Whatever is not one of our own errors is raised.

    Raises
    ------
    FindingError
        If memory ran out, even where the reader made an error of its own out of that.
    """
    try:
        read(data)
    except HandloomError as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, MemoryError) and not _from_parser(cause):
                raise FindingError(f"more memory than the bound: {error}") from error
            cause = cause.__context__
        return error
    return None


def _from_parser(error: BaseException) -> bool:
    """Tell whether Python's own parser said so of brackets within brackets within brackets."""
    return traceback.extract_tb(error.__traceback__)[-1].filename == ast.__file__


def limit_memory(most: int) -> tuple[int, int]:
    """Limit this process to ``most`` bytes more than it has now; return the limits before."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + most, before[1]))
    return before


@contextmanager
def memory_limit(most: int) -> Iterator[None]:
    """Limit the memory of the block to a number of bytes."""
    before = limit_memory(most)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
