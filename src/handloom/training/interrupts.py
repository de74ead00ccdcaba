"""Signals as requests: training ends after a whole step, then the application gets the signal."""

import inspect
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

SIGNALS = (signal.SIGINT, signal.SIGTERM)

OnSignal = Literal["deliver", "finish"]
ON_SIGNAL: tuple[OnSignal, ...] = ("deliver", "finish")


@contextmanager
def on_interrupt(action: Callable[[], None], *, deliver: bool = True) -> Iterator[None]:
    """Call ``action`` at the first Ctrl-C or SIGTERM, and deliver it to its application at the end.

    An exception, or death, in the middle of an update would leave half of the weights updated, so
    the first signal only calls ``action``; from then on signals act as they did before. When the
    block is left, so does the first: the application's handler is called, or the default is done,
    which for SIGTERM is to end the process. Where Ctrl-C would only have raised a
    ``KeyboardInterrupt``, the end of the block has answered it, and nothing is delivered.

    A signal that is ignored, as a shell has it for what runs in the background, stays ignored, and
    one whose handler was not installed from Python, and so could not be put back, is left alone.
    Outside the main thread, where no signal arrives, nothing changes.

    Parameters
    ----------
    action : function
        Called without arguments, between two instructions of whatever runs.
    deliver : bool
        Whether the application gets the signal too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    received: list[int] = []

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        restore()
        received.append(number)
        action()

    found = {number: signal.getsignal(number) for number in SIGNALS}
    previous = {n: handler for n, handler in found.items() if handler not in (signal.SIG_IGN, None)}
    for number in previous:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()
        if deliver:
            for each in received:
                _deliver(each)


def _deliver(number: int) -> None:
    """Do what a signal would have done without us, but a ``KeyboardInterrupt``."""
    handler = signal.getsignal(number)
    if handler is signal.default_int_handler:
        return
    if callable(handler):
        handler(number, inspect.currentframe())  # raised again, asyncio would count it twice
    else:
        signal.raise_signal(number)
