"""The few inner loops where speed is decided, written in NumPy: the definition.

`handloom.fused` has the same loops as single passes, compiled by Numba, for those who installed
the extra ``fast``. They agree to rounding. One set of kernels is chosen before a training and
serves all of it, because bits are promised for one set only.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt

from handloom.parameters import Array, Parameters, length
from handloom.passes import DenseStep, Pass
from handloom.winograd import (
    Take,
    transform_inputs,
    transform_inputs_backward,
    transform_outputs,
    transform_outputs_backward,
)

TINY = 1e-34
"""Below this, what an optimizer remembers is taken for zero.

A unit that is dead has a gradient of exactly zero. Its moments then shrink at every step until they
are so small that processors handle them in microcode, many times slower, and stay there. An update
made of remainders this small is far below the rounding of any weight.
"""

BLOCK = 16_384
"""How many numbers NumPy takes at a time where several passes follow each other."""

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

SHARED_FROM_WEIGHTS = 1 << 18
"""How many weights there must be for threads to share their update."""

Call = Callable[[], object]
Run = Callable[[Sequence[Call]], object]
Lend = Callable[[Call, Call], bool]
Wait = Callable[[npt.NDArray[np.int64], int], None]
TakeRows = Callable[
    [npt.NDArray[np.generic], npt.NDArray[np.integer], npt.NDArray[np.generic]], None
]


class Kernels:
    """The inner loops, as NumPy computes them.

    Attributes
    ----------
    name : str
        What a run records.
    block : int or None
        How many weights to update at a time, so that the passes of a rule find them in the cache;
        None where there is one pass.
    tiles : bool
        Whether Winograd's tiles pay for their transforms. In NumPy's many passes they do not.
    convolves : bool
        Whether `convolve` and `convolve_backward` are there, which take a batch in one call.
    pieces : int
        Into how many pieces a layer cuts what it computes in a way of its own.
    run : callable or None
        Makes several calls at once, so that large products and updates are shared by threads.
    wait : callable or None
        ``wait(counter, seen)`` returns when a counter, shape (1,), is not what was seen, or after
        some milliseconds, without falling asleep and without holding up other threads.
    """

    name = "numpy"
    block: int | None = BLOCK
    tiles: bool = False
    convolves: bool = False
    pieces: int = LANES
    run: Run | None = None
    wait: Wait | None = None

    def sharing(self, run: Run, lend: Lend | None = None) -> Self:
        """Return a copy that shares large products and updates between threads.

        Parameters
        ----------
        run : callable
            Makes several calls at once.
        lend : callable, optional
            ``lend(call, recall)`` has another thread make a call that lasts until nothing is asked
            of it for a while, or until ``recall()``; False where there is no other thread. NumPy's
            loops have no use for it.
        """
        twin = copy.copy(self)
        twin.run = run
        return twin

    def uncut(self) -> Self:
        """Return a copy for one task of several, which are pieces already."""
        twin = copy.copy(self)
        twin.pieces, twin.run = 1, None
        return twin

    def share(self, calls: Sequence[Call]) -> None:
        """Make calls that do not depend on each other: at once, where there are threads."""
        if self.run is None or len(calls) < 2:
            for call in calls:
                call()
        else:
            self.run(calls)

    def blocks(self, piece: slice) -> Iterator[slice]:
        """Cut a run of weights into runs of ``block``, or leave it whole."""
        size = self.block or max(1, piece.stop - piece.start)
        for start in range(piece.start, piece.stop, size):
            yield slice(start, min(start + size, piece.stop))

    def matmul(self, a: Array, b: Array, out: Array) -> Array:
        """Write the product of ``a``, shape (n, d), and ``b``, shape (d, h), into ``out``.

        A large one is cut along the longer side of ``out``, where no sum crosses the cut, by a rule
        that looks at the shapes only.
        """
        work = a.shape[0] * a.shape[1] * b.shape[1]
        if a.shape[1] == 1:
            return np.multiply(a, b, out=out)  # a single output's gradient: BLAS is slow at those
        if self.run is None or work < SHARED_FROM:
            return np.matmul(a, b, out=out)
        pieces = cut_evenly(max(out.shape), 2 if work < 4 * SHARED_FROM else LANES)
        if out.shape[0] >= out.shape[1]:
            self.share([partial(np.matmul, a[rows], b, out=out[rows]) for rows in pieces])
        else:
            self.share([partial(np.matmul, a, b[:, cut], out=out[:, cut]) for cut in pieces])
        return out

    def dense_pass(self, steps: Sequence[DenseStep], parameters: Parameters) -> Pass | None:
        """Return what runs dense layers as a whole, if this set of kernels has such a thing.

        Parameters
        ----------
        steps : sequence of DenseStep
            At least one; the last one gives the logits.
        parameters : Parameters
            The weights, all of them trained, and where their gradients go.
        """
        return None

    def prepare(self, dtype: npt.DTypeLike, *, images: bool = True, plain: bool = True) -> None:
        """Have ready what weights of a dtype will need; for NumPy there is nothing to do.

        Parameters
        ----------
        dtype : dtype
        images : bool
            Whether the loops over images are needed too.
        plain : bool
            Whether `dense_pass` is.
        """

    def take_rows(
        self,
        inputs: npt.NDArray[np.generic],
        rows: npt.NDArray[np.integer],
        out: npt.NDArray[np.generic],
    ) -> None:
        """Copy rows of ``inputs``, shape (N, ...), into ``out``, shape (n, ...), contiguous.

        Their numbers, shape (n,), are known to be there.
        """
        inputs.take(rows, axis=0, out=out, mode="clip")  # other modes make one more copy

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
        np.matmul(_ones(len(dy), dy.dtype), dy, out=out)  # quicker than a sum along an axis

    def relu(self, x: Array, out: Array) -> None:
        """Write ``max(x, 0)`` into ``out``, shape (n, ...); a NaN stays one."""
        x.clip(0.0, np.inf, out=out)  # what NumPy does quicker than a maximum

    def relu_backward(self, y: Array, dy: Array, out: Array) -> None:
        """Write ``dy`` where ``y > 0``, else 0, into ``out``; all of shape (n, ...)."""
        np.copyto(out, y > 0.0)
        np.multiply(out, dy, out=out)

    def max_pool(self, x: Array, size: int, stride: int, out: Array) -> None:
        """Write the maximum of each window and channel; a NaN stays one.

        ``x``: (n, y, x, c); ``out``: (n, rows, columns, c); windows of ``size x size``.
        """
        first, *others = window_steps(size, stride, *out.shape[1:3])
        np.copyto(out, x[first])
        for step in others:
            np.maximum(out, x[step], out=out)

    def max_pool_backward(
        self, x: Array, y: Array, dy: Array, size: int, stride: int, out: Array
    ) -> None:
        """Write ``dy`` where each maximum ``y`` of ``x`` came from, the first place of several.

        ``x`` and ``out``: (n, y, x, c); ``y`` and ``dy``: (n, rows, columns, c).
        """
        out.fill(0.0)
        free = np.ones(y.shape, np.bool_)
        for step in window_steps(size, stride, *y.shape[1:3]):
            here = (x[step] == y) & free
            free ^= here
            out[step] += dy * here

    def moments(self, x: Array, mean: Array, variance: Array) -> None:
        """Write mean and variance of each column of ``x``, shape (m, c), m at least 1."""
        mean.fill(0.0)
        variance.fill(0.0)
        for rows in _row_blocks(x):
            mean += x[rows].sum(axis=0)
        mean /= len(x)
        for rows in _row_blocks(x):
            centred = x[rows] - mean
            variance += np.einsum("mc,mc->c", centred, centred)
        variance /= len(x)

    def standardize(self, x: Array, mean: Array, scale: Array, shift: Array, out: Array) -> None:
        """Write ``(x - mean) scale + shift``; ``x`` and ``out``: (m, c), the others: (c,)."""
        for rows in _row_blocks(x):
            np.subtract(x[rows], mean, out=out[rows])
            out[rows] *= scale
            out[rows] += shift

    def standardize_sums(
        self, x: Array, dy: Array, mean: Array, slopes: Array, products: Array
    ) -> None:
        """Write the sums over rows of ``dy`` and of ``dy (x - mean)``, both of shape (c,)."""
        slopes.fill(0.0)
        products.fill(0.0)
        for rows in _row_blocks(x):
            slopes += dy[rows].sum(axis=0)
            products += np.einsum("mc,mc->c", dy[rows], x[rows] - mean)

    def standardize_backward(
        self, x: Array, dy: Array, mean: Array, a: Array, b: Array, c: Array, out: Array
    ) -> None:
        """Write ``a dy - b (x - mean) - c``; ``x``, ``dy`` and ``out``: (m, c), others: (c,)."""
        for rows in _row_blocks(x):
            np.multiply(dy[rows], a, out=out[rows])
            out[rows] -= (x[rows] - mean) * b
            out[rows] -= c

    def winograd_inputs(self, x: Array, top: int, left: int, out: Array, take: Take) -> None:
        """Write ``B^T d B`` of every tile ``d`` of 6 x 6 pixels; tiles are 4 apart.

        Parameters
        ----------
        x : array, shape (b, y, x, c)
        top, left : int
            Rows and columns of zeros before an image; behind it there are as many as tiles reach.
        out : array, shape (6, 6, b, t, u, c)
        take : callable
            Where the memory comes from that this needs on the way.
        """
        transform_inputs(x, top, left, out, take)

    def winograd_inputs_backward(
        self, tiles: Array, top: int, left: int, out: Array, take: Take
    ) -> None:
        """Write the gradient of images, given that of `winograd_inputs`' result."""
        transform_inputs_backward(tiles, top, left, out, take)

    def winograd_outputs(self, tiles: Array, out: Array, take: Take) -> None:
        """Write ``A^T M A`` of every tile ``M`` of 6 x 6 numbers, each 4 x 4 pixels.

        Parameters
        ----------
        tiles : array, shape (6, 6, b, t, u, f)
        out : array, shape (b, y, x, f)
            What of the tiles goes past its edge is dropped.
        take : callable
        """
        transform_outputs(tiles, out, take)

    def winograd_outputs_backward(self, dy: Array, out: Array, take: Take) -> None:
        """Write the gradient of tiles, given that of `winograd_outputs`' result."""
        transform_outputs_backward(dy, out, take)

    def convolve(
        self, x: Array, u: Array, top: int, left: int, inputs: Array, outputs: Array, y: Array
    ) -> None:
        """Convolve images by way of tiles, a few of them at a time.

        Parameters
        ----------
        x : array, shape (n, y, x, c)
        u : array, shape (36, c, f)
            Transformed weights; see `handloom.layers.correlation.Tiles`.
        top, left : int
            As in `winograd_inputs`.
        inputs, outputs : array, shape (6, 6, b, t, u, c) and (6, 6, b, t, u, f)
            Memory for the tiles of so many images.
        y : array, shape (n, rows, columns, f)
            Takes the result.
        """
        raise NotImplementedError

    def convolve_backward(
        self,
        x: Array,
        back: Array,
        dy: Array,
        top: int,
        left: int,
        inputs: Array,
        outputs: Array,
        dw: Array | None,
        dx: Array | None,
    ) -> None:
        """Add the gradient of transformed weights to ``dw`` and write that of ``x``, where wanted.

        See `convolve`; ``back`` has shape (36, f, c): ``u`` with its last two axes swapped.
        """
        raise NotImplementedError

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

    def binary_cross_entropy(
        self, logits: Array, targets: Array, out: Array, losses: Array
    ) -> None:
        """Compute the loss of each row and its gradient, for outputs that are a yes or a no.

        Parameters
        ----------
        logits, targets : array, shape (n, k)
        out : array, shape (n, k)
            Takes ``sigmoid(logits) - targets``.
        losses : float64 array, shape (n,)
            Takes the sums over outputs of ``max(z, 0) - t z + log(1 + exp(-|z|))``.
        """
        z, t = logits, targets
        small = np.exp(-np.abs(z))
        of_outputs = np.maximum(z, 0.0) - t * z + np.log1p(small)
        np.divide(np.where(z > 0.0, 1.0, small), 1.0 + small, out=out)  # sigmoid(z)
        out -= t
        of_outputs.sum(axis=1, dtype=np.float64, out=losses)

    def penalize(self, parameters: Parameters, scale: float) -> tuple[float, float]:
        """Add ``scale`` times the gradient of all penalties to the gradient.

        Returns
        -------
        tuple of float
            ``scale`` times the penalties, and the Euclidean norm of the gradient that there is now.
        """
        parameters.add_penalty_gradient(scale)
        return scale * parameters.penalty(), length(parameters.gradient)

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

        # both sides of the fraction times the root of the correction, which spares a pass
        root = math.sqrt(1.0 - beta2**step)
        np.sqrt(second, out=scratch)
        scratch += epsilon * root
        np.divide(first, scratch, out=scratch)
        scratch *= rate * root / (1.0 - beta1**step)
        w -= scratch

    def scaled_descent(
        self,
        w: Array,
        dw: Array,
        squares: Array,
        rate: float,
        kept: float,
        added: float,
        epsilon: float,
        step: int,
        scratch: Array,
    ) -> None:
        """Update one block by the rule of `handloom.optimizers.RMSprop` or `Adagrad`.

        ``squares <- kept squares + added dw^2``; ``w <- w - rate dw / (sqrt(squares) + epsilon)``.
        """
        squares *= kept
        np.square(dw, out=scratch)
        scratch *= added
        squares += scratch
        if step % FLUSH_EVERY == 0:
            flush(squares)

        np.sqrt(squares, out=scratch)
        scratch += epsilon
        np.divide(dw, scratch, out=scratch)
        scratch *= rate
        w -= scratch

    def blend(self, mean: Array, x: Array, share: float, step: int, scratch: Array) -> None:
        """Move one block of a running mean, ``mean <- mean + share (x - mean)``."""
        np.subtract(x, mean, out=scratch)
        scratch *= share
        mean += scratch
        if step % FLUSH_EVERY == 0:
            flush(mean)


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


def cut_for_update(weights: int) -> list[slice]:
    """Cut a vector of so many weights into the pieces in which threads update it."""
    return cut_evenly(weights, LANES if weights >= SHARED_FROM_WEIGHTS else 1)


def row_maxima(x: Array) -> Array:
    """Return the largest entry of each row of ``x``, shape (n, k), as shape (n, 1).

    Rows are short; NumPy is several times quicker along the long axis of a transposed copy.
    """
    maxima: Array = np.maximum.reduce(np.ascontiguousarray(x.T), axis=0)
    return maxima[:, None]


def row_sums(x: Array) -> Array:
    """Return the sum of each row of ``x``, shape (n, k), as shape (n, 1): a product is quicker."""
    sums: Array = np.matmul(x, _ones(x.shape[1], x.dtype).reshape(-1, 1))
    return sums


@lru_cache(maxsize=16)  # a training asks for the same few lengths at every step
def _ones(length: int, dtype: np.dtype[np.floating]) -> Array:
    """Return ones to sum with, shape (length,), which stay and which nobody can write to."""
    ones: Array = np.ones(length, dtype)
    ones.flags.writeable = False
    return ones


def window_steps(
    size: int, stride: int, rows: int, columns: int
) -> list[tuple[slice, slice, slice]]:
    """Return where each place of a window lands on images (n, y, x, c), for all windows at once."""
    return [
        (
            slice(None),
            slice(i, i + (rows - 1) * stride + 1, stride),
            slice(j, j + (columns - 1) * stride + 1, stride),
        )
        for i in range(size)
        for j in range(size)
    ]


def _row_blocks(x: Array) -> list[slice]:
    """Cut the rows of ``x``, shape (m, c), into blocks that fit the cache."""
    size = max(1, BLOCK // x.shape[1])
    return [slice(start, start + size) for start in range(0, len(x), size)]


def flush(state: Array) -> None:
    """Set entries that are smaller than `TINY` to zero, in place."""
    state[np.abs(state) < TINY] = 0.0
