"""Triggers: when a checkpoint is due."""

import re
import time
from dataclasses import dataclass
from typing import Protocol

from handloom.errors import ConfigurationError, require_count, require_number
from handloom.training.state import TrainingState

FORMS = "a number of epochs (5) or of minutes (5m)"
"""The short forms of triggers; see `trigger`."""


class Trigger(Protocol):
    """Decides when a checkpoint is due; called after each epoch, and about every 0.1 seconds.

    If a callback has a step hook, it is called after each step.
    """

    def reset(self, state: TrainingState) -> None:
        """Restart the interval: training begins or resumes, or a checkpoint was attempted."""
        ...

    def due(self, state: TrainingState) -> bool:
        """Return whether a checkpoint is to be written now."""
        ...


@dataclass
class EveryEpochs:
    """A checkpoint every ``epochs`` epochs."""

    epochs: int

    def __post_init__(self) -> None:
        self.epochs = require_count("every", self.epochs)

    def reset(self, state: TrainingState) -> None:
        """Do nothing: epochs are counted from the first."""

    def due(self, state: TrainingState) -> bool:
        """Return whether the number of complete epochs is a multiple of ``epochs``."""
        progress = state.progress
        return progress.epoch_steps == 0 and progress.epoch % self.epochs == 0


@dataclass
class EveryMinutes:
    """A checkpoint when the latest one is ``minutes`` minutes old."""

    minutes: float

    def __post_init__(self) -> None:
        self.minutes = require_number("minutes", self.minutes, minimum=0.0, exclusive=True)

    def reset(self, state: TrainingState) -> None:
        """Store the time."""
        self._since = time.monotonic()

    def due(self, state: TrainingState) -> bool:
        """Return whether ``minutes`` minutes have passed."""
        return time.monotonic() - self._since >= 60.0 * self.minutes


def trigger(every: int | str | Trigger) -> Trigger:
    """Return a trigger from ``5`` or ``"5"`` (epochs), ``"5m"`` (minutes), or from itself.

    Raises
    ------
    ConfigurationError
        If ``every`` is none of these.
    """
    if callable(getattr(every, "due", None)) and callable(getattr(every, "reset", None)):
        return every  # type: ignore[return-value]
    minutes = re.fullmatch(r"([0-9]+\.?[0-9]*)m", every.strip()) if isinstance(every, str) else None
    if minutes:
        return EveryMinutes(float(minutes[1]))
    if isinstance(every, str):
        if not re.fullmatch(r"[0-9]+", every.strip()):
            raise ConfigurationError(f"every must be {FORMS}, got {every!r}")
        every = int(every)
    return EveryEpochs(every)  # type: ignore[arg-type]
