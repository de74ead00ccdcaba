"""Signals (Ctrl-C, SIGTERM, a hang-up): training ends after a step, then they are delivered."""

import inspect
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Literal

SIGNALS = (signal.SIGINT, signal.SIGTERM)

HANG_UP: signal.Signals | None = getattr(signal, "SIGHUP", None)
"""The signal of a terminal that is closed; it may come several times. None on Windows."""

NOTICE: signal.Signals | None = getattr(signal, "SIGUSR1", None)
"""The signal by which a scheduler may announce the end of a job. None on Windows."""

DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)
"""The handlers of a process that only ends at a signal."""

OnSignal = Literal["deliver", "finish"]
ON_SIGNAL: tuple[OnSignal, ...] = ("deliver", "finish")


@contextmanager
def on_interrupt(action: Callable[[], None], received: list[int]) -> Iterator[None]:
    """Call ``action`` at the first Ctrl-C, SIGTERM or hang-up, and record the signal.

    An exception in the middle of an update would leave half of the weights updated, so the first
    signal only calls ``action``; after it the earlier handlers are active again. Deliver recorded
    signals after a whole step; see `deliver`.

    A hang-up of the terminal would end the process; further ones are ignored until the end of the
    block. One that the application handles, such as to read its settings again, is left to it.

    An ignored signal, as in a shell's background jobs, stays ignored, and a handler that was not
    installed from Python, which could not be restored, is not replaced. A handler that is installed
    inside the block stays. In a process that is forked inside the block the earlier handlers are
    called. Outside the main thread, where no signal arrives, nothing changes.

    Parameters
    ----------
    action : function
        Called without arguments, between two instructions of the running code.
    received : list of int
        The signal's number is appended to it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    process = os.getpid()

    def restore(but: int | None = None) -> None:
        for number, handler in previous.items():
            if number != but and signal.getsignal(number) is handle:
                signal.signal(number, handler)

    def handle(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process:
            restore()
            _act(number, frame)
        elif number not in received or number != HANG_UP:
            restore(but=HANG_UP)
            received.append(number)
            action()

    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    previous = {n: each for n, each in handlers.items() if each not in (signal.SIG_IGN, None)}
    if HANG_UP is not None and signal.getsignal(HANG_UP) is signal.SIG_DFL:
        previous[HANG_UP] = signal.SIG_DFL
    for number in previous:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()


@contextmanager
def held() -> Iterator[None]:
    """Hold signals until the end of a block, such as an import, that must not be left half done.

    Then they take effect as if they came now; a second one takes effect at once.
    """
    received: list[int] = []
    try:
        with on_interrupt(_wait, received):
            yield
    finally:
        for number in received:
            _act(number, inspect.currentframe())


def _wait() -> None:
    """Leave a signal to the end of a block."""


@contextmanager
def on_notice(received: list[int]) -> Iterator[None]:
    """Record SIGUSR1, by which schedulers announce the end of a job, until the end of a block.

    A handler of the application is not replaced. Outside the main thread, where no signal arrives,
    and on Windows, nothing changes.

    Parameters
    ----------
    received : list of int
        The signal's number is appended to it.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if NOTICE is None or not in_main_thread or signal.getsignal(NOTICE) not in DEFAULTS:
        yield
        return

    def note(number: int, _: FrameType | None) -> None:
        if number not in received:
            received.append(number)

    previous = signal.signal(NOTICE, note)
    try:
        yield
    finally:
        if signal.getsignal(NOTICE) is note:
            signal.signal(NOTICE, previous)


def deliver(signals: Sequence[int]) -> list[int]:
    """Deliver recorded signals: call the application's handler, or end the process.

    A Ctrl-C with Python's default handler is not delivered: it would only raise
    ``KeyboardInterrupt``, and training has ended already.

    Returns
    -------
    list of int
        The signals that were not delivered.
    """
    undelivered = []
    for number in signals:
        if signal.getsignal(number) is signal.default_int_handler:
            undelivered.append(number)
        else:
            _act(number, inspect.currentframe())
    return undelivered


def _act(number: int, frame: FrameType | None) -> None:
    handler = signal.getsignal(number)
    if callable(handler):
        handler(number, frame)  # not by raise_signal: asyncio would count it twice
    else:
        signal.raise_signal(number)
