"""Adagrad: gradients divided by the root of the sum of all squared gradients."""

from collections.abc import Callable, Mapping

import numpy as np

from handloom.operations import AdaptiveUpdate, Update
from handloom.optimizers.base import Optimizer
from handloom.optimizers.moving_average import flush_to_zero, require_epsilon
from handloom.parameters import Array


def adagrad_step(
    w: Array, dw: Array, v: Array, rate: float, epsilon: float, step: int, scratch: Array
) -> None:
    """Make a step of Adagrad on one block of weights, in place; see `Adagrad`.

    Parameters
    ----------
    w, dw, v : array, shape (size,)
        Weights, their gradient, which is only read, and the sum of its squares.
    rate, epsilon : float
    step : int
        Counted from 1.
    scratch : array, shape (size,)
        Memory for intermediate results.
    """
    np.square(dw, out=scratch)
    v += scratch
    flush_to_zero(v, step)

    np.sqrt(v, out=scratch)
    scratch += epsilon
    np.divide(dw, scratch, out=scratch)
    scratch *= rate
    w -= scratch


class Adagrad(Optimizer):
    """Adagrad: gradients divided by the root of the sum of all squared gradients.

    One step at learning rate ``r``::

        v <- v + dw^2
        w <- w - r dw / (sqrt(v) + epsilon)

    Parameters
    ----------
    epsilon : float
        Added to the root for numerical stability, at least 1e-12.
    weight_decay, proximal_l1 : float
        See `Optimizer`. Neither is divided by the root, which grows: at a constant rate they
        outweigh the gradient in the end, and the weights that they apply to go to 0.

    Raises
    ------
    ConfigurationError
        If a parameter is out of range.

    References
    ----------
    Duchi, Hazan, Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization", JMLR 12, 2011.
    """

    kind = "adagrad"
    state_names = ("squares",)

    def __init__(
        self, *, epsilon: float = 1e-7, weight_decay: float = 0.0, proximal_l1: float = 0.0
    ) -> None:
        super().__init__(weight_decay=weight_decay, proximal_l1=proximal_l1)
        self.epsilon = require_epsilon(epsilon)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {
            "epsilon": self.epsilon,
            "weight_decay": self.weight_decay,
            "proximal_l1": self.proximal_l1,
        }

    @property
    def step_definition(self) -> Callable[..., None]:
        """`adagrad_step`."""
        return adagrad_step

    def update(
        self, w: Array, dw: Array, state: Mapping[str, Array], rate: float, scratch: Array
    ) -> None:
        """Update one block by `adagrad_step`."""
        self._step_function(w, dw, state["squares"], rate, self.epsilon, self.steps, scratch)

    def as_operation(self) -> Update:
        """Return the step as a record."""
        adagrad = AdaptiveUpdate(1.0, 1.0, self.epsilon)
        return Update(adagrad, self.weight_decay, self.proximal_l1)
