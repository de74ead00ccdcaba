"""Muon: the direction of a matrix's momentum, with all singular values made alike."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np

from handloom.errors import (
    ConfigurationError,
    ModelError,
    require_count,
    require_fraction,
    require_number,
    unknown_name,
)
from handloom.kernels import NUMPY, SHARED_FROM, Kernels, cut_for_update
from handloom.optimizers.base import Optimizer
from handloom.parameters import Array, Parameters, length

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the polynomial that is applied to the singular values, chosen by Jordan to be steep at 0."""


class Muon(Optimizer):
    """Muon: momentum for matrices, made orthogonal; AdamW for everything else.

    One step at learning rate ``r``, for a matrix of ``d`` inputs and ``h`` outputs::

        m <- mu m + (1 - mu) dw
        g  = mu m + (1 - mu) dw                 Nesterov's form; m itself without it
        w <- w - r sqrt(max(1, h / d)) orthogonal(g)

    where ``orthogonal(U S V^T)`` is about ``U V^T``; see `orthogonalize`. A kernel of shape
    ``(k, k, c, f)`` is taken for the matrix of ``k k c`` inputs and ``f`` outputs that it is.
    Biases and gains step as `handloom.AdamW` has them, at a rate of their own, ``adam_rate r``.

    Parameters
    ----------
    momentum : float
        The fraction ``mu`` of the momentum that is kept, at least 0 and below 1.
    nesterov : bool
        Whether to look ahead along the momentum; needs one.
    iterations : int
        How many steps of Newton and Schulz make a matrix orthogonal.
    adam_rate : float
        The rate of everything that is no matrix, as a multiple of the matrices' rate.
    adam_for : sequence of str
        Layers, arrays or kinds of layers, as ``"4.dense"`` or ``"dense"``, whose matrices are left
        to AdamW too. Jordan advises it for the layer that gives the logits.
    beta1, beta2, epsilon : float
        Of AdamW.
    weight_decay : float
        See `Optimizer`.

    Raises
    ------
    ConfigurationError
        If a parameter is out of range.

    References
    ----------
    Jordan, Jin, Boza, You, Cesista, Newhouse, Bernstein, "Muon: An optimizer for hidden layers in
    neural networks", https://kellerjordan.github.io/posts/muon/, 2024, for the rule and, with the
    code at https://github.com/KellerJordan/Muon, for all defaults.
    """

    kind = "muon"
    moments = ("first_moment", "second_moment")

    def __init__(
        self,
        momentum: float = 0.95,
        *,
        nesterov: bool = True,
        iterations: int = 5,
        adam_rate: float = 0.015,
        adam_for: Sequence[str] = (),
        beta1: float = 0.9,
        beta2: float = 0.95,
        epsilon: float = 1e-10,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(weight_decay=weight_decay)
        self.momentum = require_fraction("momentum", momentum)
        self.nesterov = nesterov
        if nesterov and not momentum:
            raise ConfigurationError("nesterov needs a momentum above 0")
        self.iterations = require_count("iterations", iterations)
        self.adam_rate = require_number("adam_rate", adam_rate, minimum=0.0, exclusive=True)
        if isinstance(adam_for, str):
            raise ConfigurationError(f"adam_for takes a sequence of names, got {adam_for!r}")
        self.adam_for = tuple(adam_for)
        self.beta1 = require_fraction("beta1", beta1)
        self.beta2 = require_fraction("beta2", beta2)
        self.epsilon = require_number("epsilon", epsilon, minimum=0.0, exclusive=True)
        self._matrices: list[_Matrix] = []

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {
            "momentum": self.momentum,
            "nesterov": self.nesterov,
            "iterations": self.iterations,
            "adam_rate": self.adam_rate,
            "adam_for": list(self.adam_for),
            "beta1": self.beta1,
            "beta2": self.beta2,
            "epsilon": self.epsilon,
            "weight_decay": self.weight_decay,
        }

    def bind(self, parameters: Parameters, kernels: Kernels = NUMPY) -> Self:
        """Take the vectors to update, and tell the matrices from the rest.

        Raises
        ------
        ModelError
            If ``adam_for`` names no layer or array of the network.
        """
        super().bind(parameters, kernels)
        for name in self.adam_for:
            if not any(_names(name, array) for array in parameters.specs):
                known = {array.rpartition(".")[0] for array in parameters.specs}
                raise ModelError(unknown_name("layer in adam_for", name, known - {""}))
        self._matrices, self._pieces = [], []
        for name, place in parameters.places().items():
            pieces = [
                slice(place.start + piece.start, place.start + piece.stop)
                for piece in cut_for_update(place.stop - place.start)
            ]
            spec = parameters.specs[name]
            if spec.is_matrix and not any(_names(given, name) for given in self.adam_for):
                self._matrices.append(_Matrix(place, pieces, spec.shape[-1]))
            else:
                self._pieces += [self._blocks(parameters, piece) for piece in pieces]
        self._matrices.sort(key=lambda matrix: -matrix.work)  # who comes last should be quick
        return self

    def step(self, learning_rate: float) -> None:
        """Update the weights once, from the gradients; see `Optimizer.step`."""
        super().step(learning_rate)
        shared = [matrix for matrix in self._matrices if matrix.work >= SHARED_FROM]
        for matrix in shared:  # each of its products
            self._step_matrix(matrix, learning_rate, self.kernels)
        alone = self.kernels.uncut()
        self.kernels.share(
            [
                partial(self._step_matrix, matrix, learning_rate, alone)
                for matrix in self._matrices[len(shared) :]
            ]
        )

    def _step_matrix(self, matrix: "_Matrix", rate: float, kernels: Kernels) -> None:
        parameters = self._parameters
        if parameters is None:
            raise ModelError(f"{self.kind}: bind the optimizer to parameters before a step")
        dw, mean = parameters.gradient[matrix.place], self.state["first_moment"][matrix.place]
        kernels.share([partial(self._blend_piece, parameters, p) for p in matrix.pieces])
        ahead = self.momentum * mean + (1.0 - self.momentum) * dw if self.nesterov else mean
        direction = orthogonalize(ahead.reshape(-1, matrix.outputs), self.iterations, kernels)
        direction *= rate * spectral_scale(*direction.shape)
        parameters.vector[matrix.place] -= direction.reshape(-1)

    def _blend_piece(self, parameters: Parameters, piece: slice) -> None:
        """Move a run of a matrix's momentum."""
        scratch = np.empty(self.kernels.block or 0, parameters.dtype)
        for block in self.kernels.blocks(piece):
            mean = self.state["first_moment"][block]
            self.kernels.blend(
                mean,
                parameters.gradient[block],
                1.0 - self.momentum,
                self.steps,
                scratch[: len(mean)],
            )

    def _update(
        self, w: Array, dw: Array, state: Mapping[str, Array], rate: float, scratch: Array
    ) -> None:
        self.kernels.adam(
            w,
            dw,
            state["first_moment"],
            state["second_moment"],
            self.adam_rate * rate,
            self.beta1,
            self.beta2,
            self.epsilon,
            self.steps,
            scratch,
        )


@dataclass(frozen=True)
class _Matrix:
    """Where a matrix lies in the vector of weights, in which pieces, and its number of columns."""

    place: slice
    pieces: list[slice]
    outputs: int

    @property
    def work(self) -> int:
        """How many multiplications its largest product has."""
        size = self.place.stop - self.place.start
        return int(size * min(self.outputs, size // self.outputs))


def orthogonalize(g: Array, iterations: int = 5, kernels: Kernels = NUMPY) -> Array:
    """Return a matrix with the singular vectors of ``g`` and singular values of about 1.

    With ``x = g / |g|`` to begin with, each iteration is::

        x <- a x + (b x x^T + c (x x^T)^2) x

    which leaves singular vectors as they are and takes each singular value ``s`` to
    ``a s + b s^3 + c s^5``. Jordan's `COEFFICIENTS` do not let them come to rest at 1: after five
    iterations they lie between 0.68 and 1.21 if they began above 0.002. An iteration multiplies
    some ``4 d^2 h + 2 d^3`` numbers, ``d`` being the smaller side.

    Parameters
    ----------
    g : array, shape (d, h)
        Never written to.
    iterations : int
        How often.
    kernels : Kernels
        Whose products to use.

    Returns
    -------
    array, shape (d, h)
        Zero where ``g`` is.
    """
    a, b, c = COEFFICIENTS
    tall = g.shape[0] > g.shape[1]
    x = g.T if tall else g  # the smaller side first, so that its products are small
    x = x / (length(x) or 1.0)  # no singular value is above 1 now
    gram: Array = np.empty((len(x), len(x)), g.dtype)
    square, product = np.empty_like(gram), np.empty_like(x)
    for _ in range(iterations):
        kernels.matmul(x, x.T, gram)
        kernels.matmul(gram, gram, square)
        square *= c
        gram *= b
        gram += square
        kernels.matmul(gram, x, product)
        x *= a
        x += product
    return x.T if tall else x


def spectral_scale(inputs: int, outputs: int) -> float:
    """Return ``sqrt(max(1, outputs / inputs))``: what makes one rate fit matrices of all shapes."""
    return math.sqrt(max(1.0, outputs / inputs))


def _names(given: str, array: str) -> bool:
    """Say whether a name is an array's, or that of a layer that it belongs to, or its kind."""
    named = array == given or array.startswith(f"{given}.")
    is_kind = given.isidentifier()  # places begin with a number
    return named or (is_kind and given in array.split(".")[:-1])
