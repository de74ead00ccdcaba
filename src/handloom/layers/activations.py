"""Activation functions: ReLU, LeakyReLU, ELU, Tanh and Sigmoid, applied elementwise.

The derivative of each function here follows from its output, so a training pass keeps the output
only. `handloom.layers.gated` has the activations whose derivative needs more.
"""

from __future__ import annotations  # numpy.random is loaded when it is used

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np

from handloom.backend import Backend
from handloom.errors import require_number
from handloom.layers.base import Layer
from handloom.operations import Elementwise
from handloom.parameters import Array


class Activation(Layer):
    """An elementwise activation function ``f`` without weights.

    Forward and, given ``dy``, backward::

        y  = f(x)
        dx = f'(x) dy        with the derivative f'(x) computed from y

    ``x``, ``y``, ``dy`` and ``dx`` have one shape, ``(n, ...)``, and one dtype.
    """

    def forward(
        self,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Compute ``f(x)``; NaN stays NaN."""
        y = self._buffer("y", x.shape, x.dtype)
        self.apply(x, out=y)
        self._save_for_backward(y, training)
        return y

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Return the derivative times ``dy``."""
        if not need_dx:
            return None
        y = self._saved_array()
        dx = self._buffer("dx", y.shape, y.dtype)
        self.apply_backward(y, dy, out=dx)
        return dx

    @abstractmethod
    def apply(self, x: Array, out: Array) -> None:
        """Write ``f(x)`` into ``out``, which must not overlap ``x``."""

    @abstractmethod
    def apply_backward(self, y: Array, dy: Array, out: Array) -> None:
        """Write ``f'(x) dy`` into ``out``, from ``y = f(x)``; ``out`` must not overlap either."""


class ReLU(Activation):
    """The rectified linear unit (ReLU), applied elementwise.

    Forward and, given ``dy``, backward::

        y  = max(x, 0)
        dx = dy where x > 0, else 0        (the derivative at exactly 0 is taken as 0)

    ``x``, ``y``, ``dy`` and ``dx`` have one shape, ``(n, ...)``.

    References
    ----------
    Nair, Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines", ICML 2010.
    """

    kind = "relu"

    def as_operation(self, offsets: Mapping[str, int]) -> Elementwise:
        """Return the function as a record."""
        return Elementwise(self.kind)

    def apply(self, x: Array, out: Array) -> None:
        """Write ``f(x)``."""
        self._relu(x, out)

    def apply_backward(self, y: Array, dy: Array, out: Array) -> None:
        """Write ``f'(x) dy``."""
        self._relu_backward(y, dy, out)

    def set_backend(self, backend: Backend) -> None:
        """Use the backend's versions of `relu` and `relu_backward`."""
        self._relu = backend.version_of(relu)
        self._relu_backward = backend.version_of(relu_backward)


def relu(x: Array, out: Array) -> None:
    """Write ``max(x, 0)`` into ``out``, shape (n, ...); NaN stays NaN."""
    x.clip(0.0, np.inf, out=out)  # faster in NumPy than a maximum


def relu_backward(y: Array, dy: Array, out: Array) -> None:
    """Write ``dy``, which is finite, where ``y > 0``, else 0, into ``out``; all: (n, ...)."""
    np.copyto(out, y > 0.0)
    np.multiply(out, dy, out=out)


class LeakyReLU(Activation):
    """The leaky ReLU: a small slope for negative inputs, against dead units.

    Forward and, given ``dy``, backward::

        y  = x  where x > 0, else slope x
        dx = dy where x > 0, else slope dy        (at exactly 0 too)

    ``x``, ``y``, ``dy`` and ``dx`` have one shape, ``(n, ...)``.

    Parameters
    ----------
    slope : float
        The slope of the negative side, above 0 and at most 1.

    Raises
    ------
    ConfigurationError
        If the slope is out of range; at 0 the layer is `ReLU`.

    References
    ----------
    Maas, Hannun, Ng, "Rectifier Nonlinearities Improve Neural Network Acoustic Models", ICML
    Workshop on Deep Learning for Audio, Speech and Language Processing, 2013.
    """

    kind = "leaky_relu"

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        self.slope = require_number("slope", slope, minimum=0.0, maximum=1.0, exclusive=True)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {"slope": self.slope}

    def as_operation(self, offsets: Mapping[str, int]) -> Elementwise:
        """Return the function as a record."""
        return Elementwise(self.kind, self.slope)

    def apply(self, x: Array, out: Array) -> None:
        """Write ``f(x)``."""
        np.multiply(x, self.slope, out=out)
        np.maximum(x, out, out=out)

    def apply_backward(self, y: Array, dy: Array, out: Array) -> None:
        """Write ``f'(x) dy``."""
        np.copyto(out, y > 0.0)  # 1 or 0; the 0 becomes the slope
        np.clip(out, self.slope, 1.0, out=out)
        np.multiply(out, dy, out=out)


class ELU(Activation):
    """The exponential linear unit (ELU): it saturates at ``-alpha`` for negative inputs.

    Forward and, given ``dy``, backward::

        y  = x  where x > 0, else alpha (exp(x) - 1)
        dx = dy where x > 0, else alpha exp(x) dy = (y + alpha) dy

    ``x``, ``y``, ``dy`` and ``dx`` have one shape, ``(n, ...)``. Unless alpha is 1 there is a kink
    at 0, where the derivative is taken as alpha.

    Parameters
    ----------
    alpha : float
        Above 0; the limit of ``y`` for large negative ``x`` is ``-alpha``.

    Raises
    ------
    ConfigurationError
        If alpha is not above 0.

    References
    ----------
    Clevert, Unterthiner, Hochreiter, "Fast and Accurate Deep Network Learning by Exponential
    Linear Units (ELUs)", ICLR 2016.
    """

    kind = "elu"

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = require_number("alpha", alpha, minimum=0.0, exclusive=True)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {"alpha": self.alpha}

    def as_operation(self, offsets: Mapping[str, int]) -> Elementwise:
        """Return the function as a record."""
        return Elementwise(self.kind, self.alpha)

    def apply(self, x: Array, out: Array) -> None:
        """Write ``f(x)``."""
        positive = self._buffer("positive", x.shape, x.dtype)
        np.clip(x, 0.0, np.inf, out=positive)
        np.clip(x, -np.inf, 0.0, out=out)
        np.expm1(out, out=out)  # exp(x) - 1 would lose digits for small x
        out *= self.alpha
        out += positive

    def apply_backward(self, y: Array, dy: Array, out: Array) -> None:
        """Write ``f'(x) dy``."""
        np.clip(y, -np.inf, 0.0, out=out)
        out += self.alpha
        if self.alpha != 1.0:  # the derivative for positive x is 1, not alpha
            positive = self._buffer("positive", y.shape, y.dtype)
            np.copyto(positive, y > 0.0)
            positive *= 1.0 - self.alpha
            out += positive
        out *= dy


class Tanh(Activation):
    """The hyperbolic tangent (tanh), from -1 to 1.

    Forward and, given ``dy``, backward::

        y  = tanh(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x))
        dx = (1 - y^2) dy

    ``x``, ``y``, ``dy`` and ``dx`` have one shape, ``(n, ...)``.

    References
    ----------
    LeCun, Bottou, Orr, Müller, "Efficient BackProp", in "Neural Networks: Tricks of the Trade",
    Springer, 1998, section 4.4, on zero-centered activations.
    """

    kind = "tanh"

    def as_operation(self, offsets: Mapping[str, int]) -> Elementwise:
        """Return the function as a record."""
        return Elementwise(self.kind)

    def apply(self, x: Array, out: Array) -> None:
        """Write ``f(x)``."""
        np.tanh(x, out=out)

    def apply_backward(self, y: Array, dy: Array, out: Array) -> None:
        """Write ``f'(x) dy``."""
        np.multiply(y, y, out=out)
        np.subtract(1.0, out, out=out)
        out *= dy


class Sigmoid(Activation):
    """The sigmoid (logistic) function, from 0 to 1.

    Forward and, given ``dy``, backward::

        y  = 1 / (1 + exp(-x))
        dx = y (1 - y) dy

    ``x``, ``y``, ``dy`` and ``dx`` have one shape, ``(n, ...)``. A binary classifier ends in
    logits: `handloom.BinaryCrossEntropy` applies the sigmoid itself.

    References
    ----------
    Rumelhart, Hinton, Williams, "Learning representations by back-propagating errors", Nature
    323, 1986.
    """

    kind = "sigmoid"
    output_activation = "sigmoid"
    keeps_values = True

    def as_operation(self, offsets: Mapping[str, int]) -> Elementwise:
        """Return the function as a record."""
        return Elementwise(self.kind)

    def apply(self, x: Array, out: Array) -> None:
        """Write ``f(x)``."""
        sigmoid(x, out=out)

    def apply_backward(self, y: Array, dy: Array, out: Array) -> None:
        """Write ``f'(x) dy``."""
        np.subtract(1.0, y, out=out)
        out *= y
        out *= dy


def sigmoid(x: Array, out: Array | None = None) -> Array:
    """Return the sigmoid ``1 / (1 + exp(-x))``, numerically stable for large ``|x|``.

    Parameters
    ----------
    x : array, shape (n, ...)
        Logits.
    out : array, shape (n, ...), optional
        Where to write; may be ``x`` itself.
    """
    y: Array = np.negative(x, out=out)
    with np.errstate(over="ignore"):  # 1 / infinity is 0, the right limit
        np.exp(y, out=y)
    y += 1.0
    np.reciprocal(y, out=y)
    return y
