"""The kernels as single passes over memory, compiled by Numba: the extra ``fast``.

Each loop does what the NumPy kernel of the same name does, and agrees with it to rounding. Compiled
code is cached on disk, so only the first training ever waits for the compiler.
"""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from numba import njit

from handloom.kernels import TINY, Kernels
from handloom.parameters import Array


def compiled(function: Callable[..., None]) -> Callable[..., None]:
    """Compile a loop that lets other threads run, and divides as NumPy does.

    With Python's rules for division every loop would check for zero, and none would be vectorized.
    """
    return njit(cache=True, nogil=True, error_model="numpy")(function)


class FusedKernels(Kernels):
    """The inner loops, each in as few passes as it needs."""

    name = "fused"
    block = None

    def prepare(self, dtype: npt.DTypeLike) -> None:
        """Have every loop compiled for a dtype, or read from the cache."""
        real = np.dtype(dtype)
        a, b, c, d = (np.zeros(4, real) for _ in range(4))
        square, targets = np.zeros((2, 2), real), np.zeros(2, np.int64)
        self.scale(np.zeros((2, 2), np.uint8), 0.0, 1.0, square)
        self.sum_rows(square, np.zeros(2, real))
        self.relu(square, square)
        self.relu_backward(square, square, square)
        self.softmax_cross_entropy(square, targets, square, np.zeros(2, real))
        self.descend(a, b, 0.1, c)
        for nesterov in (False, True):
            self.momentum(a, b, c, 0.1, 0.5, nesterov, 1, d)
        self.adam(a, b, c, d, 0.1, 0.9, 0.999, 1e-7, 1, a)

    def scale(
        self, inputs: npt.NDArray[np.generic], shift: float, divisor: float, out: Array
    ) -> None:
        """Write ``(inputs - shift) / divisor`` into ``out``; both have shape (n, d)."""
        if inputs.flags.c_contiguous and out.flags.c_contiguous:
            real = out.dtype.type
            _scale(inputs.reshape(-1), real(shift), real(1.0 / divisor), out.reshape(-1))
        else:
            super().scale(inputs, shift, divisor, out)

    def sum_rows(self, dy: Array, out: Array) -> None:
        """Write the sum of the rows of ``dy``, shape (n, h), into ``out``, shape (h,)."""
        _sum_rows(dy, out)

    def relu(self, x: Array, out: Array) -> None:
        """Write ``max(x, 0)`` into ``out``, shape (n, ...); a NaN stays one."""
        if x.flags.c_contiguous:
            _relu(x.reshape(-1), out.reshape(-1))
        else:
            super().relu(x, out)

    def relu_backward(self, y: Array, dy: Array, out: Array) -> None:
        """Write ``dy`` where ``y > 0``, else 0, into ``out``; all of shape (n, ...)."""
        if dy.flags.c_contiguous:
            _relu_backward(y.reshape(-1), dy.reshape(-1), out.reshape(-1))
        else:
            super().relu_backward(y, dy, out)

    def softmax_cross_entropy(
        self, logits: Array, targets: npt.NDArray[np.integer], out: Array, losses: Array
    ) -> None:
        """Compute the loss of each row and its gradient, for class indices."""
        _shift(logits, targets, out, losses)
        np.exp(out, out=out)  # NumPy's is vectorized, the compiler's is not
        _normalize(targets, out, losses)

    def descend(self, w: Array, dw: Array, rate: float, scratch: Array) -> None:
        """Update one block by plain gradient descent, ``w <- w - rate dw``."""
        _descend(w, dw, w.dtype.type(rate))

    def momentum(
        self,
        w: Array,
        dw: Array,
        velocity: Array,
        rate: float,
        momentum: float,
        nesterov: bool,
        step: int,
        scratch: Array,
    ) -> None:
        """Update one block by the rule of `handloom.optimizers.SGD` with a momentum."""
        real = w.dtype.type
        _momentum(w, dw, velocity, real(rate), real(momentum), nesterov, real(TINY))

    def adam(
        self,
        w: Array,
        dw: Array,
        first: Array,
        second: Array,
        rate: float,
        beta1: float,
        beta2: float,
        epsilon: float,
        step: int,
        scratch: Array,
    ) -> None:
        """Update one block by the rule of `handloom.optimizers.Adam`; ``step`` counts from 1."""
        real = w.dtype.type
        _adam(
            w,
            dw,
            first,
            second,
            real(rate / (1.0 - beta1**step)),
            real(1.0 / (1.0 - beta2**step)),
            real(beta1),
            real(1.0 - beta1),
            real(beta2),
            real(1.0 - beta2),
            real(epsilon),
            real(TINY),
        )


@compiled
def _scale(inputs, shift, factor, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        out[i] = (out.dtype.type(inputs[i]) - shift) * factor


@compiled
def _sum_rows(dy, out):  # type: ignore[no-untyped-def]
    out[:] = 0
    for row in range(dy.shape[0]):
        for column in range(dy.shape[1]):
            out[column] += dy[row, column]


@compiled
def _relu(x, out):  # type: ignore[no-untyped-def]
    zero = x.dtype.type(0)
    for i in range(len(x)):
        out[i] = zero if x[i] < zero else x[i]


@compiled
def _relu_backward(y, dy, out):  # type: ignore[no-untyped-def]
    zero = y.dtype.type(0)
    for i in range(len(y)):
        out[i] = dy[i] if y[i] > zero else zero


@compiled
def _shift(logits, targets, out, losses):  # type: ignore[no-untyped-def]
    """Subtract each row's maximum; note what the class's logit is then."""
    lowest = out.dtype.type(-60)
    for row in range(logits.shape[0]):
        highest = logits[row, 0]
        for column in range(logits.shape[1]):
            value = logits[row, column]
            if not value <= highest:  # a NaN stays one
                highest = value
        losses[row] = logits[row, targets[row]] - highest
        for column in range(logits.shape[1]):
            value = logits[row, column] - highest
            out[row, column] = lowest if value < lowest else value


@compiled
def _normalize(targets, out, losses):  # type: ignore[no-untyped-def]
    """Divide exponentials by their sum, and take the class's one away."""
    for row in range(out.shape[0]):
        total = out.dtype.type(0)
        for column in range(out.shape[1]):
            total += out[row, column]
        losses[row] = math.log(total) - losses[row]
        for column in range(out.shape[1]):
            out[row, column] /= total
        out[row, targets[row]] -= out.dtype.type(1)


@compiled
def _descend(w, dw, rate):  # type: ignore[no-untyped-def]
    for i in range(len(w)):
        w[i] -= rate * dw[i]


@compiled
def _momentum(w, dw, velocity, rate, momentum, nesterov, tiny):  # type: ignore[no-untyped-def]
    zero = w.dtype.type(0)
    for i in range(len(w)):
        descent = -rate * dw[i]
        u = momentum * velocity[i] + descent
        u = zero if abs(u) < tiny else u
        velocity[i] = u
        w[i] += momentum * u + descent if nesterov else u


@compiled
def _adam(  # type: ignore[no-untyped-def]
    w, dw, first, second, rate, unbias, beta1, rest1, beta2, rest2, epsilon, tiny
):
    zero = w.dtype.type(0)
    for i in range(len(w)):
        g = dw[i]
        m = beta1 * first[i] + rest1 * g
        v = beta2 * second[i] + rest2 * (g * g)
        m = zero if abs(m) < tiny else m
        v = zero if v < tiny else v
        first[i] = m
        second[i] = v
        w[i] -= rate * (m / (np.sqrt(v * unbias) + epsilon))


FUSED = FusedKernels()
