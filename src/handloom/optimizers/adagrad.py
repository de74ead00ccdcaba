"""Adagrad: gradients over the root of the sum of all their squares."""

from collections.abc import Mapping

from handloom.errors import require_number
from handloom.optimizers.base import Optimizer
from handloom.parameters import Array


class Adagrad(Optimizer):
    """Adagrad: each weight steps by its gradient over the root of all its squared gradients.

    One step at learning rate ``r``::

        s <- s + dw^2
        w <- w - r dw / (sqrt(s) + epsilon)

    Parameters
    ----------
    epsilon : float
        Added to the root, so that it never divides by zero.
    weight_decay : float
        See `Optimizer`.

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
    moments = ("squares",)

    def __init__(self, epsilon: float = 1e-7, *, weight_decay: float = 0.0) -> None:
        super().__init__(weight_decay=weight_decay)
        self.epsilon = require_number("epsilon", epsilon, minimum=0.0, exclusive=True)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {"epsilon": self.epsilon, "weight_decay": self.weight_decay}

    def _update(
        self, w: Array, dw: Array, state: Mapping[str, Array], rate: float, scratch: Array
    ) -> None:
        self.kernels.scaled_descent(
            w, dw, state["squares"], rate, 1.0, 1.0, self.epsilon, self.steps, scratch
        )
