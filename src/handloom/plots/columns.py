"""Columns of histories, over the epochs of several runs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from handloom.errors import ConfigurationError, require_count, require_instance
from handloom.plots.fonts import legible
from handloom.training.history import History

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
INFINITE = 1e300  # values beyond this are treated as infinite


class Column(NamedTuple):
    """The label, scale and goal of a column of a history."""

    label: str
    factor: float = 1.0
    goal: Literal["high", "low"] | None = None


COLUMNS = {
    "accuracy": Column("training accuracy (%)", 100.0, "high"),
    "loss": Column("training loss", goal="low"),
    "data_loss": Column("training loss (without penalty)", goal="low"),
    "penalty": Column("penalty"),
    "learning_rate": Column("learning rate"),
    "seconds": Column("seconds per epoch"),
    "validation_accuracy": Column("validation accuracy (%)", 100.0, "high"),
    "validation_loss": Column("validation loss", goal="low"),
}


def column_of(name: str) -> Column:
    """Return the `Column` of a name; recorded metrics are drawn unscaled."""
    return COLUMNS.get(name) or Column(legible(name.replace("_", " ")))


def penalized(histories: Iterable[History]) -> bool:
    """Return whether the loss of any run has a penalty."""
    return any(history["penalty"].any() for history in histories)


def drawn_column(name: str, histories: Iterable[History]) -> str:
    """Return the column to draw: of a loss with penalty the data loss, as that of validation is."""
    return "data_loss" if name == "loss" and penalized(histories) else name


def recorded_metrics(histories: Iterable[History]) -> list[str]:
    """Return the names of metrics recorded by callbacks, in order of appearance."""
    names = [name for history in histories for name in history.columns]
    return [name for name in dict.fromkeys(names) if name not in (*COLUMNS, "epoch")]


@dataclass(frozen=True)
class Axis:
    """The horizontal axis: epochs, or the last step of each epoch, counted from 1.

    Parameters
    ----------
    from_epoch : int
        The first epoch shown, counted from 1; 0 for all.
    steps_per_epoch : int, optional
        Counts steps instead, of which each epoch has this number.

    Raises
    ------
    ConfigurationError
        If a parameter is not a whole number, of at least 0 and 1.
    """

    from_epoch: int = 0
    steps_per_epoch: int | None = None

    def __post_init__(self) -> None:
        require_count("from_epoch", self.from_epoch, minimum=0)
        if self.steps_per_epoch is not None:
            require_count("steps_per_epoch", self.steps_per_epoch)

    @property
    def unit(self) -> str:
        """``"epoch"`` or ``"step"``."""
        return "epoch" if self.steps_per_epoch is None else "step"

    @property
    def start(self) -> int:
        """The first epoch shown, or the first step."""
        first = max(self.from_epoch, 1)
        return first if self.steps_per_epoch is None else (first - 1) * self.steps_per_epoch

    @property
    def zoomed(self) -> bool:
        """Whether epochs are left out."""
        return self.from_epoch > 1

    def shows(self, epochs: Values) -> Flags:
        """Return which epochs of a history, which counts from 0, are shown, shape (e,)."""
        return epochs + 1 >= self.from_epoch

    def at(self, epochs: Values) -> Values:
        """Return where epochs of a history are drawn, shape (e,)."""
        return (self.steps_per_epoch or 1) * (epochs + 1)


@dataclass(frozen=True)
class Curves:
    """One column of several runs.

    Attributes
    ----------
    at : array, shape (e,)
        The epochs or steps shown, in order.
    values : array, shape (runs, e)
        NaN where a run has no finite value.
    diverged : array of bool, shape (runs, e)
        True where a run had diverged; see `diverged`.
    percentage : bool
        Whether values are percentages, which always have a linear axis.
    """

    at: Values
    values: Values
    diverged: Flags
    percentage: bool = False

    @property
    def known(self) -> Flags:
        """True where there is a value, shape (runs, e)."""
        return np.isfinite(self.values)

    @property
    def median(self) -> Values:
        """The median over runs, shape (e,); NaN where fewer than half of the runs have a value."""
        count = self.known.sum(axis=0)
        shared = (count > 0) & (2 * count >= len(self.values))
        middle = np.full(len(self.at), np.nan)
        middle[shared] = np.nanmedian(self.values[:, shared], axis=0)
        return middle


def listed(histories: History | Sequence[History]) -> list[History]:
    """Return one history or several as a list.

    Raises
    ------
    ConfigurationError
        If they are none.
    """
    several = list(histories) if isinstance(histories, Sequence) else [histories]
    for history in several:
        _require_history(history)
    return several


def _require_history(value: object) -> None:
    if not isinstance(value, History) and "history" in dir(value):  # a trainer, or a loaded run
        raise ConfigurationError(
            f"a history must be a History, got a {type(value).__name__}: pass its .history"
        )
    require_instance("a history", value, History)


def gather(histories: Sequence[History], column: str, axis: Axis) -> Curves:
    """Return a column of several runs; histories may differ in length."""
    factor, goal = column_of(column).factor, column_of(column).goal
    runs = [
        (history["epoch"], factor * history[column])
        for history in histories
        if column in history.columns
    ]
    epochs = np.unique(np.concatenate([np.empty(0), *(at for at, _ in runs)]))
    values = np.full((len(runs), len(epochs)), np.nan)
    for row, (at, of_run) in zip(values, runs, strict=True):
        row[np.searchsorted(epochs, at)] = of_run
    values[~(np.abs(values) < INFINITE)] = np.nan
    shown = axis.shows(epochs)
    at = axis.at(epochs[shown])
    return Curves(at, values[:, shown], diverged(values, goal)[:, shown], factor == 100.0)


def learning_rate_curves(
    histories: Sequence[History], learning_rates: Sequence[float] | None, axis: Axis
) -> Curves:
    """Return the learning rates passed, or by default those of the histories."""
    if learning_rates is None:
        return gather(histories, "learning_rate", axis)
    epochs = max((history["epoch"] for history in histories), key=len, default=np.empty(0))
    if len(learning_rates) != len(epochs):
        raise ConfigurationError(
            f"learning_rates must have one rate for each of the {len(epochs)} epochs of the "
            f"longest history, got {len(learning_rates)}"
        )
    shown = axis.shows(epochs)
    values = np.array([learning_rates], np.float64)[:, shown]
    return Curves(axis.at(epochs[shown]), values, diverged(values, None))


def diverged(values: Values, goal: str | None) -> Flags:
    """Return where runs had diverged, shape (runs, e).

    An accuracy has diverged where it is less than half of the best before; a loss, where it is
    more than twice the best before and more than three quarters of that of the first epoch.
    """
    if goal == "high":
        return values < np.fmax.accumulate(values, axis=1) / 2
    if goal == "low":
        best = np.fmin.accumulate(values, axis=1)
        return (values / 2 > best) & (values > 0.75 * values[:, :1])
    return np.zeros(values.shape, dtype=bool)
