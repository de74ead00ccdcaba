"""Ctrl-C and SIGTERM as requests: training ends tidily, after whole steps."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def on_interrupt(action: Callable[[], None]) -> Iterator[None]:
    """Call ``action`` at the first Ctrl-C or SIGTERM; the next one acts as it did before.

    An exception in the middle of an update would leave half of the weights updated, so the first
    one only raises a flag. A signal that is ignored, as a shell has it for what runs in the
    background, stays ignored. Outside the main thread, where no signal arrives, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        restore()
        action()

    found = {number: signal.getsignal(number) for number in SIGNALS}
    previous = {n: handler for n, handler in found.items() if handler is not signal.SIG_IGN}
    for number in previous:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()
