"""SGD: stochastic gradient descent, with momentum or Nesterov momentum."""

from collections.abc import Callable, Mapping

import numpy as np

from handloom.errors import ConfigurationError, require_bool, require_fraction
from handloom.operations import SGDUpdate, Update
from handloom.optimizers.base import Optimizer
from handloom.optimizers.moving_average import flush_to_zero
from handloom.parameters import Array


def sgd_step(w: Array, dw: Array, rate: float, scratch: Array) -> None:
    """Make a step of SGD on one block of weights, ``w <- w - rate dw``; all of shape (size,)."""
    np.multiply(dw, rate, out=scratch)
    w -= scratch


def momentum_step(
    w: Array,
    dw: Array,
    u: Array,
    rate: float,
    momentum: float,
    nesterov: bool,
    step: int,
    scratch: Array,
) -> None:
    """Make a step with momentum on one block of weights, in place; see `SGD`.

    Parameters
    ----------
    w, dw, u : array, shape (size,)
        Weights, their gradient, which is only read, and the velocity.
    rate, momentum : float
    nesterov : bool
    step : int
        Counted from 1.
    scratch : array, shape (size,)
        Memory for intermediate results.
    """
    gradient_step = np.multiply(dw, -rate, out=scratch)
    u *= momentum
    u += gradient_step
    flush_to_zero(u, step)
    if nesterov:
        w += gradient_step
        np.multiply(u, momentum, out=scratch)
        w += scratch
    else:
        w += u


class SGD(Optimizer):
    """Stochastic gradient descent (SGD), optionally with momentum or Nesterov momentum.

    One step, at learning rate ``r``::

        w <- w - r dw                             without momentum
        u <- mu u - r dw;  w <- w + u             momentum mu
        u <- mu u - r dw;  w <- w + mu u - r dw   Nesterov momentum

    The velocity ``u`` contains the rate, so a change of rate takes effect gradually.

    Parameters
    ----------
    momentum : float
        The fraction ``mu`` of the velocity that is kept, at least 0 and below 1.
    nesterov : bool
        Whether to use Nesterov momentum; needs a momentum above 0.
    weight_decay, proximal_l1 : float
        See `Optimizer`.

    Raises
    ------
    ConfigurationError
        If momentum is out of range, or 0 with ``nesterov=True``, or set later on an optimizer that
        was made without it.

    References
    ----------
    Polyak, "Some methods of speeding up the convergence of iteration methods", USSR Computational
    Mathematics and Mathematical Physics 4, 1964; Sutskever, Martens, Dahl, Hinton, "On the
    importance of initialization and momentum in deep learning", ICML 2013, on Nesterov momentum.
    """

    kind = "sgd"

    def __init__(
        self,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        proximal_l1: float = 0.0,
    ) -> None:
        super().__init__(weight_decay=weight_decay, proximal_l1=proximal_l1)
        self._momentum = require_fraction("momentum", momentum)
        self.nesterov = require_bool("nesterov", nesterov)
        if nesterov and not momentum:
            raise ConfigurationError("momentum must be above 0 with nesterov=True, got 0")
        if momentum:
            self.state_names = ("velocity",)

    @property
    def momentum(self) -> float:
        """The fraction of the velocity that is kept; 0 without a velocity.

        An optimizer that was made with a momentum has a velocity, and another fraction may be set
        between two steps.
        """
        return self._momentum

    @momentum.setter
    def momentum(self, momentum: float) -> None:
        if momentum and not self.state_names:
            raise ConfigurationError(
                f"sgd: momentum cannot be changed from 0 to {momentum!r}, since an optimizer made "
                f"without momentum has no velocity: make a new one, SGD(momentum={momentum!r})"
            )
        self._momentum = require_fraction("momentum", momentum)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {
            "momentum": self.momentum,
            "nesterov": self.nesterov,
            "weight_decay": self.weight_decay,
            "proximal_l1": self.proximal_l1,
        }

    @property
    def step_definition(self) -> Callable[..., None]:
        """`momentum_step` where there is momentum, else `sgd_step`."""
        return momentum_step if self.state_names else sgd_step

    def update(
        self, w: Array, dw: Array, state: Mapping[str, Array], rate: float, scratch: Array
    ) -> None:
        """Update one block."""
        if self.state_names:
            options = self.momentum, self.nesterov, self.steps
            self._step_function(w, dw, state["velocity"], rate, *options, scratch)
        else:
            self._step_function(w, dw, rate, scratch)

    def as_operation(self) -> Update:
        """Return the step as a record."""
        sgd = SGDUpdate(self.momentum, self.nesterov)
        return Update(sgd, self.weight_decay, self.proximal_l1)
