"""Gated activations, SiLU (swish) and GELU: ``y = x g(x)``."""

from __future__ import annotations  # numpy.random is loaded when it is used

import math
from collections.abc import Mapping

import numpy as np

from handloom.layers.activations import sigmoid
from handloom.layers.base import Layer
from handloom.operations import Elementwise
from handloom.parameters import Array

SATURATED = 30.0
"""For larger ``|x|`` the gate of `GELU` is 0 or 1 in float32 and float64, as is dy/dx of `GELU`."""


class Gated(Layer):
    """Base class of `SiLU` and `GELU`: forward keeps the derivative, by which backward multiplies.

    With a gate ``g = sigmoid(z(x))``, forward and, given ``dy``, backward::

        y  = x g
        dx = (g + y (1 - g) z'(x)) dy

    The derivative does not follow from ``y``; forward computes it from the gate.
    """

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Return the derivative times ``dy``."""
        if not need_dx:
            return None
        slope = self._saved_array()
        dx = self._buffer("dx", slope.shape, slope.dtype)
        np.multiply(slope, dy, out=dx)
        return dx


class SiLU(Gated):
    """The sigmoid linear unit (SiLU), also called swish.

    Forward and, given ``dy``, backward::

        g  = sigmoid(x)
        y  = x g
        dx = (g + y (1 - g)) dy

    ``x``, ``y``, ``dy`` and ``dx`` have one shape, ``(n, ...)``.

    References
    ----------
    Hendrycks, Gimpel, "Gaussian Error Linear Units (GELUs)", 2016, arXiv 1606.08415, where it has
    its name; Elfwing, Uchibe, Doya, "Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning", Neural Networks 107, 2018; Ramachandran, Zoph, Le,
    "Searching for Activation Functions", 2017, arXiv 1710.05941 (swish).
    """

    kind = "silu"

    def as_operation(self, offsets: Mapping[str, int]) -> Elementwise:
        """Return the function as a record."""
        return Elementwise(self.kind)

    def forward(
        self,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Compute ``x sigmoid(x)``."""
        gate = sigmoid(x, out=self._buffer("gate", x.shape, x.dtype))
        y: Array = np.multiply(x, gate, out=self._buffer("y", x.shape, x.dtype))
        if training:
            slope = self._buffer("slope", x.shape, x.dtype)
            np.subtract(1.0, gate, out=slope)
            slope *= y
            slope += gate
            self._save_for_backward(slope, training)
        return y


class GELU(Gated):
    """The Gaussian error linear unit (GELU), in the tanh approximation of its paper.

    Forward and, given ``dy``, backward, with ``a = 2 sqrt(2 / pi)`` and ``beta = 0.044715``::

        z  = a (x + beta x^3)
        g  = sigmoid(z) = (1 + tanh(z / 2)) / 2
        y  = x g
        dx = (g + y (1 - g) a (1 + 3 beta x^2)) dy

    ``x``, ``y``, ``dy`` and ``dx`` have one shape, ``(n, ...)``.

    The exact gate is the normal cumulative distribution function of ``x``, which NumPy does not
    have. The approximation needs no function but the exponential; GPT-2 was trained with it. Its
    value is within 4.8e-4 of the exact one (largest error at ``|x| = 2.7``), its derivative within
    8.7e-4 (at ``|x| = 2.0``). The gradient is that of the approximation.

    References
    ----------
    Hendrycks, Gimpel, "Gaussian Error Linear Units (GELUs)", 2016, arXiv 1606.08415.
    """

    kind = "gelu"

    def as_operation(self, offsets: Mapping[str, int]) -> Elementwise:
        """Return the function as a record."""
        return Elementwise(self.kind)

    def forward(
        self,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Compute ``x sigmoid(a (x + beta x^3))``."""
        a, beta = 2.0 * math.sqrt(2.0 / math.pi), 0.044715
        gate, squares, slope = (
            self._buffer(name, x.shape, x.dtype) for name in ("gate", "squares", "slope")
        )
        np.clip(x, -SATURATED, SATURATED, out=gate)  # so that no power overflows
        np.square(gate, out=squares)
        np.multiply(squares, a * beta, out=slope)
        slope += a
        gate *= slope
        sigmoid(gate, out=gate)
        y: Array = np.multiply(x, gate, out=self._buffer("y", x.shape, x.dtype))
        if training:
            squares *= 3.0 * a * beta
            squares += a
            np.subtract(1.0, gate, out=slope)
            slope *= squares
            slope *= y
            slope += gate
            self._save_for_backward(slope, training)
        return y
