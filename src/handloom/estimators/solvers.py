"""The optimizer and the learning rate of an estimator, as scikit-learn defines them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from handloom.estimators.convergence import RateState
from handloom.estimators.fit_records import FitOptions
from handloom.operations import AdamUpdate, Update
from handloom.optimizers import SGD, Adam, Optimizer
from handloom.optimizers.adam import adam_step
from handloom.parameters import Array
from handloom.schedules import Schedule


class EpsilonHatAdam(Adam):
    """Adam as scikit-learn computes it: ``epsilon`` is the "epsilon hat" of the paper.

    It is added to the root of the second moment before bias correction, instead of after it.

    For ``step`` counted from 1, at learning rate ``r``::

        w <- w - r sqrt(1 - beta2^step) / (1 - beta1^step) m / (sqrt(v) + epsilon)

    This is `handloom.Adam` with ``epsilon / sqrt(1 - beta2^step)``. Source: Kingma, Ba, "Adam: A
    Method for Stochastic Optimization", ICLR 2015, section 2, the last sentence before 2.1.
    """

    @property
    def step_definition(self) -> Callable[..., None]:
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
        return Update(adam, self.weight_decay, self.proximal_l1)


@dataclass(frozen=True)
class ScikitLearnRate:
    """The learning rate of a name: ``"constant"``, ``"invscaling"`` or ``"adaptive"``.

    It depends on the rows seen in earlier epochs, not on the step.

    Parameters
    ----------
    initial : float
        The initial learning rate.
    power : float
        The exponent of ``initial / (t + 1)^power``, where ``t`` is the number of rows seen before
        the epoch; 0 for a constant rate.
    rate_state : RateState
        The rows seen, and the divisions by 5.
    adaptive : bool
        Whether the divisions apply.
    """

    initial: float
    power: float
    rate_state: RateState
    adaptive: bool = False

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        fallen = self.initial / (self.rate_state.rows_seen + 1) ** self.power
        return float(fallen / 5.0**self.rate_state.divisions if self.adaptive else fallen)


def optimizer_for(options: FitOptions) -> Optimizer:
    """Return the optimizer of a fit."""
    decay, proximal_l1 = float(options.weight_decay), float(options.proximal_l1)
    if options.solver == "adam":
        return EpsilonHatAdam(
            beta1=options.beta_1,
            beta2=options.beta_2,
            epsilon=options.epsilon,
            weight_decay=decay,
            proximal_l1=proximal_l1,
        )
    # SGD requires momentum < 1; scikit-learn allows 1, and the difference is a rounding error
    momentum = min(float(options.momentum), math.nextafter(1.0, 0.0))
    nesterov = bool(options.nesterovs_momentum) and momentum > 0.0
    return SGD(momentum=momentum, nesterov=nesterov, weight_decay=decay, proximal_l1=proximal_l1)


def rate_for(options: FitOptions, rate_state: RateState) -> Schedule:
    """Return the learning rate of a fit, as a function of the step."""
    if callable(options.learning_rate):
        return options.learning_rate
    is_invscaling, is_adaptive = (
        options.solver == "sgd" and options.learning_rate == name
        for name in ("invscaling", "adaptive")
    )
    power = float(options.power_t) if is_invscaling else 0.0
    return ScikitLearnRate(float(options.learning_rate_init), power, rate_state, is_adaptive)
