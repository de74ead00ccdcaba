"""The few inner loops where speed is decided, written in NumPy: the definition.

`handloom.fused` has the same loops as single passes, compiled by Numba, for those who installed
the extra ``fast``. They agree to rounding. One set of kernels is chosen before a training and
serves all of it, because bits are promised for one set only.
"""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt

from handloom.parameters import Array

TINY = 1e-34
"""Below this, what an optimizer remembers is taken for zero.

A unit that is dead has a gradient of exactly zero. Its moments then shrink at every step until they
are so small that processors handle them in microcode, many times slower, and stay there. An update
made of remainders this small is far below the rounding of any weight.
"""

FLUSH_EVERY = 8
"""How many steps apart NumPy looks for remainders.

What keeps a third of itself, or more, does not get from `TINY` to there in fewer; what keeps less
is past it in a few steps.
"""


LANES = 4
"""How many pieces work is cut into at most, and so how many threads can share a step."""

SHARED_FROM = 25_000_000
"""Multiplications from which a product is cut in two, and from four times as many in four.

Below, handing a piece to another thread takes longer than computing it.
"""

Call = Callable[[], object]


class Kernels:
    """The inner loops, as NumPy computes them.

    Attributes
    ----------
    name : str
        What a run records.
    block : int or None
        How many weights to update at a time, so that the passes of a rule find them in the cache;
        None where there is one pass.
    run : callable or None
        Makes several calls at once, so that large products and updates are shared by threads.
    """

    name = "numpy"
    block: int | None = 16_384
    run: Callable[[Sequence[Call]], object] | None = None

    def sharing(self, run: Callable[[Sequence[Call]], object]) -> Self:
        """Return a copy that shares large products and updates between threads."""
        twin = copy.copy(self)
        twin.run = run
        return twin

    def share(self, calls: Sequence[Call]) -> None:
        """Make calls that do not depend on each other: at once, where there are threads."""
        if self.run is None or len(calls) == 1:
            for call in calls:
                call()
        else:
            self.run(calls)

    def matmul(self, a: Array, b: Array, out: Array) -> Array:
        """Write the product of ``a``, shape (n, d), and ``b``, shape (d, h), into ``out``.

        A large one is cut by columns, where no sum crosses the cut, by a rule that looks at the
        shapes only.
        """
        work = a.shape[0] * a.shape[1] * b.shape[1]
        if self.run is None or work < SHARED_FROM:
            np.matmul(a, b, out=out)
            return out
        pieces = 2 if work < 4 * SHARED_FROM else LANES
        self.share(
            [
                partial(np.matmul, a, b[:, columns], out=out[:, columns])
                for columns in cut_evenly(b.shape[1], pieces)
            ]
        )
        return out

    def prepare(self, dtype: npt.DTypeLike) -> None:
        """Have everything ready that weights of a dtype will need; NumPy is."""

    def scale(
        self, inputs: npt.NDArray[np.generic], shift: float, divisor: float, out: Array
    ) -> None:
        """Write ``(inputs - shift) / divisor`` into ``out``; both have shape (n, d)."""
        np.subtract(inputs, shift, out=out, dtype=out.dtype, casting="same_kind")
        np.divide(out, divisor, out=out)

    def add_biases(self, y: Array, biases: Array) -> None:
        """Add ``biases``, shape (h,), to every row of ``y``, shape (n, h)."""
        np.add(y, biases, out=y)

    def sum_rows(self, dy: Array, out: Array) -> None:
        """Write the sum of the rows of ``dy``, shape (n, h), into ``out``, shape (h,)."""
        np.matmul(np.ones(len(dy), dy.dtype), dy, out=out)  # quicker than a sum along an axis

    def relu(self, x: Array, out: Array) -> None:
        """Write ``max(x, 0)`` into ``out``, shape (n, ...); a NaN stays one."""
        np.clip(x, 0.0, np.inf, out=out)  # what NumPy does quicker than a maximum

    def relu_backward(self, y: Array, dy: Array, out: Array) -> None:
        """Write ``dy`` where ``y > 0``, else 0, into ``out``; all of shape (n, ...)."""
        np.copyto(out, y > 0.0)
        np.multiply(out, dy, out=out)

    def softmax_cross_entropy(
        self, logits: Array, targets: npt.NDArray[np.integer], out: Array, losses: Array
    ) -> None:
        """Compute the loss of each row and its gradient, for class indices.

        Parameters
        ----------
        logits : array, shape (n, k)
        targets : integer array, shape (n,)
        out : array, shape (n, k)
            Takes ``softmax(logits) - onehot(targets)``.
        losses : array, shape (n,)
            Takes ``log sum exp(logits) - logits[target]``.
        """
        rows = np.arange(len(targets))
        np.subtract(logits, row_maxima(logits), out=out)
        of_target = out[rows, targets]
        # exp(-60) is far below the rounding of a sum that is at least 1, and far above the numbers
        # so small that processors slow down on them
        np.maximum(out, -60.0, out=out)
        np.exp(out, out=out)
        sums = row_sums(out)
        np.log(sums[:, 0], out=losses)
        losses -= of_target
        out /= sums
        out[rows, targets] -= 1.0

    def descend(self, w: Array, dw: Array, rate: float, scratch: Array) -> None:
        """Update one block by plain gradient descent, ``w <- w - rate dw``."""
        np.multiply(dw, rate, out=scratch)
        w -= scratch

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
        descent = np.multiply(dw, -rate, out=scratch)
        velocity *= momentum
        velocity += descent
        if step % FLUSH_EVERY == 0:
            flush(velocity)
        if nesterov:
            w += descent
            np.multiply(velocity, momentum, out=scratch)
            w += scratch
        else:
            w += velocity

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
        first *= beta1
        first += np.multiply(dw, 1.0 - beta1, out=scratch)
        second *= beta2
        np.square(dw, out=scratch)
        scratch *= 1.0 - beta2
        second += scratch
        if step % FLUSH_EVERY == 0:
            flush(first)
            flush(second)

        np.multiply(second, 1.0 / (1.0 - beta2**step), out=scratch)
        np.sqrt(scratch, out=scratch)
        scratch += epsilon
        np.divide(first, scratch, out=scratch)
        scratch *= rate / (1.0 - beta1**step)
        w -= scratch


NUMPY = Kernels()


class UsesKernels:
    """Something whose inner loops come from a set of kernels, NumPy's unless it is told so."""

    kernels: Kernels = NUMPY

    def using(self, kernels: Kernels) -> Self:
        """Return a copy that computes with another set."""
        twin = copy.copy(self)
        object.__setattr__(twin, "kernels", kernels)  # some are frozen
        return twin


def cut_evenly(length: int, pieces: int) -> list[slice]:
    """Return slices that cut a length into so many nearly equal pieces, none of them empty."""
    pieces = max(1, min(pieces, length))
    bounds = [length * piece // pieces for piece in range(pieces + 1)]
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def row_maxima(x: Array) -> Array:
    """Return the largest entry of each row of ``x``, shape (n, k), as shape (n, 1).

    Rows are short; NumPy is several times quicker along the long axis of a transposed copy.
    """
    maxima: Array = np.maximum.reduce(np.ascontiguousarray(x.T), axis=0)
    return maxima[:, None]


def row_sums(x: Array) -> Array:
    """Return the sum of each row of ``x``, shape (n, k), as shape (n, 1): a product is quicker."""
    sums: Array = np.matmul(x, np.ones((x.shape[1], 1), x.dtype))
    return sums


def flush(state: Array) -> None:
    """Set entries that are smaller than `TINY` to zero, in place."""
    state[np.abs(state) < TINY] = 0.0
