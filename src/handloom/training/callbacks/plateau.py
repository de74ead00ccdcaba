"""Reduce on plateau: the learning rate falls when a metric no longer improves."""

from collections.abc import Mapping
from typing import Any

from handloom.errors import require_count, require_fraction, require_number
from handloom.training.callbacks.monitor import Goal, Improves, Monitor
from handloom.training.history import EpochRecord
from handloom.training.state import TrainingState

NOTICEABLE = 1e-9
"""The least relative change of a rate: a rate at its minimum is not reduced by rounding."""


class ReduceOnPlateau(Monitor):
    """Multiplies the learning rate by a factor when a metric has not improved for some epochs.

    After ``patience`` epochs without an improvement, all rates from the next epoch on are::

        r <- max(factor r, min_rate)

    The rate is that of the trainer's ``learning_rate``, a number or a schedule: its rates are
    scaled from then on. `Progress` prints each reduction, and the ``learning_rate`` of the history
    shows them. A resume continues with the same scale and the same counts, to the bit.

    Parameters
    ----------
    monitor, goal, min_delta, improves
        As in `Monitor`; ``min_delta`` is an absolute difference.
    factor : float
        The factor of the learning rate, above 0 and below 1.
    patience : int
        The number of consecutive epochs without improvement after which the rate is reduced;
        epochs without the metric do not count.
    min_rate : float
        The rate below which no reduction goes.
    cooldown : int
        The number of epochs after a reduction in which no epoch counts as one without improvement.

    Attributes
    ----------
    waited : int
        The number of epochs since the last improvement or reduction.
    cooling : int
        The number of epochs of the cooldown that are left.

    Raises
    ------
    ConfigurationError
        If a parameter is invalid.

    Notes
    -----
    It is PyTorch's ``ReduceLROnPlateau`` with ``threshold_mode="abs"``, whose ``patience`` is less
    by one: there it is the number of epochs that are tolerated. The count here is that of
    `EarlyStopping`.
    """

    def __init__(
        self,
        monitor: str = "validation_loss",
        *,
        factor: float = 0.5,
        patience: int = 5,
        min_rate: float = 0.0,
        min_delta: float = 0.0,
        cooldown: int = 0,
        goal: Goal | None = None,
        improves: Improves | None = None,
    ) -> None:
        super().__init__(monitor, goal=goal, min_delta=min_delta, improves=improves)
        factor = require_number("factor", factor, minimum=0.0, exclusive=True)
        self.factor = require_fraction("factor", factor)
        self.patience = require_count("patience", patience)
        self.min_rate = require_number("min_rate", min_rate, minimum=0.0)
        self.cooldown = require_count("cooldown", cooldown, minimum=0)

    def _start(self) -> None:
        super()._start()
        self.waited = self.cooling = 0

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Reduce the learning rate when patience is over."""
        value = self.metric(state, record)
        if value is None:
            return
        self.waited += 1
        if self.is_better(value):
            self.epoch, self.value, self.waited = record.epoch, value, 0
        if self.cooling:
            self.cooling -= 1
            self.waited = 0
        if self.waited >= self.patience:
            self.waited, self.cooling = 0, self.cooldown
            self.reduce(state, record)

    def reduce(self, state: TrainingState, record: EpochRecord) -> None:
        """Scale the rates of the schedule by the last rate, and announce it if an epoch follows."""
        rate = record.learning_rate
        reduced = max(self.factor * rate, self.min_rate)
        if reduced >= rate * (1.0 - NOTICEABLE):
            return  # it is at its minimum
        state.rate_scale *= reduced / rate
        if record.epoch + 1 >= state.total_epochs:
            return  # no epoch has this rate, unless a resume adds some
        epochs = "1 epoch" if self.patience == 1 else f"{self.patience} epochs"
        state.announce(
            f"epoch {record.epoch + 1}: {self.monitor} has not improved for {epochs}; the learning "
            f"rate is reduced from {rate:.4g} to {reduced:.4g}"
        )

    def config(self) -> dict[str, object]:
        """Return the options that decide when and how far the rate is reduced."""
        return {
            **super().config(),
            "factor": self.factor,
            "patience": self.patience,
            "min_rate": self.min_rate,
            "cooldown": self.cooldown,
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the best epoch so far and the counts; the scale is part of the training state."""
        return {**super().state_dict(), "waited": self.waited, "cooling": self.cooling}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load the state that `state_dict` returned."""
        super().load_state_dict(state)
        self.waited, self.cooling = state["waited"], state["cooling"]
