"""Schedules: the learning rate as a function of the step, counted from 0."""

from collections.abc import Callable
from dataclasses import dataclass

from handloom.errors import require_number

Schedule = Callable[[int], float]


@dataclass(frozen=True)
class Constant:
    """The same rate at every step."""

    learning_rate: float

    def __post_init__(self) -> None:
        _keep(self, "learning_rate", exclusive=True)

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.learning_rate


@dataclass(frozen=True)
class InverseTimeDecay:
    """A rate that falls like one over the step, ``learning_rate * (1 / (1 + decay * step))``.

    The order of the operations is part of the definition: another one differs in the last digit.
    """

    learning_rate: float
    decay: float

    def __post_init__(self) -> None:
        _keep(self, "learning_rate", exclusive=True)
        _keep(self, "decay")

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.learning_rate * (1.0 / (1.0 + self.decay * step))


def schedule(value: float | Schedule) -> Schedule:
    """Return a schedule from a number, which stays constant, or from itself.

    Raises
    ------
    ConfigurationError
        If it is neither a function nor a number above zero.
    """
    return value if callable(value) else Constant(value)


def _keep(made: Constant | InverseTimeDecay, option: str, *, exclusive: bool = False) -> None:
    value = require_number(option, getattr(made, option), minimum=0.0, exclusive=exclusive)
    object.__setattr__(made, option, value)
