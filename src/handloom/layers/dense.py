"""Dense: the fully connected layer, ``y = x W + b``."""

from __future__ import annotations  # so that naming np.random.Generator does not load it

from collections.abc import Mapping

import numpy as np

from handloom.backend import Backend
from handloom.errors import ModelError, require_count, require_number
from handloom.initializers import Initializer, Zeros, initializer, initializer_config
from handloom.layers.base import Layer
from handloom.operations import Affine
from handloom.parallel.pool import matmul
from handloom.parameters import Array, ParameterSpec
from handloom.reductions import column_sums


class Dense(Layer):
    """A fully connected (dense, linear) layer.

    Forward and, given the gradient ``dy`` of the loss with respect to ``y``, backward, for ``n``
    rows, ``d`` inputs and ``h`` units::

        y    = x W + b                   (n, h) = (n, d) (d, h) + (h,), b added to every row

        dW   = x^T dy                    (d, h) = (d, n) (n, h)
        db_j = sum over rows i of dy_ij  (h,)
        dx   = dy W^T                    (n, d) = (n, h) (h, d)

    A training pass keeps a reference to ``x``, for ``dW``. Neither ``x`` nor ``W`` may change
    between forward and backward. ``x`` and ``dy`` have the dtype of ``W``; if the loss is a mean
    over rows, ``dy`` includes its ``1 / n``.

    Parameters
    ----------
    units : int
        The number of outputs, ``h``.
    weights : str, dict or Initializer
        The initializer of ``W``: its name, its configuration, or an object. Biases start at zero.
    weights_l1, weights_l2, biases_l1, biases_l2 : float
        The strengths of the penalties ``l1 * sum |w| + l2 * sum w^2`` of ``W`` and of ``b``, at
        least 0. They are no part of `forward` and `backward`: training adds them to the loss, and
        their gradients ``l1 sign(w) + 2 l2 w`` to ``dW`` and ``db``, once a step.

    Raises
    ------
    ConfigurationError
        If ``units`` is not a whole number of at least 1, or a strength is negative or not finite.
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
        """Declare weights of shape (d, h) and biases of shape (h,), for input rows of shape (d,).

        Raises
        ------
        ModelError
            If an input row is not flat.
        """
        if len(input_shape) != 1:
            raise ModelError(f"dense: an input row must be flat, got shape {input_shape}")
        d, h = input_shape[0], self.units
        w_l1, w_l2, b_l1, b_l2 = self.weights_l1, self.weights_l2, self.biases_l1, self.biases_l2
        return {
            "weights": ParameterSpec((d, h), self.initializer, l1=w_l1, l2=w_l2),
            "biases": ParameterSpec((h,), Zeros(), l1=b_l1, l2=b_l2),
        }

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``(h,)``."""
        return (self.units,)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments as JSON-serializable values."""
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

        ``y`` is a new array. In a replica, the copy of a layer that training runs, the next call
        overwrites it. ``rng`` is for layers that draw.

        Raises
        ------
        ModelError
            If the layer is not built, or ``x`` is not a matrix of d columns.
        """
        if not self.weights:
            raise ModelError("dense: build the layer before running it")
        w, b = self.weights["weights"], self.weights["biases"]
        if x.ndim != 2 or x.shape[1] != len(w):
            raise ModelError(f"dense: expected rows of {len(w)} columns, got shape {x.shape}")
        self._save_for_backward(x, training)
        y = matmul(x, w, out=self._buffer("y", (len(x), self.units), w.dtype), pool=self.pool)
        y += b
        return y

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Overwrite ``self.gradients`` of ``W`` and ``b``; return ``dx``, new memory as ``y`` is.

        Parameters
        ----------
        dy : array, shape (n, h)
            The gradient of the loss with respect to the last training pass's ``y``.
        need_dx : bool
            False for a network's first layer, whose ``dx`` no other layer takes.

        Returns
        -------
        dx : array, shape (n, d), or None if it is not needed

        Raises
        ------
        ModelError
            If there was no training pass.
        """
        x, w = self._saved_array(), self.weights["weights"]
        matmul(x.T, dy, out=self.gradients["weights"], pool=self.pool)
        self._column_sums(dy, out=self.gradients["biases"])
        if not need_dx:
            return None
        return matmul(dy, w.T, out=self._buffer("dx", x.shape, w.dtype), pool=self.pool)

    def set_backend(self, backend: Backend) -> None:
        """Use the backend's version of `column_sums`; NumPy's by default.

        Matrix products are computed by BLAS on every backend; the threads of ``self.pool``
        share large ones.
        """
        self._column_sums = backend.version_of(column_sums)

    def as_operation(self, offsets: Mapping[str, int]) -> Affine:
        """Return ``y = x W + b`` as a record, from which a backend may compile whole networks."""
        d, h = self.weights["weights"].shape
        return Affine(inputs=d, units=h, weights=offsets["weights"], biases=offsets["biases"])
