"""Progress callback: a live bar on a terminal, elsewhere a line every few epochs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from handloom.errors import require_count
from handloom.secondary import Secondary, is_terminal, print_line, say
from handloom.text import printable
from handloom.training.callbacks.base import Callback
from handloom.training.findings import findings
from handloom.training.history import EpochRecord, History
from handloom.training.state import TrainingState

NOT_SHOWN = "the progress is not shown"
"""The failure of a line or a bar."""


class Progress(Callback):
    """Shows epoch, loss, accuracy and the time left, on standard error.

    The bar needs the package rich; without it, or where standard error is not a terminal, a line is
    printed every few epochs instead. If standard error cannot be written to, training goes on
    without progress; a line on standard output says so, if that is left.

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
        self._bar: Any = None
        self._showing = Secondary(NOT_SHOWN)

    def __getstate__(self) -> dict[str, object]:
        """Return the state of a copy or a pickle, without the bar on the terminal."""
        return {**self.__dict__, "_bar": None}

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Start the bar, on a terminal."""
        self._showing = Secondary(NOT_SHOWN)
        with self._output():
            self._bar = _bar() if is_terminal(sys.stderr) else None
            if self._bar is not None:
                self._bar.start()
                done = state.progress.epoch
                self._task = self._bar.add_task(
                    printable(self.label), total=state.total_epochs, completed=done, metrics=""
                )

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Show the epoch."""
        if not self._showing.failed:
            with self._output():
                self._show(state, record)

    def _show(self, state: TrainingState, record: EpochRecord) -> None:
        done = record.epoch + 1
        if self._bar is not None:
            self._bar.update(self._task, completed=done, metrics=printable(_metrics(record)))
            return
        every = self.every or max(1, state.total_epochs // 10)
        if done % every == 0 or done in (1, state.total_epochs):
            seconds = state.history["seconds"]
            left = float(seconds[-20:].mean()) * (state.total_epochs - done)
            print_line(
                f"{self.label}  epoch {done}/{state.total_epochs}  {_metrics(record)}  "
                f"{_clock(left)} left",
                sys.stderr,
            )

    def on_train_end(self, *, state: TrainingState) -> None:
        """Stop the bar and leave it on the terminal; then print divergence and findings."""
        with self._output():
            if self._bar is not None:
                self._bar.stop()
                self._bar = None
        with self._showing:
            self._show_end(state.history)

    def _show_end(self, history: History) -> None:
        if history.divergence is not None:
            array, epoch = history.divergence.array, history.divergence.epoch + 1
            say(f"{self.label}  diverged in epoch {epoch}: {array} was not finite")
        for finding in findings(history):
            say(f"{self.label}  {finding}")

    @contextmanager
    def _output(self) -> Iterator[None]:
        """Print in a block; if that fails, stop the bar, which redirects printing, and warn."""
        with self._showing:
            try:
                yield
            except Exception:
                bar, self._bar = self._bar, None
                with suppress(Exception):
                    if bar is not None:
                        bar.stop()
                raise


def _metrics(record: EpochRecord) -> str:
    metrics = {
        "loss": record.loss,
        "accuracy": record.accuracy,
        "validation loss": record.validation_loss,
        "validation accuracy": record.validation_accuracy,
        **record.recorded,
    }
    return "  ".join(f"{name} {value:.4f}" for name, value in metrics.items() if value is not None)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _bar() -> Any:
    """Return a progress bar of rich, or None if rich is not installed."""
    try:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
    except ImportError:
        return None
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[metrics]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        # what is printed to a file or a pipe stays there
        redirect_stdout=is_terminal(sys.stdout),
    )
