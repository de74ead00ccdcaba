"""Layer normalization: rows with mean zero and variance one, then scaled and shifted."""

from __future__ import annotations  # numpy.random is loaded when it is used

from collections.abc import Mapping
from math import prod

import numpy as np

from handloom.errors import ModelError, require_number
from handloom.initializers import Ones, Zeros
from handloom.layers.base import Layer
from handloom.operations import NormalizeRows
from handloom.parameters import Array, ParameterSpec


class LayerNorm(Layer):
    """Layer normalization of every row over its features.

    Forward and, given ``dy``, backward, for every row; means run over its ``d`` entries::

        mu = mean of x,  var = mean of (x - mu)^2,  sigma = sqrt(var + epsilon)
        z  = (x - mu) / sigma
        y  = scale z + shift

        dscale = sum over rows of dy z,  dshift = sum over rows of dy
        g  = dy scale
        dx = (g - mean of g - z (mean of g z)) / sigma

    ``x``, ``y``, ``dy`` and ``dx`` have one shape, ``(n, ...)``; ``scale`` and ``shift`` have the
    shape of a row. Training and inference are the same, and rows do not depend on each other. A row
    with one entry has ``z = 0``: its output is ``shift``, whatever the input.

    Parameters
    ----------
    epsilon : float
        Added to the variance for numerical stability, above 0.

    Raises
    ------
    ConfigurationError
        If ``epsilon`` is not positive.

    References
    ----------
    Ba, Kiros, Hinton, "Layer Normalization", 2016, arXiv 1607.06450.
    """

    kind = "layer_norm"

    def __init__(self, *, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.epsilon = require_number("epsilon", epsilon, minimum=0.0, exclusive=True)

    def declare(self, input_shape: tuple[int, ...]) -> dict[str, ParameterSpec]:
        """Declare scale and shift, of the shape of a row."""
        return {
            "scale": ParameterSpec(input_shape, Ones(), elementwise=True),
            "shift": ParameterSpec(input_shape, Zeros(), elementwise=True),
        }

    def config(self) -> dict[str, object]:
        """Return the constructor's argument."""
        return {"epsilon": self.epsilon}

    def as_operation(self, offsets: Mapping[str, int]) -> NormalizeRows:
        """Return layer normalization as a record."""
        return NormalizeRows(self.weights["scale"].size, **offsets, epsilon=self.epsilon)

    def forward(
        self,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Normalize the rows of ``x``, shape (n, ...).

        Raises
        ------
        ModelError
            If the layer is not built, or the shape of a row is not that of ``scale``.
        """
        if "scale" not in self.weights:
            raise ModelError(f"{self.kind}: build the layer before running it")
        scale, shift = self.weights["scale"], self.weights["shift"]
        if x.shape[1:] != scale.shape:
            raise ModelError(
                f"{self.kind}: expected rows of shape {scale.shape}, got rows of shape "
                f"{x.shape[1:]}"
            )
        axes = tuple(range(1, x.ndim))
        z = self._buffer("z", x.shape, x.dtype)
        np.subtract(x, x.mean(axis=axes, keepdims=True), out=z)
        y = self._buffer("y", x.shape, x.dtype)
        np.square(z, out=y)
        inverse = 1.0 / np.sqrt(y.mean(axis=axes, keepdims=True) + self.epsilon)
        z *= inverse
        self._save_for_backward(z, training, inverse)
        np.multiply(z, scale, out=y)
        y += shift
        return y

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Write the gradients of scale and shift; return ``dx``, or None."""
        z, inverse = self._saved_arrays()
        dx = self._buffer("dx", z.shape, z.dtype)
        np.multiply(dy, z, out=dx)
        dx.sum(axis=0, out=self.gradients["scale"])
        dy.sum(axis=0, out=self.gradients["shift"])
        if not need_dx:
            return None
        axes, size = tuple(range(1, z.ndim)), prod(z.shape[1:])
        np.multiply(dy, self.weights["scale"], out=dx)
        slopes = dx.sum(axis=axes, keepdims=True) / size
        scratch = np.multiply(dx, z, out=self._buffer("scratch", z.shape, z.dtype))
        inner_products = scratch.sum(axis=axes, keepdims=True) / size
        dx -= slopes
        dx -= np.multiply(z, inner_products, out=scratch)
        dx *= inverse
        return dx
