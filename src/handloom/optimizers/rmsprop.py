"""RMSprop: gradients divided by the root of a moving average of their squares."""

from collections.abc import Callable, Mapping

import numpy as np

from handloom.errors import require_fraction
from handloom.operations import AdaptiveUpdate, Update
from handloom.optimizers.base import Optimizer
from handloom.optimizers.moving_average import flush_to_zero, require_epsilon
from handloom.parameters import Array


def rmsprop_step(
    w: Array,
    dw: Array,
    v: Array,
    rate: float,
    rho: float,
    epsilon: float,
    step: int,
    scratch: Array,
) -> None:
    """Make a step of RMSprop on one block of weights, in place; see `RMSprop`.

    Parameters
    ----------
    w, dw, v : array, shape (size,)
        Weights, their gradient, which is only read, and the moving average of its square.
    rate, rho, epsilon : float
    step : int
        Counted from 1.
    scratch : array, shape (size,)
        Memory for intermediate results.
    """
    v *= rho
    np.square(dw, out=scratch)
    scratch *= 1.0 - rho
    v += scratch
    flush_to_zero(v, step)

    np.sqrt(v, out=scratch)
    scratch += epsilon
    np.divide(dw, scratch, out=scratch)
    scratch *= rate
    w -= scratch


class RMSprop(Optimizer):
    """RMSprop: gradients divided by the root of a moving average of their squares.

    One step at learning rate ``r``::

        v <- rho v + (1 - rho) dw^2
        w <- w - r dw / (sqrt(v) + epsilon)

    Parameters
    ----------
    rho : float
        The decay of the moving average, at least 0 and below 1.
    epsilon : float
        Added to the root for numerical stability, at least 1e-12.
    weight_decay, proximal_l1 : float
        See `Optimizer`.

    Raises
    ------
    ConfigurationError
        If a parameter is out of range.

    References
    ----------
    Tieleman, Hinton, "Lecture 6.5 - rmsprop: Divide the gradient by a running average of its
    recent magnitude", Coursera: Neural Networks for Machine Learning, 2012.
    """

    kind = "rmsprop"
    state_names = ("second_moment",)

    def __init__(
        self,
        *,
        rho: float = 0.9,
        epsilon: float = 1e-7,
        weight_decay: float = 0.0,
        proximal_l1: float = 0.0,
    ) -> None:
        super().__init__(weight_decay=weight_decay, proximal_l1=proximal_l1)
        self.rho = require_fraction("rho", rho)
        self.epsilon = require_epsilon(epsilon)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {
            "rho": self.rho,
            "epsilon": self.epsilon,
            "weight_decay": self.weight_decay,
            "proximal_l1": self.proximal_l1,
        }

    @property
    def step_definition(self) -> Callable[..., None]:
        """`rmsprop_step`."""
        return rmsprop_step

    def update(
        self, w: Array, dw: Array, state: Mapping[str, Array], rate: float, scratch: Array
    ) -> None:
        """Update one block by `rmsprop_step`."""
        v = state["second_moment"]
        self._step_function(w, dw, v, rate, self.rho, self.epsilon, self.steps, scratch)

    def as_operation(self) -> Update:
        """Return the step as a record."""
        rmsprop = AdaptiveUpdate(self.rho, 1.0 - self.rho, self.epsilon)
        return Update(rmsprop, self.weight_decay, self.proximal_l1)
