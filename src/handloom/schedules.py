"""Learning-rate schedules: the learning rate as a function of the step, counted from 0."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from handloom.errors import (
    ConfigurationError,
    refuse_class,
    require_count,
    require_fraction,
    require_known,
    require_number,
)

Schedule = Callable[[int], float]


@dataclass(frozen=True)
class Constant:
    """Constant schedule: the same learning rate at every step."""

    learning_rate: float

    def __post_init__(self) -> None:
        _validate(self, "learning_rate", exclusive=True)

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.learning_rate


@dataclass(frozen=True)
class InverseTimeDecay:
    """Inverse-time decay, ``learning_rate * (1 / (1 + decay * step))``.

    The order of the operations is part of the definition: another order differs in the last digit.
    """

    learning_rate: float
    decay: float

    def __post_init__(self) -> None:
        _validate(self, "learning_rate", exclusive=True)
        _validate(self, "decay")

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.learning_rate * (1.0 / (1.0 + self.decay * step))


@dataclass(frozen=True)
class StepDecay:
    """Step decay, ``learning_rate * factor^(step // every)``.

    Parameters
    ----------
    learning_rate : float
        The rate of the first step.
    every : int
        The number of training steps, not epochs, between two changes of the rate; for a change
        every ``n`` epochs it is ``n`` times the number of steps in an epoch.
    factor : float
        The factor of each change, above 0 and at most 1.
    """

    learning_rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        _validate(self, "learning_rate", exclusive=True)
        _validate(self, "factor", exclusive=True, maximum=1.0)
        _validate_count(self, "every")

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.learning_rate * float(self.factor ** (step // self.every))


@dataclass(frozen=True)
class ExponentialDecay:
    """Exponential decay, ``learning_rate * factor^step``.

    Parameters
    ----------
    learning_rate : float
        The rate of the first step.
    factor : float
        The factor of each step, above 0 and at most 1.
    """

    learning_rate: float
    factor: float

    def __post_init__(self) -> None:
        _validate(self, "learning_rate", exclusive=True)
        _validate(self, "factor", exclusive=True, maximum=1.0)

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.learning_rate * float(self.factor**step)


@dataclass(frozen=True)
class LinearDecay:
    """Linear decay to zero, ``learning_rate * (1 - step / steps)``.

    Parameters
    ----------
    learning_rate : float
        The rate of the first step.
    steps : int
        The number of steps; after them the rate is zero.
    """

    learning_rate: float
    steps: int

    def __post_init__(self) -> None:
        _validate(self, "learning_rate", exclusive=True)
        _validate_count(self, "steps")

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.learning_rate * max(0.0, 1.0 - step / self.steps)


@dataclass(frozen=True)
class CosineDecay:
    """Cosine decay (cosine annealing) from the learning rate to a final rate.

    Up to ``steps``, after which it stays at the final rate::

        final + (learning_rate - final) * (1 + cos(pi step / steps)) / 2

    Parameters
    ----------
    learning_rate : float
        The rate of the first step.
    steps : int
        The number of steps.
    final : float
        The rate after the last step, at most ``learning_rate``.

    References
    ----------
    Loshchilov, Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017; here
    without restarts.
    """

    learning_rate: float
    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        _validate(self, "learning_rate", exclusive=True)
        _validate(self, "final", maximum=self.learning_rate)
        _validate_count(self, "steps")

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return _half_cosine(self.learning_rate, self.final, min(step / self.steps, 1.0))


@dataclass(frozen=True)
class OneCycle:
    """One-cycle schedule: a rise to the peak and a fall to almost zero, each along a half cosine.

    It starts at ``learning_rate / rise``, is at its peak after the fraction ``peak`` of all steps,
    and ends at ``learning_rate / (rise fall)`` in the last one. If that fraction is one step or
    less, there is no rise.

    Parameters
    ----------
    learning_rate : float
        The rate at the peak.
    steps : int
        The number of steps; after them the rate stays at its last value.
    peak : float
        The position of the peak as a fraction of the steps, above 0 and below 1.
    rise, fall : float
        The ratios of the peak to the first rate, and of the first to the last rate, at least 1.

    References
    ----------
    Smith, Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning
    Rates", 2017, arXiv 1708.07120, where the rate rises and falls in straight lines. The half
    cosines and the defaults are PyTorch's.
    """

    learning_rate: float
    steps: int
    peak: float = 0.3
    rise: float = 25.0
    fall: float = 1e4

    def __post_init__(self) -> None:
        _validate(self, "learning_rate", exclusive=True)
        _validate_count(self, "steps")
        _validate(self, "peak", exclusive=True)
        require_fraction("peak", self.peak)
        for option in ("rise", "fall"):
            _validate(self, option, minimum=1.0)

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        first, last = self.learning_rate / self.rise, self.learning_rate / self.rise / self.fall
        top, end = self.peak * self.steps - 1.0, self.steps - 1.0
        if step < top:
            return _half_cosine(first, self.learning_rate, step / top)
        if step >= end:
            return last
        return _half_cosine(self.learning_rate, last, (step - top) / (end - top))


@dataclass(frozen=True)
class Warmup:
    """Linear warmup, followed by another schedule.

    Each of the first ``steps`` has the rate ``then(0) * (step + 1) / (steps + 1)``; after them
    comes ``then``, counted from its own step 0. The rate of the warmup is never zero.

    Parameters
    ----------
    steps : int
        The number of steps of the warmup.
    then : float or schedule
        The schedule after the warmup. To end with the training, it must have ``steps`` steps less
        than the training.

    References
    ----------
    Goyal and others, "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017, arXiv
    1706.02677.
    """

    steps: int
    then: Schedule

    def __init__(self, steps: int, then: float | Schedule) -> None:
        object.__setattr__(self, "steps", require_count("steps", steps))
        object.__setattr__(self, "then", schedule(then))

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        if step < self.steps:
            return self.then(0) * (step + 1) / (self.steps + 1)
        return self.then(step - self.steps)


DECAY = 1e-3
"""The decay of the schedule named ``inverse-time``."""

SCHEDULES: Mapping[str, Callable[[float, int], Schedule]] = {
    "constant": lambda rate, _: Constant(rate),
    "inverse-time": lambda rate, _: InverseTimeDecay(rate, DECAY),
    "step": lambda rate, steps: StepDecay(rate, every=-(-steps // 3)),
    "exponential": lambda rate, steps: ExponentialDecay(rate, 0.01 ** (1.0 / steps)),
    "linear": LinearDecay,
    "cosine": CosineDecay,
    "one-cycle": OneCycle,
}
"""Schedules by name, as functions of a learning rate and the number of steps of a training.

``step`` multiplies the rate by 0.1 after each third, ``exponential`` decays to a hundredth.
"""


def named_schedule(name: str, learning_rate: float, steps: int) -> Schedule:
    """Return one of `SCHEDULES` for a training.

    Parameters
    ----------
    name : str
    learning_rate : float
        The largest rate.
    steps : int
        The number of steps of the training.

    Raises
    ------
    ConfigurationError
        If the name is unknown, or a value is out of range.
    """
    require_known("schedule", name, SCHEDULES)
    return SCHEDULES[name](learning_rate, require_count("steps", steps))


def schedule(value: float | Schedule) -> Schedule:
    """Return a schedule from a constant learning rate, or a schedule itself.

    Raises
    ------
    ConfigurationError
        If the value is a class, or neither callable nor a number above zero.
    """
    refuse_class("learning_rate", value)
    return value if callable(value) else Constant(value)


def planned_steps(schedule: object) -> int | None:
    """Return the number of steps of a schedule, or None if it has no fixed number.

    A custom schedule may have an attribute ``steps``.
    """
    if isinstance(schedule, Warmup):
        then = planned_steps(schedule.then)
        return None if then is None else schedule.steps + then
    steps: Any = getattr(schedule, "steps", None)
    return int(steps) if hasattr(steps, "__index__") else None


def rates_from(schedule: Schedule, first: int, count: int) -> list[float]:
    """Return the rates of consecutive steps, up to the first step for which the schedule fails.

    Parameters
    ----------
    schedule : callable
    first : int
        The first step, counted from 0.
    count : int
        The largest number of rates.

    Raises
    ------
    ConfigurationError
        If the rate of the first step is invalid. An error raised by the schedule at the first step
        is passed on.
    """
    rates: list[float] = []
    for step in range(first, first + count):
        try:
            rates.append(_checked_rate(schedule(step), step))
        except Exception:
            if not rates:
                raise
            break  # the steps before it are trained first
    return rates


def _checked_rate(rate: object, step: int) -> float:
    if not isinstance(rate, Real) or not math.isfinite(rate) or float(rate) < 0.0:
        raise ConfigurationError(
            f"the learning rate of the schedule at step {step} must be a finite number of at "
            f"least 0, got {rate!r}"
        )
    return float(rate)


def _half_cosine(start: float, end: float, fraction: float) -> float:
    """Return the rate at a fraction, from 0 to 1, of a half cosine from start to end."""
    return end + (start - end) * (1.0 + math.cos(math.pi * fraction)) / 2.0


def _validate(
    made: object,
    option: str,
    *,
    minimum: float = 0.0,
    maximum: float | None = None,
    exclusive: bool = False,
) -> None:
    value = require_number(
        option, getattr(made, option), minimum=minimum, maximum=maximum, exclusive=exclusive
    )
    object.__setattr__(made, option, value)


def _validate_count(made: object, option: str) -> None:
    object.__setattr__(made, option, require_count(option, getattr(made, option)))
