"""Live lines: a bar, and a wait; on a terminal by the package rich, or in the cell of a notebook.

A line is laid out anew each time it is drawn, so it follows the width of the terminal.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from handloom.secondary import in_notebook, is_terminal
from handloom.training.callbacks.cell_line import CellLine
from handloom.training.callbacks.progress_line import Line, Metric, cut, layout

BAR = ("━", "─")
"""The characters of the full part of a bar, and of the rest."""

PER_SECOND = 4
"""How often a line is drawn."""


class LiveLine:
    """A line that is drawn again and again until it is stopped.

    Raises
    ------
    ImportError
        On a terminal, if rich is not installed, by `start`.
    """

    stays = True
    """Whether the last line stays on the terminal."""

    def start(self) -> None:
        """Draw the line from now on."""
        self._started = time.monotonic()
        in_cell = in_notebook()
        self._live = CellLine(self._text, stays=self.stays) if in_cell else self._on_terminal()
        self._live.start()

    def _on_terminal(self) -> Any:
        """Return the live display of rich, which draws the line again by itself."""
        from rich.console import Console
        from rich.live import Live

        return Live(
            self,
            console=Console(stderr=True),
            refresh_per_second=PER_SECOND,
            transient=not self.stays,
            # output to a file or a pipe stays there
            redirect_stdout=is_terminal(sys.stdout),
        )

    def refresh(self) -> None:
        """Draw the line in a notebook, where nothing else does it."""
        if isinstance(self._live, CellLine):
            self._live.refresh()

    def clear(self) -> None:
        """Remove the line before a message in a notebook; on a terminal rich moves it down."""
        if isinstance(self._live, CellLine):
            self._live.clear()

    def stop(self) -> None:
        """Draw the line a last time."""
        self._live.stop()

    @property
    def elapsed(self) -> float:
        """The seconds since `start`."""
        return time.monotonic() - self._started

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        """Yield the line, one column narrower than the terminal, so that it never wraps."""
        from rich.text import Text

        line = self.line(options.max_width - 1)
        done = round(line.bar * self.share)
        full, rest = ("=", "-") if options.ascii_only else BAR
        yield Text.assemble(
            line.before,
            (full * done, "bar.complete"),
            (rest * (line.bar - done), "bar.back"),
            line.after,
            no_wrap=True,
            end="",
        )

    def _text(self, width: int) -> str:
        """Return the line for a width as text."""
        line = self.line(width)
        done, (full, rest) = round(line.bar * self.share), BAR
        return f"{line.before}{full * done}{rest * (line.bar - done)}{line.after}"

    def line(self, width: int) -> Line:
        """Return the line for a width."""
        raise NotImplementedError

    @property
    def share(self) -> float:
        """The full part of the bar."""
        return 0.0


class Bar(LiveLine):
    """The bar of a training.

    Parameters
    ----------
    label : str
    done, total : int
        Numbers of epochs.
    """

    def __init__(self, label: str, done: int, total: int) -> None:
        self.label, self.total = label, total
        self._now: tuple[int, Sequence[Metric], float | None, float] = (done, (), None, 0.0)

    def update(self, done: int, metrics: Sequence[Metric], left: float) -> None:
        """Show the metrics of an epoch, and the seconds that are left."""
        self._now = (done, metrics, left, self.elapsed)
        self.refresh()

    def line(self, width: int) -> Line:
        """Return the line for a width."""
        done, metrics, left, at = self._now
        if left is not None:
            left = max(left - (self.elapsed - at), 0.0)
        times = {"left": left, "elapsed": self.elapsed}
        return layout(width, self.label, done, self.total, metrics, **times)

    @property
    def share(self) -> float:
        """The share of the epochs that is done."""
        return self._now[0] / max(self.total, 1)


class Wait(LiveLine):
    """A message with the seconds that have passed, which disappears at the end.

    Parameters
    ----------
    message, remark : str
        The remark is shown where there is room.
    """

    stays = False

    def __init__(self, message: str, remark: str) -> None:
        self.message, self.remark = message, remark

    def line(self, width: int) -> Line:
        """Return the line for a width."""
        seconds = f"{self.elapsed:2.0f} s"
        whole = f"{self.message} ({self.remark}): {seconds}"
        if len(whole) > width:
            whole = f"{cut(self.message, width - len(seconds) - 2)}: {seconds}"
        return Line(whole, 0, "")
