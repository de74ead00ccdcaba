"""Activations: functions of a single number that bend what the layers between them compute.

The slope of each function here follows from its output, so the output is all that a training pass
keeps. `handloom.layers.gated` has those of which that is not true.
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
    """A function ``f`` without weights, applied to every entry by itself.

    Forward and, given ``dy``, backward::

        y  = f(x)
        dx = f'(x) dy        with the slope f'(x) computed from y

    ``x``, ``y``, ``dy`` and ``dx`` have one shape, ``(n, ...)``, and one dtype.
    """

    def forward(
        self,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Compute ``f(x)``; a NaN stays one."""
        y = self._buffer("y", x.shape, x.dtype)
        self.apply(x, out=y)
        self._remember(y, training)
        return y

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Return the slope times ``dy``."""
        if not need_dx:
            return None
        y = self._recall()
        dx = self._buffer("dx", y.shape, y.dtype)
        self.apply_backward(y, dy, out=dx)
        return dx

    @abstractmethod
    def apply(self, x: Array, out: Array) -> None:
        """Write ``f(x)`` into ``out``, which is other memory than ``x``."""

    @abstractmethod
    def apply_backward(self, y: Array, dy: Array, out: Array) -> None:
        """Write ``f'(x) dy`` into ``out``, given ``y = f(x)``; ``out`` is memory of its own."""


class ReLU(Activation):
    """The rectified linear unit, entry by entry.

    Forward and, given ``dy``, backward::

        y  = max(x, 0)
        dx = dy where x > 0, else 0        (the slope at exactly 0 is taken as 0)

    ``x``, ``y``, ``dy`` and ``dx`` have one shape, ``(n, ...)``.
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

    def use(self, backend: Backend) -> None:
        """Take the backend's versions of the two functions below."""
        self._relu = backend.fetch(relu)
        self._relu_backward = backend.fetch(relu_backward)


def relu(x: Array, out: Array) -> None:
    """Write ``max(x, 0)`` into ``out``, shape (n, ...); a NaN stays one."""
    x.clip(0.0, np.inf, out=out)  # what NumPy does quicker than a maximum


def relu_backward(y: Array, dy: Array, out: Array) -> None:
    """Write ``dy``, which is finite, where ``y > 0``, else 0, into ``out``; all: (n, ...)."""
    np.copyto(out, y > 0.0)
    np.multiply(out, dy, out=out)


class LeakyReLU(Activation):
    """A rectifier that lets a little of what is negative through, so that no unit dies.

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
    workshop on deep learning for audio, speech and language processing, 2013.
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
        np.copyto(out, y > 0.0)  # 1 and 0, of which the 0 becomes the slope
        np.clip(out, self.slope, 1.0, out=out)
        np.multiply(out, dy, out=out)


class ELU(Activation):
    """The exponential linear unit: it saturates where it is negative, so its mean is nearer zero.

    Forward and, given ``dy``, backward::

        y  = x  where x > 0, else alpha (exp(x) - 1)
        dx = dy where x > 0, else alpha exp(x) dy = (y + alpha) dy

    ``x``, ``y``, ``dy`` and ``dx`` have one shape, ``(n, ...)``. Unless alpha is 1 there is a kink
    at 0, where the slope is taken as alpha.

    Parameters
    ----------
    alpha : float
        What is approached on the negative side is ``-alpha``; above 0.

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
        np.expm1(out, out=out)  # exp(x) - 1 loses its digits where x is small
        out *= self.alpha
        out += positive

    def apply_backward(self, y: Array, dy: Array, out: Array) -> None:
        """Write ``f'(x) dy``."""
        np.clip(y, -np.inf, 0.0, out=out)
        out += self.alpha
        if self.alpha != 1.0:  # the slope of the positive side is 1, and not alpha
            positive = self._buffer("positive", y.shape, y.dtype)
            np.copyto(positive, y > 0.0)
            positive *= 1.0 - self.alpha
            out += positive
        out *= dy


class Tanh(Activation):
    """The hyperbolic tangent, from -1 to 1.

    Forward and, given ``dy``, backward::

        y  = tanh(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x))
        dx = (1 - y^2) dy

    ``x``, ``y``, ``dy`` and ``dx`` have one shape, ``(n, ...)``.

    References
    ----------
    LeCun, Bottou, Orr, Müller, "Efficient BackProp", 1998, on why zero in the middle is better.
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
    """The logistic function, from 0 to 1.

    Forward and, given ``dy``, backward::

        y  = 1 / (1 + exp(-x))
        dx = y (1 - y) dy

    ``x``, ``y``, ``dy`` and ``dx`` have one shape, ``(n, ...)``. A network that predicts yes or no
    ends in logits: `handloom.BinaryCrossEntropy` has this function within it.

    References
    ----------
    Rumelhart, Hinton, Williams, "Learning representations by back-propagating errors", Nature
    323, 1986.
    """

    kind = "sigmoid"

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
    """Return ``1 / (1 + exp(-x))``, right to rounding however large ``x`` is.

    Parameters
    ----------
    x : array, shape (n, ...)
        Logits.
    out : array, shape (n, ...), optional
        Where to write; may be ``x`` itself.
    """
    y: Array = np.negative(x, out=out)
    with np.errstate(over="ignore"):  # the reciprocal of an infinite exponential is 0, as it should
        np.exp(y, out=y)
    y += 1.0
    np.reciprocal(y, out=y)
    return y
