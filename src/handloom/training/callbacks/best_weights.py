"""BestWeights callback: keeps the weights at the best value of a monitored metric."""

from collections.abc import Mapping
from typing import Any

from handloom.errors import require_bool
from handloom.parameters import Array, check_array
from handloom.training.callbacks.monitor import Goal, Improves, Monitor
from handloom.training.history import EpochRecord
from handloom.training.state import TrainingState


class BestWeights(Monitor, hooks=["on_best"]):
    """Keeps the weights at the best value of a metric.

    A training metric of a full-batch epoch is measured before that epoch's update, so the weights
    kept are those from before it; every other metric belongs to the weights after the epoch. A NaN
    is never the best. With a ``min_delta``, values that are better by no more than it are not kept.

    Parameters
    ----------
    monitor, goal, min_delta, improves
        As in `Monitor`.
    restore : bool
        Whether the network ends with these weights, for any reason that training ends.

    Attributes
    ----------
    epoch : int or None
        The best epoch so far.
    value : float or None
        The metric of that epoch.
    weights : array, shape (size + untrained,), or None
        All values of that epoch, trained and untrained.

    Raises
    ------
    ConfigurationError
        If the metric is unknown, or another parameter is invalid.
    """

    def __init__(
        self,
        monitor: str = "validation_loss",
        *,
        goal: Goal | None = None,
        min_delta: float = 0.0,
        improves: Improves | None = None,
        restore: bool = True,
    ) -> None:
        super().__init__(monitor, goal=goal, min_delta=min_delta, improves=improves)
        self.restore = require_bool("restore", restore)

    def _start(self) -> None:
        super()._start()
        self.weights: Array | None = None

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Reset the state of an earlier training."""
        super().on_train_begin(state=state)
        self._values = state.network.parameters.values

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Copy the weights if they are the best so far."""
        value = self.metric(state, record)
        if value is not None and self.is_better(value):
            self.epoch, self.value = record.epoch, value
            self.weights = self.keep_weights(state)
            self.on_best(state=state, record=record)

    def keep_weights(self, state: TrainingState) -> Array | None:
        """Return a copy of the weights that the metric belongs to."""
        return state.weights_of_metric(self.monitor).copy()

    def on_best(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Run at each new best value."""

    def on_train_end(self, *, state: TrainingState) -> None:
        """Restore the best weights, if ``restore`` is set."""
        if self.restored:
            state.network.parameters.values[...] = self.weights

    @property
    def restored(self) -> bool:
        """Whether the network ends with the best weights."""
        return self.restore and self.weights is not None

    def config(self) -> dict[str, object]:
        """Return the options that decide which epoch is the best, and whether it is restored."""
        return {**super().config(), "restore": self.restore}

    def state_dict(self) -> dict[str, Any]:
        """Return the best epoch so far, and its weights."""
        weights = {} if self.weights is None else {"weights": self.weights}
        return {**super().state_dict(), **weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load the state that `state_dict` returned."""
        weights = state.get("weights")
        if weights is not None:
            check_array("the best weights", weights, self._values.shape, self._values.dtype)
        super().load_state_dict(state)
        self.weights = weights
