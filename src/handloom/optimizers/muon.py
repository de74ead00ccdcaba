"""Muon: momentum of matrices, orthogonalized by Newton-Schulz iterations."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Self

import numpy as np

from handloom.backend import NUMPY, Backend
from handloom.errors import (
    ConfigurationError,
    ModelError,
    require_bool,
    require_count,
    require_fraction,
    require_number,
    unknown_name,
)
from handloom.optimizers.adam import adam_step
from handloom.optimizers.base import Optimizer
from handloom.optimizers.moving_average import lerp, require_epsilon
from handloom.parallel.partition import product_is_cut
from handloom.parallel.pool import SERIAL, Pool, matmul
from handloom.parameters import Array, Parameters, l2_norm

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""The Newton-Schulz polynomial of the singular values, chosen by Jordan to be steep at 0."""


class Muon(Optimizer):
    """Muon: orthogonalized momentum for matrices, AdamW for all other arrays.

    One step at learning rate ``r``, for a matrix of ``d`` inputs and ``h`` outputs::

        m <- mu m + (1 - mu) dw
        g  = mu m + (1 - mu) dw                 Nesterov's form; m itself without it
        w <- w - r sqrt(max(1, h / d)) orthogonal(g)

    where ``orthogonal(U S V^T)`` is about ``U V^T``; see `orthogonalize`. A kernel of shape
    ``(K, K, c, f)`` is treated as a matrix of ``K K c`` inputs and ``f`` outputs, in the factor
    too, which is 1 for every square kernel in Jordan's code. Biases, scales, shifts and embeddings
    are updated as by `handloom.AdamW`, at the rate ``adam_rate r``.

    Parameters
    ----------
    momentum : float
        The fraction ``mu`` of the momentum that is kept, at least 0 and below 1.
    nesterov : bool
        Whether to use Nesterov momentum; needs a momentum above 0.
    iterations : int
        The number of Newton-Schulz iterations.
    adam_rate : float
        The learning rate of AdamW, as a multiple of the matrices' rate.
    adam_for : sequence of str
        Layers, arrays or kinds of layers, as ``"4.dense"`` or ``"dense"``, whose matrices are
        updated by AdamW too. Jordan advises it for the layer that computes the logits.
    beta1, beta2, epsilon : float
        The parameters of AdamW; see `handloom.Adam`.
    weight_decay, proximal_l1 : float
        See `Optimizer`. Both take the rate ``r``, also for the matrices of ``adam_for``.

    Raises
    ------
    ConfigurationError
        If a parameter is out of range.

    References
    ----------
    Jordan, Jin, Boza, You, Cesista, Newhouse, Bernstein, "Muon: An optimizer for hidden layers in
    neural networks", https://kellerjordan.github.io/posts/muon/, 2024, for the optimizer and, with
    the code at https://github.com/KellerJordan/Muon, for all defaults.
    """

    kind = "muon"
    state_names = ("first_moment", "second_moment")

    def __init__(
        self,
        *,
        momentum: float = 0.95,
        nesterov: bool = True,
        iterations: int = 5,
        adam_rate: float = 0.015,
        adam_for: Sequence[str] = (),
        beta1: float = 0.9,
        beta2: float = 0.95,
        epsilon: float = 1e-10,
        weight_decay: float = 0.0,
        proximal_l1: float = 0.0,
    ) -> None:
        super().__init__(weight_decay=weight_decay, proximal_l1=proximal_l1)
        self.momentum = require_fraction("momentum", momentum)
        self.nesterov = require_bool("nesterov", nesterov)
        if nesterov and not momentum:
            raise ConfigurationError("momentum must be above 0 with nesterov=True, got 0")
        self.iterations = require_count("iterations", iterations)
        self.adam_rate = require_number("adam_rate", adam_rate, minimum=0.0, exclusive=True)
        self.adam_for = adam_for
        self.beta1 = require_fraction("beta1", beta1)
        self.beta2 = require_fraction("beta2", beta2)
        self.epsilon = require_epsilon(epsilon)
        self._matrices: list[_Matrix] = []

    @property
    def adam_for(self) -> tuple[str, ...]:
        """The layers, arrays or kinds of layers whose matrices are updated by AdamW too.

        They cannot be changed once `bind` has divided the arrays.
        """
        return self._adam_for

    @adam_for.setter
    def adam_for(self, names: Sequence[str]) -> None:
        if isinstance(names, str):
            raise ConfigurationError(f"adam_for must be a sequence of names, got {names!r}")
        names = tuple(names)
        if self._parameters is not None and names != self._adam_for:
            raise ConfigurationError(
                f"muon: adam_for cannot be changed, since the arrays of the network are divided "
                f"between Muon and AdamW: make a new optimizer, Muon(adam_for={[*names]!r})"
            )
        self._adam_for: tuple[str, ...] = names

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
            "proximal_l1": self.proximal_l1,
        }

    @property
    def step_definition(self) -> Callable[..., None]:
        """`handloom.optimizers.adam.adam_step`, for arrays that are not matrices."""
        return adam_step

    def bind(self, parameters: Parameters, backend: Backend = NUMPY, pool: Pool = SERIAL) -> Self:
        """Bind the optimizer, and divide the arrays between Muon and AdamW.

        Raises
        ------
        ModelError
            If a name in ``adam_for`` is unknown. The optimizer does not change.
        """
        for name in self.adam_for:  # first, since `bind` sets the state to zeros
            if not any(_names(name, array) for array in parameters.specs):
                known = {array.rpartition(".")[0] for array in parameters.specs}
                raise ModelError(unknown_name("layer in adam_for", name, known - {""}))
        super().bind(parameters, backend, pool)
        self._lerp, single_block = backend.version_of(lerp), backend.compiles(lerp)
        self._matrices, self._blocks_by_piece = [], []
        for name, span in parameters.slices().items():
            spec = parameters.specs[name]
            if spec.is_matrix and not any(_names(entry, name) for entry in self.adam_for):
                m, dw = self.state["first_moment"][span], parameters.gradient[span]
                pieces = pool.blocks_by_piece(m, dw, single_block=single_block)
                self._matrices.append(_Matrix(parameters.vector[span], m, dw, pieces, spec.shape))
            else:
                self._blocks_by_piece += self._cut_into_blocks(parameters, span)
        # largest first, so that threads end at about the same time
        self._matrices.sort(key=lambda matrix: -prod(matrix.product))
        return self

    def __getstate__(self) -> dict[str, object]:
        """Return the state of a copy or a pickle; see `Optimizer`."""
        return {**super().__getstate__(), "_matrices": [], "_lerp": None}

    def _update_all(self, learning_rate: float) -> None:
        """Update the arrays of AdamW, then the matrices."""
        super()._update_all(learning_rate)
        shared = [matrix for matrix in self._matrices if product_is_cut(*matrix.product)]
        for matrix in shared:  # threads share each of its products
            self._step_matrix(matrix, learning_rate, self._pool)
        self._pool.run(
            [
                partial(self._step_matrix, matrix, learning_rate, SERIAL)
                for matrix in self._matrices[len(shared) :]
            ]
        )

    def _step_matrix(self, matrix: "_Matrix", rate: float, pool: Pool) -> None:
        m, dw, mu = matrix.m, matrix.dw, self.momentum
        pool.run([partial(self._move_momentum, piece) for piece in matrix.pieces])
        ahead = mu * m + (1.0 - mu) * dw if self.nesterov else m
        rows = ahead.reshape(-1, matrix.shape[-1])
        # the pool of the step, which holds BLAS, also where `pool` is serial
        direction = self._pool.undisturbed(partial(orthogonalize, rows, self.iterations, pool))
        direction *= rate * spectral_scale(*direction.shape)
        np.subtract(matrix.w, direction.reshape(-1), out=matrix.w)

    def _move_momentum(self, piece: list[tuple[Array, ...]]) -> None:
        """Update a piece of a matrix's momentum."""
        for m, dw, scratch in piece:
            self._lerp(m, dw, 1.0 - self.momentum, self.steps, scratch)

    def update(
        self, w: Array, dw: Array, state: Mapping[str, Array], rate: float, scratch: Array
    ) -> None:
        """Update one block of an array that is not a matrix by AdamW."""
        m, v, rate = state["first_moment"], state["second_moment"], self.adam_rate * rate
        betas = self.beta1, self.beta2
        self._step_function(w, dw, m, v, rate, *betas, self.epsilon, self.steps, scratch)


@dataclass(frozen=True)
class _Matrix:
    """A matrix, its momentum and its gradient, each as a view of shape (size,)."""

    w: Array
    m: Array
    dw: Array
    pieces: list[list[tuple[Array, ...]]]
    shape: tuple[int, ...]

    @property
    def product(self) -> tuple[int, int, int]:
        """The shapes ``(n, d)`` and ``(d, h)`` of the largest matrix product of a step."""
        small, large = sorted((self.shape[-1], prod(self.shape[:-1])))
        return small, small, large


def orthogonalize(g: Array, iterations: int = 5, pool: Pool = SERIAL) -> Array:
    """Orthogonalize ``g`` by Newton-Schulz iterations: singular values of about 1.

    From ``x = g / |g|``, each iteration is::

        x <- a1 x + (a3 x x^T + a5 (x x^T)^2) x

    which keeps singular vectors and maps each singular value ``S`` to ``a1 S + a3 S^3 + a5 S^5``.
    With Jordan's `COEFFICIENTS` they do not converge to 1: after five iterations they are between
    0.68 and 1.21 if they started above 0.002. An iteration takes ``2 d^2 h + d^3`` multiplications,
    and as many additions, if ``d`` is the smaller side.

    Parameters
    ----------
    g : array, shape (d, h)
        Never written to.
    iterations : int
        The number of iterations.
    pool : Pool
        The pool that runs the pieces of large products.

    Returns
    -------
    array, shape (d, h)
        Zero if ``g`` is zero.
    """
    a1, a3, a5 = COEFFICIENTS
    tall = g.shape[0] > g.shape[1]
    x = g.T if tall else g  # the smaller side first, so that its products are small
    x = x / (l2_norm(x) or 1.0)  # no singular value is above 1 now
    gram: Array = np.empty((len(x), len(x)), g.dtype)
    square, product = np.empty_like(gram), np.empty_like(x)
    for _ in range(iterations):
        matmul(x, x.T, gram, pool)
        matmul(gram, gram, square, pool)
        square *= a5
        gram *= a3
        gram += square
        matmul(gram, x, product, pool)
        x *= a1
        x += product
    return x.T if tall else x


def spectral_scale(inputs: int, outputs: int) -> float:
    """Return ``sqrt(max(1, outputs / inputs))``, so that one rate fits matrices of all shapes."""
    return math.sqrt(max(1.0, outputs / inputs))


def _names(entry: str, array: str) -> bool:
    """Return whether an entry of ``adam_for`` is the name of an array, of its layer or its kind."""
    named = array == entry or array.startswith(f"{entry}.")
    is_kind = entry.isidentifier()  # the names of layers begin with an index
    return named or (is_kind and entry in array.split(".")[:-1])
