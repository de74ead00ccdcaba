"""Secondary work: output, logs and pictures, whose failure is reported and ends no training."""

import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import RLock
from types import TracebackType
from typing import Any, Self, TextIO

from handloom.errors import HandloomError
from handloom.text import printable

CLOSED = "the stream is closed"

PASSED_OVER = ("handloom.", "contextlib.", "sklearn.callback.")
"""The modules between a warning and the line that called the library: its own, and wrappers.

Context managers wrap calls within the library, and callbacks of scikit-learn wrap a fit.
"""

STANDARD_ERROR = 2
"""The number of the file."""

_LOCKS: dict[int, RLock] = {}
"""A lock by process, as standard error is: a forked process would never get one that is held."""


class Secondary:
    """A block whose exceptions are reported, once, and do not end the training that it belongs to.

    An instance serves one block or many. Interrupts (`KeyboardInterrupt`, `SystemExit`) pass.

    Parameters
    ----------
    failure : str
        The message of a failure, such as ``"log.csv is not written"``; the reason is added.
    then : str
        The rest of the message: how it goes on.
    tell : callable, optional
        Called with the message; by default `report`.

    Attributes
    ----------
    failed : bool
        Whether a block has failed.
    """

    def __init__(
        self,
        failure: str,
        *,
        then: str = "training goes on",
        tell: Callable[[str], object] | None = None,
    ) -> None:
        self.failed = False
        self._failure, self._then, self._tell = failure, then, tell or report

    def __enter__(self) -> None:
        """Begin a block."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Report an exception of the block; return whether it ends here."""
        if not isinstance(error, Exception):
            return False
        if not self.failed:
            self.failed = True
            then = f"; {self._then}" if self._then else ""
            self._tell(f"{self._failure}: {reason(error)}{then}")
        return True


def reason(error: BaseException) -> str:
    """Return the text of an exception for a message; its type too, if it is not Handloom's."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:  # of an exception's own method
        return name
    if isinstance(error, HandloomError):
        return text
    return f"{name}: {text}" if text else name


def say_at_once(message: str) -> None:
    """Write a line to the file of standard error, wherever Python's stream leads; or nothing."""
    with suppress(OSError):
        os.write(STANDARD_ERROR, f"{printable(message)}\n".encode())


def report(message: str) -> None:
    """Issue a warning about secondary work; where warnings are errors, print the message instead.

    No exception of the warnings' filters, hooks or streams passes.
    """
    try:
        warn(message)
    except Exception:
        say(message)


def warn(message: str, category: type[Warning] = UserWarning, *, module: str | None = None) -> None:
    """Warn at the line that called the library, through however many of its functions.

    A warning that cannot be printed on standard error is printed on standard output.

    Parameters
    ----------
    message : str
    category : type of Warning
    module : str, optional
        The module that filters may name; by default that of the line.

    Raises
    ------
    Warning
        The warning itself, where a filter makes it an error.
    """
    frame = sys._getframe(1)
    while frame.f_back and f"{frame.f_globals.get('__name__')}.".startswith(PASSED_OVER):
        frame = frame.f_back
    issue = partial(
        warnings.warn_explicit,
        message,
        category,
        frame.f_code.co_filename,
        frame.f_lineno,
        module=module or frame.f_globals.get("__name__") or "<string>",  # None would warn nobody
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )
    show(message, issue)


def show(message: str, issue: Callable[[], None]) -> None:
    """Issue a warning by a call of `warnings`; see `warn`."""
    with _LOCKS.setdefault(os.getpid(), RLock()), _WatchedError() as watched:
        try:
            issue()
        except Warning:
            raise
        except Exception:  # of a closed stream, or of a hook of the application
            watched.failed = True
    if watched.failed:
        say(message)


def say(message: str) -> None:
    """Print a line on standard error; else on standard output; else not at all.

    In a notebook, which shows standard error as a failure, the other way round.
    """
    streams = (sys.stderr, sys.stdout)
    for stream in streams[::-1] if in_notebook() else streams:
        try:
            print_line(message, stream)
        except Exception:
            continue
        return


def print_line(text: str, stream: TextIO | None) -> None:
    """Print text now; control characters in it are escaped.

    Raises
    ------
    OSError
        If the stream is closed, full or broken.
    """
    if stream is None:  # print would take standard output instead
        raise OSError(CLOSED)
    print(printable(text, lines=True), file=stream, flush=True)


def terminal_width(stream: TextIO | None) -> int | None:
    """Return the columns of a terminal; None for a stream that is none, or cannot say."""
    if stream is None or not is_terminal(stream):
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError, AttributeError):
        return None


def in_notebook() -> bool:
    """Return whether this code runs in a cell of a notebook: in a kernel of Jupyter."""
    ipython: Any = sys.modules.get("IPython")  # a kernel has imported it
    try:
        return hasattr(ipython.get_ipython(), "kernel")
    except Exception:  # without IPython, or with one that is only half imported
        return False


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a stream is a terminal; one that is closed or cannot say is none."""
    try:
        return stream is not None and bool(stream.isatty())
    except Exception:  # of a closed stream, or of an object that only has `write`
        return False


class _WatchedError:
    """Standard error in a block, and whether it failed: Python ignores that of a warning."""

    def __enter__(self) -> Self:
        self.failed, self._stream = False, sys.stderr
        sys.stderr = self
        return self

    def __exit__(self, *error: object) -> None:
        if sys.stderr is self:
            sys.stderr = self._stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text now, and note a failure."""
        try:
            if self._stream is None:
                raise OSError(CLOSED)
            written = self._stream.write(text)
            self._stream.flush()
        except Exception:
            self.failed = True
            raise
        return written
