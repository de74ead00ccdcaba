"""Signals as requests: training ends after a whole step, then the application gets the signal."""

import inspect
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Literal

SIGNALS = (signal.SIGINT, signal.SIGTERM)

OnSignal = Literal["deliver", "finish"]
ON_SIGNAL: tuple[OnSignal, ...] = ("deliver", "finish")


@contextmanager
def on_interrupt(action: Callable[[], None], received: list[int]) -> Iterator[None]:
    """Call ``action`` at the first Ctrl-C or SIGTERM, and note which it was.

    An exception, or death, in the middle of an update would leave half of the weights updated, so
    the first signal only calls ``action``; from then on signals act as they did before. What was
    noted is to be delivered when everything is in order again; see `deliver`.

    A signal that is ignored, as a shell has it for what runs in the background, stays ignored, and
    one whose handler Python knows to be somebody else's, and could not put back, is left alone. A
    handler that is installed inside the block stays. A process that is forked inside the block has
    no part in it: there signals act as they did before. Outside the main thread, where no signal
    arrives, nothing changes.

    Parameters
    ----------
    action : function
        Called without arguments, between two instructions of whatever runs.
    received : list of int
        Where the signal's number is added.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    process = os.getpid()

    def restore() -> None:
        for number, handler in previous.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, handler)

    def handle(number: int, frame: FrameType | None) -> None:
        restore()
        if os.getpid() != process:
            _act(number, frame)
        else:
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


def deliver(numbers: Sequence[int]) -> list[int]:
    """Do what signals would have done: call the application's handler, or end the process.

    One that Python's own handler of Ctrl-C answers is not delivered: it would only have raised a
    ``KeyboardInterrupt``, and training has ended already.

    Returns
    -------
    list of int
        Those that were not delivered.
    """
    kept = []
    for number in numbers:
        if signal.getsignal(number) is signal.default_int_handler:
            kept.append(number)
        else:
            _act(number, inspect.currentframe())
    return kept


def _act(number: int, frame: FrameType | None) -> None:
    handler = signal.getsignal(number)
    if callable(handler):
        handler(number, frame)  # raised again, asyncio would count it twice
    else:
        signal.raise_signal(number)
