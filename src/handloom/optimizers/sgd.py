"""Gradient descent, plain and with momentum."""

from collections.abc import Mapping

from handloom.errors import ConfigurationError, require_fraction
from handloom.optimizers.base import Optimizer
from handloom.parameters import Array


class SGD(Optimizer):
    """Stochastic gradient descent, plain, with momentum, or with Nesterov's momentum.

    One step, at learning rate ``r``::

        w <- w - r dw                           plain
        u <- m u - r dw;  w <- w + u            momentum m
        u <- m u - r dw;  w <- w + m u - r dw   Nesterov

    The rate is inside the velocity ``u``, so a change of rate acts on it gradually.

    Parameters
    ----------
    momentum : float
        The fraction ``m`` of the velocity that is kept, at least 0 and below 1.
    nesterov : bool
        Whether to look ahead along the velocity; needs a momentum.
    weight_decay : float
        See `Optimizer`.

    Raises
    ------
    ConfigurationError
        If momentum is out of range, or Nesterov's form is asked for without it.

    References
    ----------
    Sutskever, Martens, Dahl, Hinton, "On the importance of initialization and momentum in deep
    learning", ICML 2013.
    """

    kind = "sgd"

    def __init__(
        self, momentum: float = 0.0, *, nesterov: bool = False, weight_decay: float = 0.0
    ) -> None:
        super().__init__(weight_decay=weight_decay)
        self.momentum = require_fraction("momentum", momentum)
        self.nesterov = nesterov
        if nesterov and not momentum:
            raise ConfigurationError("nesterov needs a momentum above 0")
        if momentum:
            self.moments = ("velocity",)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {
            "momentum": self.momentum,
            "nesterov": self.nesterov,
            "weight_decay": self.weight_decay,
        }

    def _update(
        self, w: Array, dw: Array, state: Mapping[str, Array], rate: float, scratch: Array
    ) -> None:
        if self.momentum:
            self.kernels.momentum(
                w,
                dw,
                state["velocity"],
                rate,
                self.momentum,
                self.nesterov,
                self.steps,
                scratch,
            )
        else:
            self.kernels.descend(w, dw, rate, scratch)
