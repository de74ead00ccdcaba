"""Progress callback: a live bar on a terminal or in a notebook, else a line every few epochs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import ClassVar

from handloom.errors import require_count
from handloom.secondary import (
    Secondary,
    in_notebook,
    is_terminal,
    print_line,
    say,
    terminal_width,
)
from handloom.text import printable, wrapped
from handloom.training.callbacks.base import Callback
from handloom.training.callbacks.live_line import Bar, LiveLine, Wait
from handloom.training.callbacks.progress_line import clock, index_in_line, metrics_of
from handloom.training.findings import findings
from handloom.training.history import EpochRecord, History
from handloom.training.state import TrainingState

NOT_SHOWN = "the progress is not shown"
"""The failure of a line or a bar."""

COMPILING = "compiling kernels, once for this kind of network"
ABOUT = "takes about half a minute"


class Progress(Callback):
    """Shows epoch, metrics and the time left, on standard error; in a notebook, on standard output.

    The bar is laid out by the width of the terminal, the most important first: epochs, bar,
    accuracy (of validation rows, if there are any), time left, loss, then all other metrics. On a
    terminal it needs the package rich; without it, or where there is neither a terminal nor a
    notebook, a line is printed every few epochs instead. Code that has to be compiled is announced
    before. If the output cannot be written to, training goes on without progress; a line on
    standard output says so, if that is left.

    Parameters
    ----------
    label : str
        The name of the training, shown first.
    every : int, optional
        The number of epochs between lines; by default ten lines a training.
    """

    changes_results: ClassVar[bool] = False

    def __init__(self, label: str = "training", *, every: int | None = None) -> None:
        self.label = label
        self.every = None if every is None else require_count("every", every)
        self._line: LiveLine | None = None
        self._showing = Secondary(NOT_SHOWN)
        self._announced = 0

    def __getstate__(self) -> dict[str, object]:
        """Return the state of a copy or a pickle, without the bar on the terminal."""
        return {**self.__dict__, "_line": None}

    def on_compile_begin(self, *, state: TrainingState) -> None:
        """Announce the compilation; on a terminal with the seconds that pass."""
        self._showing = Secondary(NOT_SHOWN)
        with self._output():
            self._start(Wait(COMPILING, ABOUT))
            if self._line is None:
                print_line(f"{self.label}  {COMPILING} ({ABOUT})", sys.stderr)

    def on_compile_end(self, *, state: TrainingState) -> None:
        """Remove the announcement from a terminal."""
        with self._output():
            self._stop()

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Say which ranks share the training, if there are some; start the bar, on a terminal."""
        self._showing, self._announced = Secondary(NOT_SHOWN), 0
        if state.distribution is not None:
            with self._showing:
                self._say(str(state.distribution))
        with self._output():
            self._start(Bar(self.label, state.progress.epoch, state.total_epochs))

    def on_epoch_begin(self, *, state: TrainingState) -> None:
        """Print the announcements that callbacks made after the last epoch."""
        with self._showing:
            self._announce(state)

    def _announce(self, state: TrainingState) -> None:
        for text in state.announcements[self._announced :]:
            self._say(text)
        self._announced = len(state.announcements)

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Show the epoch."""
        if not self._showing.failed:
            with self._output():
                self._show(state, record)

    def _show(self, state: TrainingState, record: EpochRecord) -> None:
        done, total = record.epoch + 1, state.total_epochs
        left = float(state.history["seconds"][-20:].mean()) * (total - done)
        metrics = metrics_of(record)
        if isinstance(self._line, Bar):
            self._line.update(done, metrics, left)
            return
        every = self.every or max(1, total // 10)
        if done % every == 0 or done in (1, total):
            shown = "  ".join(each.text(short=True) for each in sorted(metrics, key=index_in_line))
            print_line(
                f"{self.label}  epoch {done}/{total}  {shown}  {clock(left)} left", sys.stderr
            )

    def on_train_end(self, *, state: TrainingState) -> None:
        """Stop the bar and leave it on the terminal; then print divergence and findings."""
        with self._output():
            self._stop()
        with self._showing:
            self._announce(state)
            self._show_end(state.history)

    def _show_end(self, history: History) -> None:
        if history.divergence is not None:
            array, epoch = history.divergence.array, history.divergence.epoch + 1
            self._say(f"diverged in epoch {epoch}: {array} was not finite")
        for finding in findings(history):
            self._say(str(finding))

    def _say(self, text: str) -> None:
        """Print a sentence after the label, wrapped at spaces on a terminal."""
        line, width = printable(f"{self.label}  {text}"), terminal_width(sys.stderr)
        if self._line is not None:
            self._line.clear()
        say(line if width is None else wrapped(line, width, indent="  "))

    def _start(self, line: LiveLine) -> None:
        """Start a live line, in a notebook, or on a terminal and with rich."""
        self._line = None
        if in_notebook() or is_terminal(sys.stderr):
            with suppress(ImportError):
                line.start()
                self._line = line

    def _stop(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.stop()

    @contextmanager
    def _output(self) -> Iterator[None]:
        """Print in a block; if that fails, stop the bar, which redirects printing, and warn."""
        with self._showing:
            try:
                yield
            except Exception:
                with suppress(Exception):
                    self._stop()
                raise
