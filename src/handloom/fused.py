"""The kernels as single passes over memory, compiled by Numba: the extra ``fast``.

Each loop does what the NumPy kernel of the same name does, and agrees with it to rounding. Compiled
code is cached on disk, so only the first training ever waits for the compiler.
"""

import math
from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from handloom.compiling import compiled
from handloom.fused_exponential import constants, exponential
from handloom.fused_halves import Halves, arguments
from handloom.fused_jobs import (
    adam_job,
    penalize_squares,
    rows_job,
    squares_job,
    update_by_adam,
)
from handloom.fused_pass import FusedPass, addition_job, backward_job, forward_job
from handloom.fused_products import gemm_address
from handloom.fused_tiles import convolve, convolve_backward
from handloom.fused_winograd import (
    transform_inputs,
    transform_inputs_backward,
    transform_outputs,
    transform_outputs_backward,
)
from handloom.kernels import TINY, Kernels, Lend, Run
from handloom.parameters import Array, Parameters
from handloom.passes import DenseStep, Pass
from handloom.waiting import wait
from handloom.winograd import Take

HALVED_FROM_BYTES = 1 << 17
"""How many bytes there must be for two threads to share the copy or the update of them."""


class FusedKernels(Kernels):
    """The inner loops, each in as few passes as it needs.

    Attributes
    ----------
    halves : Halves or None
        Has large copies and updates, and passes, done in halves; None where this is one task of
        several, or nothing is shared.
    """

    name = "fused"
    block = None
    tiles = True
    wait = staticmethod(wait)
    halves: Halves | None = None

    def sharing(self, run: Run, lend: Lend | None = None) -> Self:
        """Return a copy that shares large products, updates and passes between threads."""
        twin = super().sharing(run, lend)
        twin.halves = Halves(lend)
        return twin

    def uncut(self) -> Self:
        """Return a copy for one task of several, which are pieces already."""
        twin = super().uncut()
        twin.halves = None
        return twin

    def prepare(self, dtype: npt.DTypeLike, *, images: bool = True, plain: bool = True) -> None:
        """Have every loop compiled for a dtype, or read from the cache."""
        self.wait(np.ones(1, np.int64), 0)
        real = np.dtype(dtype)
        a, b, c, d = (np.zeros(4, real) for _ in range(4))
        square, targets = np.zeros((2, 2), real), np.zeros(2, np.int64)
        self.scale(np.zeros((2, 2), np.uint8), 0.0, 1.0, square)
        self.sum_rows(square, np.zeros(2, real))
        self.relu(square, square)
        self.relu_backward(square, square, square)
        self.softmax_cross_entropy(square, targets, square, np.zeros(2, real))
        self.binary_cross_entropy(square, square, square, np.zeros(2))
        self.moments(square, a[:2], b[:2])
        self.standardize(square, a[:2], b[:2], c[:2], square)
        self.standardize_sums(square, square, a[:2], b[:2], c[:2])
        self.standardize_backward(square, square, a[:2], b[:2], c[:2], d[:2], square)
        self.penalize(a, b, 0.1, 0.1)
        self.descend(a, b, 0.1, c)
        for nesterov in (False, True):
            self.momentum(a, b, c, 0.1, 0.5, nesterov, 1, d)
        self.adam(a, b, c, d, 0.1, 0.9, 0.999, 1e-7, 1, a)
        for compile_job in (adam_job, squares_job):
            compile_job(real)
        Halves(None).prepare(rows_job(), arguments(targets, targets, targets))
        self.scaled_descent(a, b, c, 0.1, 0.9, 0.1, 1e-7, 1, d)
        self.blend(a, b, 0.1, 1, d)
        if images:
            self._prepare_images(real)
        if plain and gemm_address(real) is not None:
            for compile_job in (forward_job, backward_job, addition_job):
                compile_job(real)

    def _prepare_images(self, real: npt.DTypeLike) -> None:
        """Have the loops over images compiled, which takes several times as long as the rest."""
        x, y = np.zeros((1, 4, 4, 2), real), np.zeros((1, 2, 2, 2), real)
        for stride in (1, 2):
            self.max_pool(x, 2, stride, y)
            self.max_pool_backward(x, y, y, 2, stride, x.copy())
        tiles = np.zeros((6, 6, 1, 1, 1, 2), real)
        self.winograd_inputs(x, 1, 1, tiles, np.empty)
        self.winograd_inputs_backward(tiles, 1, 1, x, np.empty)
        self.winograd_outputs(tiles, x, np.empty)
        self.winograd_outputs_backward(x, tiles, np.empty)
        if self.convolves:
            w = np.zeros((36, 2, 2), real)
            self.convolve(x, w, 1, 1, tiles, tiles.copy(), x)
            self.convolve_backward(x, w, x, 1, 1, tiles, tiles.copy(), w.copy(), x.copy())

    def dense_pass(self, steps: Sequence[DenseStep], parameters: Parameters) -> Pass | None:
        """Return a compiled pass, where NumPy's BLAS can be called from compiled code."""
        gemm = gemm_address(parameters.dtype)
        if gemm is None:
            return None
        return FusedPass(
            steps,
            parameters.values,
            parameters.gradient,
            gemm,
            self.halves,
        )

    def take_rows(
        self,
        inputs: npt.NDArray[np.generic],
        rows: npt.NDArray[np.integer],
        out: npt.NDArray[np.generic],
    ) -> None:
        """Copy rows of ``inputs``, shape (N, ...), into ``out``, shape (n, ...), contiguous."""
        as_bytes = (
            inputs.dtype == out.dtype
            and inputs.flags.c_contiguous
            and out.flags.c_contiguous
            and out.shape == (len(rows), *inputs.shape[1:])
        )
        if self.halves is None or out.nbytes < HALVED_FROM_BYTES or len(rows) < 2 or not as_bytes:
            super().take_rows(inputs, rows, out)
            return
        places = np.ascontiguousarray(rows, np.int64)  # held while its address is used
        source, target = (array.reshape(-1).view(np.uint8) for array in (inputs, out))
        given = arguments(places, source, target)
        self.halves.run(rows_job(), given, len(rows) // 2, len(rows))

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
        if dense := _flat(x, out):
            _relu(*dense)
        else:
            super().relu(x, out)

    def relu_backward(self, y: Array, dy: Array, out: Array) -> None:
        """Write ``dy`` where ``y > 0``, else 0, into ``out``; all of shape (n, ...)."""
        if dense := _flat(y, dy, out):
            _relu_backward(*dense)
        else:
            super().relu_backward(y, dy, out)

    def max_pool(self, x: Array, size: int, stride: int, out: Array) -> None:
        """Write the maximum of each window and channel; a NaN stays one."""
        if (size, stride) == (2, 2):
            _max_pool_pairs(x, out)
        else:
            _max_pool(x, size, stride, out)

    def max_pool_backward(
        self, x: Array, y: Array, dy: Array, size: int, stride: int, out: Array
    ) -> None:
        """Write ``dy`` where each maximum ``y`` of ``x`` came from, the first place of several."""
        if (size, stride) == (2, 2):
            _max_pool_pairs_backward(x, y, dy, out)
        else:
            _max_pool_backward(x, y, dy, size, stride, out)

    def moments(self, x: Array, mean: Array, variance: Array) -> None:
        """Write mean and variance of each column of ``x``, shape (m, c), m at least 1."""
        _moments(x, mean, variance)

    def standardize(self, x: Array, mean: Array, scale: Array, shift: Array, out: Array) -> None:
        """Write ``(x - mean) scale + shift``; ``x`` and ``out``: (m, c), the others: (c,)."""
        _standardize(x, mean, scale, shift, out)

    def standardize_sums(
        self, x: Array, dy: Array, mean: Array, slopes: Array, products: Array
    ) -> None:
        """Write the sums over rows of ``dy`` and of ``dy (x - mean)``, both of shape (c,)."""
        _standardize_sums(x, dy, mean, slopes, products)

    def standardize_backward(
        self, x: Array, dy: Array, mean: Array, a: Array, b: Array, c: Array, out: Array
    ) -> None:
        """Write ``a dy - b (x - mean) - c``; ``x``, ``dy`` and ``out``: (m, c), others: (c,)."""
        _standardize_backward(x, dy, mean, a, b, c, out)

    @property
    def convolves(self) -> bool:  # type: ignore[override]
        """Whether NumPy's BLAS can be called from compiled code."""
        return gemm_address(np.dtype(np.float32)) is not None

    def convolve(
        self, x: Array, u: Array, top: int, left: int, inputs: Array, outputs: Array, y: Array
    ) -> None:
        """Convolve images by way of tiles, a few of them at a time."""
        gemm = gemm_address(x.dtype)
        convolve(gemm, np.ascontiguousarray(x), u, top, left, inputs, outputs, y)

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
        """Add the gradient of transformed weights to ``dw`` and write that of ``x``."""
        convolve_backward(
            gemm_address(x.dtype),
            np.ascontiguousarray(x),
            back,
            np.ascontiguousarray(dy),
            top,
            left,
            inputs,
            outputs,
            back[:0] if dw is None else dw,
            x[:0] if dx is None else dx,
        )

    def winograd_inputs(self, x: Array, top: int, left: int, out: Array, take: Take) -> None:
        """Write ``B^T d B`` of every tile ``d`` of 6 x 6 pixels; tiles are 4 apart."""
        transform_inputs(np.ascontiguousarray(x), top, left, out)

    def winograd_inputs_backward(
        self, tiles: Array, top: int, left: int, out: Array, take: Take
    ) -> None:
        """Write the gradient of images, given that of `winograd_inputs`' result."""
        transform_inputs_backward(tiles, top, left, out)

    def winograd_outputs(self, tiles: Array, out: Array, take: Take) -> None:
        """Write ``A^T M A`` of every tile ``M`` of 6 x 6 numbers, each 4 x 4 pixels."""
        transform_outputs(tiles, out)

    def winograd_outputs_backward(self, dy: Array, out: Array, take: Take) -> None:
        """Write the gradient of tiles, given that of `winograd_outputs`' result."""
        transform_outputs_backward(np.ascontiguousarray(dy), out)

    def softmax_cross_entropy(
        self, logits: Array, targets: npt.NDArray[np.integer], out: Array, losses: Array
    ) -> None:
        """Compute the loss of each row and its gradient, for class indices."""
        _softmax_cross_entropy(logits, targets, constants(out.dtype), out, losses)

    def binary_cross_entropy(
        self, logits: Array, targets: Array, out: Array, losses: Array
    ) -> None:
        """Compute the loss of each row and its gradient, for outputs that are a yes or a no."""
        _binary_cross_entropy(logits, targets, constants(out.dtype), out, losses)

    def penalize(self, w: Array, dw: Array, l1: float, l2: float) -> float:
        """Add the gradient of a penalty to ``dw``, and return the penalty."""
        real = w.dtype.type
        if l1:
            absolute: float = _penalize_absolute(w, dw, real(l1))
            return l1 * absolute + (self.penalize(w, dw, 0.0, l2) if l2 else 0.0)
        if self.halves is None or w.nbytes < HALVED_FROM_BYTES:
            squares: float = penalize_squares(w, dw, real(2.0 * l2))
            return l2 * squares
        factor, sums = np.array([2.0 * l2], real), np.zeros(2)
        given = arguments(w, dw, factor, sums)
        self.halves.run(squares_job(w.dtype), given, len(w) // 2, len(w))
        return l2 * float(sums.sum())

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
        rests = rate / (1.0 - beta1**step), 1.0 / (1.0 - beta2**step)
        numbers = np.array([*rests, beta1, 1.0 - beta1, beta2, 1.0 - beta2, epsilon, TINY], w.dtype)
        if self.halves is None or w.nbytes < HALVED_FROM_BYTES:
            update_by_adam(w, dw, first, second, numbers)
        else:
            given = arguments(w, dw, first, second, numbers)
            self.halves.run(adam_job(w.dtype), given, len(w) // 2, len(w))

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
        """Update one block by the rule of `handloom.optimizers.RMSprop` or `Adagrad`."""
        real = w.dtype.type
        _scaled_descent(
            w, dw, squares, real(rate), real(kept), real(added), real(epsilon), real(TINY)
        )

    def blend(self, mean: Array, x: Array, share: float, step: int, scratch: Array) -> None:
        """Move one block of a running mean, ``mean <- mean + share (x - mean)``."""
        real = mean.dtype.type
        _blend(mean, x, real(share), real(TINY))


def _flat(*arrays: Array) -> list[Array] | None:
    """Return arrays as their memory runs, or None if they do not lie alike and without gaps."""
    if all(array.flags.c_contiguous for array in arrays):
        return [array.reshape(-1) for array in arrays]
    lines = [array.ravel(order="K") for array in arrays]
    alike = all(array.strides == arrays[0].strides for array in arrays)
    whole = all(np.may_share_memory(*pair) for pair in zip(lines, arrays, strict=True))
    return lines if alike and whole else None


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
def _max_pool(x, size, stride, out):  # type: ignore[no-untyped-def]
    for n in range(out.shape[0]):
        for row in range(out.shape[1]):
            for column in range(out.shape[2]):
                y = out[n, row, column]
                y[:] = x[n, row * stride, column * stride]
                for i in range(size):
                    for j in range(size):
                        seen = x[n, row * stride + i, column * stride + j]
                        for k in range(len(y)):
                            y[k] = y[k] if seen[k] <= y[k] or y[k] != y[k] else seen[k]


@compiled
def _max_pool_backward(x, y, dy, size, stride, out):  # type: ignore[no-untyped-def]
    out[:] = 0
    free = np.empty(y.shape[3], y.dtype)  # 1 until the maximum's place is found, then 0
    for n in range(y.shape[0]):
        for row in range(y.shape[1]):
            for column in range(y.shape[2]):
                highest, slope = y[n, row, column], dy[n, row, column]
                free[:] = 1
                for i in range(size):
                    for j in range(size):
                        seen = x[n, row * stride + i, column * stride + j]
                        dx = out[n, row * stride + i, column * stride + j]
                        for k in range(len(seen)):
                            here = free[k] if seen[k] == highest[k] else free.dtype.type(0)
                            dx[k] += here * slope[k]
                            free[k] -= here


@compiled
def _max_pool_pairs(x, out):  # type: ignore[no-untyped-def]
    """Do what `_max_pool` does, for windows of 2 x 2 side by side, in one pass."""
    for n in range(out.shape[0]):
        for row in range(out.shape[1]):
            for column in range(out.shape[2]):
                y, i, j = out[n, row, column], 2 * row, 2 * column
                x00, x01 = x[n, i, j], x[n, i, j + 1]
                x10, x11 = x[n, i + 1, j], x[n, i + 1, j + 1]
                for k in range(len(y)):
                    upper = x00[k] if x01[k] <= x00[k] or math.isnan(x00[k]) else x01[k]
                    lower = x10[k] if x11[k] <= x10[k] or math.isnan(x10[k]) else x11[k]
                    y[k] = upper if lower <= upper or math.isnan(upper) else lower


@compiled
def _max_pool_pairs_backward(x, y, dy, out):  # type: ignore[no-untyped-def]
    """Do what `_max_pool_backward` does, for windows of 2 x 2 side by side, in one pass."""
    zero = y.dtype.type(0)
    if out.shape[1] > 2 * y.shape[1] or out.shape[2] > 2 * y.shape[2]:
        out[:] = 0
    for n in range(y.shape[0]):
        for row in range(y.shape[1]):
            for column in range(y.shape[2]):
                highest, slope, i, j = y[n, row, column], dy[n, row, column], 2 * row, 2 * column
                x00, x01, x10 = x[n, i, j], x[n, i, j + 1], x[n, i + 1, j]
                x11 = x[n, i + 1, j + 1]
                dx00, dx01 = out[n, i, j], out[n, i, j + 1]
                dx10, dx11 = out[n, i + 1, j], out[n, i + 1, j + 1]
                for k in range(len(slope)):
                    h, left = highest[k], slope[k]  # what is left for the places that follow
                    dx00[k] = left if x00[k] == h else zero
                    left = zero if x00[k] == h else left
                    dx01[k] = left if x01[k] == h else zero
                    left = zero if x01[k] == h else left
                    dx10[k] = left if x10[k] == h else zero
                    left = zero if x10[k] == h else left
                    dx11[k] = left if x11[k] == h else zero


@compiled
def _moments(x, mean, variance):  # type: ignore[no-untyped-def]
    part = np.zeros_like(mean)
    mean[:] = 0
    variance[:] = 0
    for row in range(x.shape[0]):
        for k in range(x.shape[1]):
            part[k] += x[row, k]
        if row % 64 == 63:  # short sums first: they round less
            for k in range(x.shape[1]):
                mean[k] += part[k]
                part[k] = 0
    for k in range(x.shape[1]):
        mean[k] = (mean[k] + part[k]) / mean.dtype.type(x.shape[0])
        part[k] = 0
    for row in range(x.shape[0]):
        for k in range(x.shape[1]):
            centred = x[row, k] - mean[k]
            part[k] += centred * centred
        if row % 64 == 63:
            for k in range(x.shape[1]):
                variance[k] += part[k]
                part[k] = 0
    for k in range(x.shape[1]):
        variance[k] = (variance[k] + part[k]) / mean.dtype.type(x.shape[0])


@compiled
def _standardize(x, mean, scale, shift, out):  # type: ignore[no-untyped-def]
    for row in range(x.shape[0]):
        for k in range(x.shape[1]):
            out[row, k] = (x[row, k] - mean[k]) * scale[k] + shift[k]


@compiled
def _standardize_sums(x, dy, mean, slopes, products):  # type: ignore[no-untyped-def]
    part, part_of_products = np.zeros_like(mean), np.zeros_like(mean)
    slopes[:] = 0
    products[:] = 0
    for row in range(x.shape[0]):
        for k in range(x.shape[1]):
            part[k] += dy[row, k]
            part_of_products[k] += dy[row, k] * (x[row, k] - mean[k])
        if row % 64 == 63 or row == x.shape[0] - 1:
            for k in range(x.shape[1]):
                slopes[k] += part[k]
                products[k] += part_of_products[k]
                part[k] = 0
                part_of_products[k] = 0


@compiled
def _standardize_backward(x, dy, mean, a, b, c, out):  # type: ignore[no-untyped-def]
    for row in range(x.shape[0]):
        for k in range(x.shape[1]):
            out[row, k] = a[k] * dy[row, k] - b[k] * (x[row, k] - mean[k]) - c[k]


@compiled
def _penalize_absolute(w, dw, factor):  # type: ignore[no-untyped-def]
    """Add ``factor sign w`` to ``dw``; return ``sum |w|``."""
    total, zero = 0.0, w.dtype.type(0)
    for i in range(len(w)):
        total += abs(w[i])
        dw[i] += factor if w[i] > zero else (-factor if w[i] < zero else zero)
    return total


@compiled
def _softmax_cross_entropy(logits, targets, known, out, losses):  # type: ignore[no-untyped-def]
    _shift(logits, targets, out, losses)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            out[row, column] = exponential(out[row, column], known)
    _normalize(targets, out, losses)


@compiled
def _binary_cross_entropy(logits, targets, known, out, losses):  # type: ignore[no-untyped-def]
    zero, one = out.dtype.type(0), out.dtype.type(1)
    for row in range(logits.shape[0]):
        losses[row] = 0.0
        for column in range(logits.shape[1]):
            z, t = logits[row, column], targets[row, column]
            small = exponential(-abs(z), known)
            losses[row] += (zero if z < zero else z) - t * z + math.log1p(small)
            out[row, column] = (one if z > zero else small) / (one + small) - t


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
def _scaled_descent(w, dw, squares, rate, kept, added, epsilon, tiny):  # type: ignore[no-untyped-def]
    zero = w.dtype.type(0)
    for i in range(len(w)):
        g = dw[i]
        v = kept * squares[i] + added * (g * g)
        v = zero if v < tiny else v
        squares[i] = v
        w[i] -= rate * (g / (np.sqrt(v) + epsilon))


@compiled
def _blend(mean, x, share, tiny):  # type: ignore[no-untyped-def]
    zero = mean.dtype.type(0)
    for i in range(len(mean)):
        m = mean[i] + share * (x[i] - mean[i])
        mean[i] = zero if abs(m) < tiny else m


FUSED = FusedKernels()
