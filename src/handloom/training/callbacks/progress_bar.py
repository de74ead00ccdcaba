"""Progress callback: a live bar on a terminal, elsewhere a line every few epochs."""

import sys
from typing import Any, ClassVar

from handloom.errors import require_count
from handloom.text import printable
from handloom.training.callbacks.base import Callback
from handloom.training.findings import findings
from handloom.training.history import EpochRecord
from handloom.training.state import TrainingState


class Progress(Callback):
    """Shows epoch, loss, accuracy and the time left, on standard error.

    The bar needs the package rich; without it, or where standard error is not a terminal, a line is
    printed every few epochs instead.

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

    def __getstate__(self) -> dict[str, object]:
        """Return the state of a copy or a pickle, without the bar on the terminal."""
        return {**self.__dict__, "_bar": None}

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Start the bar, on a terminal."""
        self._bar = _bar() if sys.stderr is not None and sys.stderr.isatty() else None
        if self._bar is not None:
            self._bar.start()
            done = state.progress.epoch
            self._task = self._bar.add_task(
                printable(self.label), total=state.total_epochs, completed=done, metrics=""
            )

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Show the epoch."""
        done = record.epoch + 1
        if self._bar is not None:
            self._bar.update(self._task, completed=done, metrics=printable(_metrics(record)))
            return
        every = self.every or max(1, state.total_epochs // 10)
        if done % every == 0 or done in (1, state.total_epochs):
            seconds = state.history["seconds"]
            left = float(seconds[-20:].mean()) * (state.total_epochs - done)
            self._say(f"epoch {done}/{state.total_epochs}  {_metrics(record)}  {_clock(left)} left")

    def on_train_end(self, *, state: TrainingState) -> None:
        """Stop the bar and leave it on the terminal; then print divergence and findings."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        history = state.history
        if history.divergence is not None:
            array, epoch = history.divergence.array, history.divergence.epoch + 1
            self._say(f"diverged in epoch {epoch}: {array} was not finite")
        for finding in findings(history):
            self._say(str(finding))

    def _say(self, text: str) -> None:
        print(printable(f"{self.label}  {text}"), file=sys.stderr, flush=True)


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
    )
