"""A live line in the output of a notebook's cell, on standard output."""

import time
from collections.abc import Callable

from handloom.text import printable
from handloom.training.callbacks.progress_line import columns

WIDTH = 100
"""The columns of the line, which the output of a cell holds without wrapping."""

SECONDS = 0.25
"""The least time between two drawings: each is a message to the browser."""


class CellLine:
    """A line that is printed over itself: a carriage return takes the output back to its start.

    Standard error would put it in a red box, and there is no terminal that could say how wide it
    is. It has the methods of rich's ``Live`` that a `LiveLine` calls.

    Parameters
    ----------
    draw : callable
        Returns the line for a number of columns.
    stays : bool
        Whether the last line stays in the output.
    """

    def __init__(self, draw: Callable[[int], str], *, stays: bool) -> None:
        self._draw, self._stays = draw, stays
        self._shown, self._at = 0, -SECONDS

    def start(self) -> None:
        """Draw the line."""
        self.refresh()

    def refresh(self) -> None:
        """Draw the line, unless that was done a moment ago."""
        now = time.monotonic()
        if now - self._at >= SECONDS:
            self._at = now
            self._print(self._draw(WIDTH))

    def clear(self) -> None:
        """Remove the line, so that a message has one of its own; the next drawing is below it."""
        self._print("")
        self._print("", end="\r")
        self._at = -SECONDS

    def stop(self) -> None:
        """Draw the line a last time, or remove it."""
        if self._stays:
            self._print(self._draw(WIDTH), end="\n")
        else:
            self._print("")
            self._print("", end="")

    def _print(self, line: str, end: str = "") -> None:
        """Print a line over the one before, whose rest is covered by spaces."""
        text = printable(line)
        width = columns(text)
        print(f"\r{text}{' ' * (self._shown - width)}", end=end, flush=True)
        self._shown = width
