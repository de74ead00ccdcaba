"""The dense layer: every output is a weighted sum of every input."""

from __future__ import annotations  # numpy.random is loaded when it is used

from collections.abc import Mapping

import numpy as np

from handloom.backend import Backend
from handloom.errors import ModelError, require_count, require_number
from handloom.initializers import Initializer, Zeros, initializer, initializer_config
from handloom.layers.base import Layer
from handloom.operations import Affine
from handloom.parallel.pool import matmul
from handloom.parameters import Array, ParameterSpec
from handloom.reductions import sum_rows


class Dense(Layer):
    """A fully connected layer.

    Forward and, given ``dy``, backward::

        y = x W + b            (n, h) = (n, d) (d, h) + (h,)

        dW = x^T dy            (d, h) = (d, n) (n, h)
        db = sum of dy's rows  (h,)
        dx = dy W^T            (n, d) = (n, h) (h, d)

    Parameters
    ----------
    units : int
        The number of outputs, ``h``.
    weights : str or Initializer
        How the weights start; the biases start at zero.
    weights_l1, weights_l2, biases_l1, biases_l2 : float
        The strengths of the penalties ``l1 * sum |w|`` and ``l2 * sum w^2``, which whoever trains
        the network adds once a step.

    Raises
    ------
    ConfigurationError
        If a size or a strength means nothing.
    """

    kind = "dense"

    def __init__(
        self,
        units: int,
        *,
        weights: str | dict[str, object] | Initializer = "he",
        weights_l1: float = 0.0,
        weights_l2: float = 0.0,
        biases_l1: float = 0.0,
        biases_l2: float = 0.0,
    ) -> None:
        super().__init__()
        self.units = require_count("units", units)
        self.initializer = initializer(weights)
        self.weights_l1 = require_number("weights_l1", weights_l1, minimum=0.0)
        self.weights_l2 = require_number("weights_l2", weights_l2, minimum=0.0)
        self.biases_l1 = require_number("biases_l1", biases_l1, minimum=0.0)
        self.biases_l2 = require_number("biases_l2", biases_l2, minimum=0.0)

    def declare(self, input_shape: tuple[int, ...]) -> dict[str, ParameterSpec]:
        """Declare weights of shape (d, h) and biases of shape (h,).

        Raises
        ------
        ModelError
            If an input row is not flat.
        """
        if len(input_shape) != 1:
            raise ModelError(f"dense: an input row must be flat, got shape {input_shape}")
        d, h = input_shape[0], self.units
        return {
            "weights": ParameterSpec((d, h), self.initializer, self.weights_l1, self.weights_l2),
            "biases": ParameterSpec((h,), Zeros(), self.biases_l1, self.biases_l2),
        }

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``(h,)``."""
        return (self.units,)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {
            "units": self.units,
            "weights": initializer_config(self.initializer),
            "weights_l1": self.weights_l1,
            "weights_l2": self.weights_l2,
            "biases_l1": self.biases_l1,
            "biases_l2": self.biases_l2,
        }

    def forward(
        self,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Compute ``y = x W + b``: ``x`` of shape (n, d), ``y`` of shape (n, h).

        Raises
        ------
        ModelError
            If the layer has no weights yet, or ``x`` does not have d columns.
        """
        if not self.weights:
            raise ModelError("dense: build the layer before running it")
        w, b = self.weights["weights"], self.weights["biases"]
        if x.ndim != 2 or x.shape[1] != len(w):
            raise ModelError(f"dense: expected rows of {len(w)} columns, got shape {x.shape}")
        self._remember(x, training)
        y = matmul(x, w, out=self._buffer("y", (len(x), self.units), w.dtype), pool=self.pool)
        y += b
        return y

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Write ``dW`` and ``db``; return ``dx`` of shape (n, d), or None."""
        x, w = self._recall(), self.weights["weights"]
        matmul(x.T, dy, out=self.gradients["weights"], pool=self.pool)
        self._sum_rows(dy, out=self.gradients["biases"])
        if not need_dx:
            return None
        return matmul(dy, w.T, out=self._buffer("dx", x.shape, w.dtype), pool=self.pool)

    def fetch(self, backend: Backend) -> None:
        """Take the backend's sum of rows; products are BLAS's on every backend."""
        self._sum_rows = backend.fetch(sum_rows)

    def describe(self, offsets: Mapping[str, int]) -> Affine:
        """Return ``y = x W + b`` as a record."""
        d, h = self.weights["weights"].shape
        return Affine(d, h, offsets["weights"], offsets["biases"])
