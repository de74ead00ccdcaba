"""The optimizer and the learning rate of an estimator, as scikit-learn defines them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from handloom.estimators.convergence import Pace
from handloom.operations import AdamUpdate, Update
from handloom.optimizers import SGD, Adam, Optimizer
from handloom.optimizers.adam import adam_step
from handloom.parameters import Array
from handloom.schedules import Schedule


class UncorrectedAdam(Adam):
    """Adam with ``epsilon`` added to the root of the second moment without bias correction.

    One step, the ``t``-th, at learning rate ``r``::

        w <- w - r sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon)

    This is `handloom.Adam` with ``epsilon / sqrt(1 - beta2^t)``. Source: Kingma, Ba, "Adam: A
    Method for Stochastic Optimization", ICLR 2015, the end of section 2.
    """

    @property
    def definition(self) -> Callable[..., None]:
        """`handloom.optimizers.adam.adam_step`, with another epsilon for each step."""
        return adam_step

    def update(
        self, w: Array, dw: Array, state: Mapping[str, Array], rate: float, scratch: Array
    ) -> None:
        """Update one block of weights."""
        m, v = state["first_moment"], state["second_moment"]
        epsilon = self.epsilon / math.sqrt(1.0 - self.beta2**self.steps)
        self._step_function(w, dw, m, v, rate, self.beta1, self.beta2, epsilon, self.steps, scratch)

    def as_operation(self) -> Update:
        """Return the step as a record."""
        adam = AdamUpdate(self.beta1, self.beta2, self.epsilon, corrected=False)
        return Update(adam, self.weight_decay)


@dataclass(frozen=True)
class RateByEpoch:
    """A learning rate that depends on the rows seen in earlier epochs, not on the step.

    Parameters
    ----------
    initial : float
        The initial learning rate.
    power : float
        The exponent of ``initial / (t + 1)^power``, where ``t`` is the number of rows seen before
        the epoch; 0 for a constant rate.
    pace : Pace
        The rows seen, and the divisions by 5.
    adaptive : bool
        Whether the divisions apply.
    """

    initial: float
    power: float
    pace: Pace
    adaptive: bool = False

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        fallen = self.initial / (self.pace.rows_seen + 1) ** self.power
        return float(fallen / 5.0**self.pace.divisions if self.adaptive else fallen)


def optimizer_for(estimator: Any) -> Optimizer:
    """Return the optimizer that an estimator's parameters describe."""
    decay = float(estimator.weight_decay)
    if estimator.solver == "adam":
        return UncorrectedAdam(
            beta1=estimator.beta_1,
            beta2=estimator.beta_2,
            epsilon=estimator.epsilon,
            weight_decay=decay,
        )
    # SGD requires momentum < 1; scikit-learn allows 1, and the difference is a rounding error
    momentum = min(float(estimator.momentum), math.nextafter(1.0, 0.0))
    nesterov = bool(estimator.nesterovs_momentum) and momentum > 0.0
    return SGD(momentum=momentum, nesterov=nesterov, weight_decay=decay)


def rate_for(estimator: Any, pace: Pace) -> Schedule:
    """Return the learning rate that an estimator's parameters describe."""
    if callable(estimator.learning_rate):
        schedule: Schedule = estimator.learning_rate
        return schedule
    falls, adapts = (
        estimator.solver == "sgd" and estimator.learning_rate == name
        for name in ("invscaling", "adaptive")
    )
    power = float(estimator.power_t) if falls else 0.0
    return RateByEpoch(float(estimator.learning_rate_init), power, pace, adapts)
