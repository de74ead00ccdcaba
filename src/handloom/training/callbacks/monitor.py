"""Monitor: the base class of callbacks that act on the best value of a metric."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

from handloom.arguments import as_call
from handloom.errors import ConfigurationError, require_known, require_number, unknown_name
from handloom.training.callbacks.base import Callback
from handloom.training.configuration import describe
from handloom.training.history import COLUMNS, EpochRecord, checked_name
from handloom.training.state import TrainingState

Goal = Literal["low", "high"]
Improves = Callable[[float, float], bool]

MONITORS: Mapping[str, Goal] = {
    "loss": "low",
    "data_loss": "low",
    "accuracy": "high",
    "validation_loss": "low",
    "validation_accuracy": "high",
}
"""The metrics that a trainer measures and a callback may monitor, each with its goal."""


class Monitor(Callback):
    """Base class of callbacks that compare a metric with its best value so far.

    Parameters
    ----------
    monitor : str
        A metric of `MONITORS`, or one that a callback records (see `TrainingState.record`).
    goal : {"low", "high"}, optional
        Whether lower or higher values are better; a recorded metric needs it.
    min_delta : float
        The difference from the best value that an improvement must exceed.
    improves : callable, optional
        ``improves(value, best)`` returns whether a metric is better than the best so far; replaces
        ``goal`` and ``min_delta``.

    Attributes
    ----------
    epoch : int or None
        The best epoch so far.
    value : float or None
        The metric of that epoch.

    Raises
    ------
    ConfigurationError
        If the metric is unknown, or another parameter is invalid.
    """

    def __init__(
        self,
        monitor: str,
        *,
        goal: Goal | None = None,
        min_delta: float = 0.0,
        improves: Improves | None = None,
    ) -> None:
        self.monitor, self.goal = checked_name(monitor), _checked_goal(monitor, goal, improves)
        self.min_delta = require_number("min_delta", min_delta, minimum=0.0)
        if improves is not None and (goal is not None or min_delta):
            raise ConfigurationError(
                "improves replaces goal and min_delta: pass either improves or those two"
            )
        self.improves = improves
        self._start()

    def __repr__(self) -> str:
        return as_call(self, implied=("goal",) if self.monitor in MONITORS else ())

    def _start(self) -> None:
        self.epoch: int | None = None
        self.value: float | None = None

    def check(self, *, state: TrainingState) -> None:
        """Raise an error if the metric will not be measured."""
        try:
            state.require_measured(self.monitor)
        except ConfigurationError as error:
            raise ConfigurationError(f"{type(self).__name__} monitors {error}") from None

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Reset the state of an earlier training."""
        self._start()

    def metric(self, state: TrainingState, record: EpochRecord) -> float | None:
        """Return the metric of an epoch; None if it is recorded in other epochs only.

        Raises
        ------
        ConfigurationError
            If no epoch has recorded it; a callback that records it must come before this one.
        """
        absent = self.monitor not in COLUMNS and self.monitor not in record.recorded
        if absent and self.monitor in state.history.columns:
            return None
        try:
            return record[self.monitor]
        except ConfigurationError as error:
            raise ConfigurationError(
                f"{type(self).__name__}: {error} A callback that records {self.monitor!r} must "
                "come before this one"
            ) from None

    def is_better(self, value: float) -> bool:
        """Return whether a metric is the best so far."""
        if not math.isfinite(value) or self.value is None:
            return math.isfinite(value)
        if self.improves is not None:
            return self.improves(value, self.value)
        gain = value - self.value if self.goal == "high" else self.value - value
        return gain > self.min_delta

    def config(self) -> dict[str, object]:
        """Return the options that decide which epoch is the best."""
        return {
            "monitor": self.monitor,
            "goal": self.goal,
            "min_delta": self.min_delta,
            "improves": describe(self.improves),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the best epoch so far, and its metric."""
        return {"epoch": self.epoch, "value": self.value}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load the state that `state_dict` returned."""
        self.epoch, self.value = state["epoch"], state["value"]


def _checked_goal(monitor: str, goal: Goal | None, improves: Improves | None) -> Goal | None:
    """Return the goal of a metric."""
    if goal is not None:
        require_known("goal", goal, ("low", "high"))
        if monitor in COLUMNS:
            require_known("metric to monitor", monitor, MONITORS)
        if goal != MONITORS.get(monitor, goal):
            raise ConfigurationError(f"{monitor!r} is best {MONITORS[monitor]}, got goal={goal!r}")
        return goal
    if monitor not in MONITORS and (improves is None or monitor in COLUMNS):
        raise ConfigurationError(
            f"{unknown_name('metric to monitor', monitor, MONITORS)} "
            f"A metric that a callback records needs goal='high' or goal='low'."
        )
    return MONITORS.get(monitor)
