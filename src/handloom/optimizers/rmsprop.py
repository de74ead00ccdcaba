"""RMSprop: gradients over the root of their recent mean square."""

from collections.abc import Mapping

from handloom.errors import require_fraction, require_number
from handloom.optimizers.base import Optimizer
from handloom.parameters import Array


class RMSprop(Optimizer):
    """RMSprop: each weight steps by its gradient over the root of its mean squared gradient.

    One step at learning rate ``r``::

        v <- rho v + (1 - rho) dw^2
        w <- w - r dw / (sqrt(v) + epsilon)

    Parameters
    ----------
    rho : float
        How much of the mean is kept, at least 0 and below 1.
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
    Tieleman, Hinton, "Lecture 6.5 - rmsprop: Divide the gradient by a running average of its
    recent magnitude", Coursera: Neural Networks for Machine Learning, 2012.
    """

    kind = "rmsprop"
    moments = ("second_moment",)

    def __init__(
        self, rho: float = 0.9, epsilon: float = 1e-7, *, weight_decay: float = 0.0
    ) -> None:
        super().__init__(weight_decay=weight_decay)
        self.rho = require_fraction("rho", rho)
        self.epsilon = require_number("epsilon", epsilon, minimum=0.0, exclusive=True)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {"rho": self.rho, "epsilon": self.epsilon, "weight_decay": self.weight_decay}

    def _update(
        self, w: Array, dw: Array, state: Mapping[str, Array], rate: float, scratch: Array
    ) -> None:
        self.kernels.scaled_descent(
            w,
            dw,
            state["second_moment"],
            rate,
            self.rho,
            1.0 - self.rho,
            self.epsilon,
            self.steps,
            scratch,
        )
