"""Early stopping: training ends when a metric no longer improves."""

import math
from collections.abc import Mapping
from typing import Any

from handloom.errors import require_count
from handloom.training.callbacks.best_weights import BestWeights
from handloom.training.callbacks.monitor import Goal, Improves
from handloom.training.history import EpochRecord, StopReason
from handloom.training.state import TrainingState


class EarlyStopping(BestWeights):
    """Ends training when a metric has not improved for ``patience`` epochs.

    Parameters
    ----------
    monitor, goal, min_delta, improves, restore
        As in `BestWeights`. For another criterion than ``min_delta``, pass ``improves`` or override
        `is_better` and `counts` in a subclass.
    patience : int or inf
        The number of consecutive epochs without improvement after which training ends; epochs
        without the metric do not count.

    Attributes
    ----------
    waited : int
        The number of epochs since the last improvement.

    Raises
    ------
    ConfigurationError
        If a parameter is invalid.
    """

    def __init__(
        self,
        monitor: str = "validation_loss",
        *,
        patience: float = 10,
        goal: Goal | None = None,
        min_delta: float = 0.0,
        improves: Improves | None = None,
        restore: bool = True,
    ) -> None:
        super().__init__(
            monitor, goal=goal, min_delta=min_delta, improves=improves, restore=restore
        )
        self.patience = patience if patience == math.inf else require_count("patience", patience)

    def _start(self) -> None:
        super()._start()
        self.waited = 0

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Stop training when patience is over."""
        value = self.metric(state, record)
        if value is None:
            return
        gained = self.counts(value)
        super().on_epoch_end(state=state, record=record)
        self.waited = 0 if gained else self.waited + 1
        if self.waited >= self.patience:
            self.lose_patience(state)

    def counts(self, value: float) -> bool:
        """Return whether a metric is an improvement that resets ``waited``."""
        return self.is_better(value)

    def lose_patience(self, state: TrainingState) -> None:
        """End training; subclasses may try something else first."""
        state.stop(StopReason.EARLY_STOPPING)

    def config(self) -> dict[str, object]:
        """Return the options that decide when training ends."""
        return {**super().config(), "patience": self.patience}

    def state_dict(self) -> dict[str, Any]:
        """Return the best epoch so far, its weights, and the epochs waited since."""
        return {**super().state_dict(), "waited": self.waited}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load the state that `state_dict` returned."""
        super().load_state_dict(state)
        self.waited = state["waited"]
