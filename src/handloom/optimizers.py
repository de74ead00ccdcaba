"""Optimizers: update rules on the flat vector of weights, in place.

An optimizer is bound to parameters, owns its state, and makes one update a step. Its inner loop is
in `handloom.kernels`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import ClassVar, Self

import numpy as np

from handloom.errors import (
    ConfigurationError,
    ModelError,
    require_count,
    require_fraction,
    require_number,
    unknown_name,
)
from handloom.kernels import LANES, NUMPY, Kernels, cut_evenly
from handloom.parameters import Array, Parameters

SHARED_FROM_WEIGHTS = 1 << 18
"""How many weights there must be for threads to share their update."""


class Optimizer(ABC):
    """An update rule and its state.

    Attributes
    ----------
    steps : int
        How many updates have been made.
    state : dict of str to array, shape (size,)
        What the rule remembers of each weight.
    """

    kind: ClassVar[str]
    moments: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.steps = 0
        self.state: dict[str, Array] = {}
        self._parameters: Parameters | None = None
        self.kernels = NUMPY
        self._pieces: list[tuple[slice, Array]] = []

    def bind(self, parameters: Parameters, kernels: Kernels = NUMPY) -> Self:
        """Take the vectors to update and the kernels to do it with; start from a state of zeros."""
        self._parameters, self.kernels = parameters, kernels
        pieces = LANES if len(parameters) >= SHARED_FROM_WEIGHTS else 1
        self._pieces = [
            (piece, np.empty(kernels.block or 0, parameters.dtype))
            for piece in cut_evenly(len(parameters), pieces)
        ]
        self.state = {name: np.zeros_like(parameters.vector) for name in self.moments}
        self.steps = 0
        return self

    def step(self, learning_rate: float) -> None:
        """Update the weights once, from the gradients.

        Parameters
        ----------
        learning_rate : float
            The rate of this step.

        Raises
        ------
        ModelError
            If the optimizer is not bound.
        """
        if self._parameters is None:
            raise ModelError(f"{self.kind}: bind the optimizer to parameters before a step")
        self.steps += 1
        self.kernels.share(
            [
                partial(self._update_piece, self._parameters, piece, learning_rate, scratch)
                for piece, scratch in self._pieces
            ]
        )

    def _update_piece(
        self, parameters: Parameters, piece: slice, rate: float, scratch: Array
    ) -> None:
        """Update a run of weights, block by block."""
        size = self.kernels.block or piece.stop - piece.start
        for start in range(piece.start, piece.stop, max(size, 1)):
            block = slice(start, min(start + size, piece.stop))
            state = {name: moment[block] for name, moment in self.state.items()}
            w = parameters.vector[block]
            self._update(w, parameters.gradient[block], state, rate, scratch[: len(w)])

    @abstractmethod
    def _update(
        self, w: Array, dw: Array, state: Mapping[str, Array], rate: float, scratch: Array
    ) -> None:
        """Update one block of weights and state in place; ``dw`` is not written to."""

    @abstractmethod
    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""

    def state_dict(self) -> dict[str, object]:
        """Return copies of everything that the rule remembers, the number of steps included."""
        return {"steps": self.steps, **{name: value.copy() for name, value in self.state.items()}}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Take over what `state_dict` returned.

        Raises
        ------
        ModelError
            If something is missing, unknown or of another shape or dtype.
        """
        expected = {"steps", *self.state}
        if set(state) != expected:
            raise ModelError(
                f"{self.kind}: the state must hold {', '.join(sorted(expected))}, "
                f"got {', '.join(sorted(state))}"
            )
        for name, own in self.state.items():
            given = np.asarray(state[name])
            if given.shape != own.shape or given.dtype != own.dtype:
                raise ModelError(
                    f"{self.kind}: {name} must be {own.dtype} of shape {own.shape}, "
                    f"got {given.dtype} of shape {given.shape}"
                )
        for name, own in self.state.items():
            own[...] = np.asarray(state[name])
        self.steps = require_count("steps", state["steps"], minimum=0)


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

    def __init__(self, momentum: float = 0.0, *, nesterov: bool = False) -> None:
        super().__init__()
        self.momentum = require_fraction("momentum", momentum)
        self.nesterov = nesterov
        if nesterov and not momentum:
            raise ConfigurationError("nesterov needs a momentum above 0")
        if momentum:
            self.moments = ("velocity",)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {"momentum": self.momentum, "nesterov": self.nesterov}

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


class Adam(Optimizer):
    """Adam: each weight steps by its mean gradient over the root of its mean squared gradient.

    One step, the ``t``-th, at learning rate ``r``::

        m <- beta1 m + (1 - beta1) dw
        v <- beta2 v + (1 - beta2) dw^2
        w <- w - r (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)

    Parameters
    ----------
    beta1, beta2 : float
        How much of the two moments is kept, at least 0 and below 1.
    epsilon : float
        Added to the root, so that it never divides by zero.

    Raises
    ------
    ConfigurationError
        If a parameter is out of range.

    References
    ----------
    Kingma, Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.
    """

    kind = "adam"
    moments = ("first_moment", "second_moment")

    def __init__(self, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-7) -> None:
        super().__init__()
        self.beta1 = require_fraction("beta1", beta1)
        self.beta2 = require_fraction("beta2", beta2)
        self.epsilon = require_number("epsilon", epsilon, minimum=0.0, exclusive=True)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {"beta1": self.beta1, "beta2": self.beta2, "epsilon": self.epsilon}

    def _update(
        self, w: Array, dw: Array, state: Mapping[str, Array], rate: float, scratch: Array
    ) -> None:
        self.kernels.adam(
            w,
            dw,
            state["first_moment"],
            state["second_moment"],
            rate,
            self.beta1,
            self.beta2,
            self.epsilon,
            self.steps,
            scratch,
        )


OPTIMIZERS: dict[str, type[Optimizer]] = {rule.kind: rule for rule in (SGD, Adam)}


def optimizer(name: str, **options: object) -> Optimizer:
    """Return an optimizer by its name.

    Raises
    ------
    ConfigurationError
        If the name or an option is unknown.
    """
    if name not in OPTIMIZERS:
        raise ConfigurationError(unknown_name("optimizer", name, OPTIMIZERS))
    try:
        return OPTIMIZERS[name](**options)
    except TypeError as error:
        raise ConfigurationError(f"optimizer {name!r}: {error}") from None
