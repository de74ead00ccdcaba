"""Schedules: the learning rate as a function of the step, counted from 0."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from handloom.errors import (
    ConfigurationError,
    require_count,
    require_fraction,
    require_known,
    require_number,
)

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


@dataclass(frozen=True)
class StepDecay:
    """A rate that falls in steps, ``learning_rate * factor^(step // every)``.

    Parameters
    ----------
    learning_rate : float
        The rate of the first step.
    every : int
        How many training steps a rate lasts.
    factor : float
        What it is multiplied by then, above 0 and at most 1.
    """

    learning_rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        _keep(self, "learning_rate", exclusive=True)
        _keep(self, "factor", exclusive=True, maximum=1.0)
        _keep_count(self, "every")

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.learning_rate * float(self.factor ** (step // self.every))


@dataclass(frozen=True)
class ExponentialDecay:
    """A rate that falls by the same factor every step, ``learning_rate * factor^step``.

    Parameters
    ----------
    learning_rate : float
        The rate of the first step.
    factor : float
        Above 0 and at most 1.
    """

    learning_rate: float
    factor: float

    def __post_init__(self) -> None:
        _keep(self, "learning_rate", exclusive=True)
        _keep(self, "factor", exclusive=True, maximum=1.0)

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.learning_rate * float(self.factor**step)


@dataclass(frozen=True)
class LinearDecay:
    """A rate that falls to zero along a line, ``learning_rate * (1 - step / steps)``.

    Parameters
    ----------
    learning_rate : float
        The rate of the first step.
    steps : int
        How many steps there are; the one after the last would have a rate of zero.
    """

    learning_rate: float
    steps: int

    def __post_init__(self) -> None:
        _keep(self, "learning_rate", exclusive=True)
        _keep_count(self, "steps")

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.learning_rate * max(0.0, 1.0 - step / self.steps)


@dataclass(frozen=True)
class CosineDecay:
    """A rate that falls along half a cosine: slowly, then quickly, then slowly.

    With ``t = min(step / steps, 1)``::

        final + (learning_rate - final) * (1 + cos(pi t)) / 2

    Parameters
    ----------
    learning_rate : float
        The rate of the first step.
    steps : int
        How many steps there are.
    final : float
        The rate after them, at most that of the first step.

    References
    ----------
    Loshchilov, Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017; here
    without restarts.
    """

    learning_rate: float
    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        _keep(self, "learning_rate", exclusive=True)
        _keep(self, "final", maximum=self.learning_rate)
        _keep_count(self, "steps")

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return _half_cosine(self.learning_rate, self.final, min(step / self.steps, 1.0))


@dataclass(frozen=True)
class OneCycle:
    """A rate that rises to its peak and falls to almost nothing, along half a cosine each.

    It begins at ``learning_rate / rise``, is at its peak after the fraction ``peak`` of all steps,
    and ends at ``learning_rate / (rise fall)`` in the last one.

    Parameters
    ----------
    learning_rate : float
        The rate at the peak.
    steps : int
        How many steps there are; the last rate stays from there on.
    peak : float
        Where the peak is, a fraction of the steps above 0 and below 1.
    rise, fall : float
        By how much the rate grows to the peak, and by how much the last is smaller than the first.

    References
    ----------
    Smith, Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning
    Rates", 2018. The defaults are PyTorch's.
    """

    learning_rate: float
    steps: int
    peak: float = 0.3
    rise: float = 25.0
    fall: float = 1e4

    def __post_init__(self) -> None:
        _keep(self, "learning_rate", exclusive=True)
        _keep_count(self, "steps")
        _keep(self, "peak", exclusive=True)
        require_fraction("peak", self.peak)
        for option in ("rise", "fall"):
            _keep(self, option, minimum=1.0)

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
    """A rise along a line, in front of any schedule.

    Step ``t`` of the first ``steps`` has ``then(0) * (t + 1) / (steps + 1)``; what follows is
    ``then``, counted from its own 0. So the rate is never zero and never twice the same.

    Parameters
    ----------
    steps : int
        How many steps the rise takes.
    then : float or schedule
        What follows. If it is meant to end with the training, it has that many steps fewer.

    References
    ----------
    Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017.
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
"""Of inverse-time decay, where nobody says."""

SCHEDULES: Mapping[str, Callable[[float, int], Schedule]] = {
    "constant": lambda rate, _: Constant(rate),
    "inverse-time": lambda rate, _: InverseTimeDecay(rate, DECAY),
    "step": lambda rate, steps: StepDecay(rate, every=-(-steps // 3)),
    "exponential": lambda rate, steps: ExponentialDecay(rate, 0.01 ** (1.0 / steps)),
    "linear": LinearDecay,
    "cosine": CosineDecay,
    "one-cycle": OneCycle,
}
"""Schedules by name, for a rate and a number of steps that are then over.

``step`` takes a tenth of the rate after each third, ``exponential`` comes down to a hundredth.
"""


def named_schedule(name: str, learning_rate: float, steps: int) -> Schedule:
    """Return one of `SCHEDULES` for a training.

    Parameters
    ----------
    name : str
    learning_rate : float
        The largest rate.
    steps : int
        How many steps the training has.

    Raises
    ------
    ConfigurationError
        If there is no such schedule, or a number means nothing.
    """
    require_known("schedule", name, SCHEDULES)
    return SCHEDULES[name](learning_rate, require_count("steps", steps))


def schedule(value: float | Schedule) -> Schedule:
    """Return a schedule from a number, which stays constant, or from itself.

    Raises
    ------
    ConfigurationError
        If it is neither a function nor a number above zero.
    """
    return value if callable(value) else Constant(value)


def planned_steps(schedule: object) -> int | None:
    """Return the number of steps that a schedule is made for; None where any number will do.

    A schedule of one's own says so with an attribute ``steps``.
    """
    if isinstance(schedule, Warmup):
        then = planned_steps(schedule.then)
        return None if then is None else schedule.steps + then
    steps: Any = getattr(schedule, "steps", None)
    return int(steps) if hasattr(steps, "__index__") else None


def rates_from(schedule: Schedule, first: int, count: int) -> list[float]:
    """Return the rates of consecutive steps, up to one that the schedule does not give.

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
        If it gives no rate for the first of them; an error of the schedule's own, likewise.
    """
    rates: list[float] = []
    for step in range(first, first + count):
        try:
            rates.append(_checked_rate(schedule(step), step))
        except Exception:
            if not rates:
                raise
            break  # the steps before it are made first
    return rates


def _checked_rate(rate: object, step: int) -> float:
    if not isinstance(rate, Real) or not math.isfinite(rate) or float(rate) < 0.0:
        raise ConfigurationError(
            f"the schedule gives a learning rate of {rate!r} at step {step}, "
            "and it must be a finite number of at least 0"
        )
    return float(rate)


def _half_cosine(start: float, end: float, t: float) -> float:
    """Return the rate at ``t``, 0 to 1, of a way from start to end."""
    return end + (start - end) * (1.0 + math.cos(math.pi * t)) / 2.0


def _keep(
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


def _keep_count(made: object, option: str) -> None:
    object.__setattr__(made, option, require_count(option, getattr(made, option)))
