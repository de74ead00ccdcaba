"""Every kernel of `handloom.kernels`, computed by compiled loops.

Each does what the NumPy kernel of the same name does, and agrees with it to rounding. The loops are
in the files beside this one.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from handloom.fused.copies import rows_job
from handloom.fused.dense import FusedPass, addition_job, backward_job, forward_job
from handloom.fused.elementwise import relu, relu_backward, scale, sum_rows
from handloom.fused.exponential import constants
from handloom.fused.halves import Halves, arguments
from handloom.fused.losses import binary_cross_entropy, softmax_cross_entropy
from handloom.fused.normalization import (
    moments,
    standardize,
    standardize_backward,
    standardize_sums,
)
from handloom.fused.penalties import penalize, penalties_job
from handloom.fused.pooling import (
    max_pool,
    max_pool_backward,
    max_pool_pairs,
    max_pool_pairs_backward,
)
from handloom.fused.products import gemm_address
from handloom.fused.tiles import convolve, convolve_backward
from handloom.fused.updates import (
    adam_job,
    blend,
    descend,
    scaled_descent,
    update_by_adam,
    update_by_momentum,
)
from handloom.fused.waiting import wait
from handloom.fused.winograd import (
    transform_inputs,
    transform_inputs_backward,
    transform_outputs,
    transform_outputs_backward,
)
from handloom.kernels import TINY, Kernels, Lend, Run
from handloom.parameters import Array, Parameters, length
from handloom.passes import DenseStep, Pass
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
        penalize(a, b, np.array([[0, 4]]), np.ones((1, 2)), 0, 4, np.zeros(4))
        self.descend(a, b, 0.1, c)
        for nesterov in (False, True):
            self.momentum(a, b, c, 0.1, 0.5, nesterov, 1, d)
        self.adam(a, b, c, d, 0.1, 0.9, 0.999, 1e-7, 1, a)
        for compile_job in (adam_job, penalties_job):
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
            scale(inputs.reshape(-1), real(shift), real(1.0 / divisor), out.reshape(-1))
        else:
            super().scale(inputs, shift, divisor, out)

    def sum_rows(self, dy: Array, out: Array) -> None:
        """Write the sum of the rows of ``dy``, shape (n, h), into ``out``, shape (h,)."""
        sum_rows(dy, out)

    def relu(self, x: Array, out: Array) -> None:
        """Write ``max(x, 0)`` into ``out``, shape (n, ...); a NaN stays one."""
        if dense := _flat(x, out):
            relu(*dense)
        else:
            super().relu(x, out)

    def relu_backward(self, y: Array, dy: Array, out: Array) -> None:
        """Write ``dy`` where ``y > 0``, else 0, into ``out``; all of shape (n, ...)."""
        if dense := _flat(y, dy, out):
            relu_backward(*dense)
        else:
            super().relu_backward(y, dy, out)

    def max_pool(self, x: Array, size: int, stride: int, out: Array) -> None:
        """Write the maximum of each window and channel; a NaN stays one."""
        if (size, stride) == (2, 2):
            max_pool_pairs(x, out)
        else:
            max_pool(x, size, stride, out)

    def max_pool_backward(
        self, x: Array, y: Array, dy: Array, size: int, stride: int, out: Array
    ) -> None:
        """Write ``dy`` where each maximum ``y`` of ``x`` came from, the first place of several."""
        if (size, stride) == (2, 2):
            max_pool_pairs_backward(x, y, dy, out)
        else:
            max_pool_backward(x, y, dy, size, stride, out)

    def moments(self, x: Array, mean: Array, variance: Array) -> None:
        """Write mean and variance of each column of ``x``, shape (m, c), m at least 1."""
        moments(x, mean, variance)

    def standardize(self, x: Array, mean: Array, scale: Array, shift: Array, out: Array) -> None:
        """Write ``(x - mean) scale + shift``; ``x`` and ``out``: (m, c), the others: (c,)."""
        standardize(x, mean, scale, shift, out)

    def standardize_sums(
        self, x: Array, dy: Array, mean: Array, slopes: Array, products: Array
    ) -> None:
        """Write the sums over rows of ``dy`` and of ``dy (x - mean)``, both of shape (c,)."""
        standardize_sums(x, dy, mean, slopes, products)

    def standardize_backward(
        self, x: Array, dy: Array, mean: Array, a: Array, b: Array, c: Array, out: Array
    ) -> None:
        """Write ``a dy - b (x - mean) - c``; ``x``, ``dy`` and ``out``: (m, c), others: (c,)."""
        standardize_backward(x, dy, mean, a, b, c, out)

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
        softmax_cross_entropy(logits, targets, constants(out.dtype), out, losses)

    def binary_cross_entropy(
        self, logits: Array, targets: Array, out: Array, losses: Array
    ) -> None:
        """Compute the loss of each row and its gradient, for outputs that are a yes or a no."""
        binary_cross_entropy(logits, targets, constants(out.dtype), out, losses)

    def penalize(self, parameters: Parameters, scale: float) -> tuple[float, float]:
        """Add ``scale`` times the gradient of all penalties; return them, and the norm."""
        w, dw = parameters.vector, parameters.gradient
        places, strengths = parameters.penalized
        strengths, sums = scale * strengths, np.zeros(4)
        if self.halves is None or w.nbytes < HALVED_FROM_BYTES:
            penalize(w, dw, places, strengths, 0, len(w), sums)
        else:
            given = arguments(w, dw, places, strengths, sums)
            self.halves.run(penalties_job(w.dtype), given, len(w) // 2, len(w))
        return float(sums[0] + sums[2]), length(dw, float(sums[1] + sums[3]))

    def descend(self, w: Array, dw: Array, rate: float, scratch: Array) -> None:
        """Update one block by plain gradient descent, ``w <- w - rate dw``."""
        descend(w, dw, w.dtype.type(rate))

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
        update_by_momentum(w, dw, velocity, real(rate), real(momentum), nesterov, real(TINY))

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
        scaled_descent(
            w, dw, squares, real(rate), real(kept), real(added), real(epsilon), real(TINY)
        )

    def blend(self, mean: Array, x: Array, share: float, step: int, scratch: Array) -> None:
        """Move one block of a running mean, ``mean <- mean + share (x - mean)``."""
        real = mean.dtype.type
        blend(mean, x, real(share), real(TINY))


def _flat(*arrays: Array) -> list[Array] | None:
    """Return arrays as their memory runs, or None if they do not lie alike and without gaps."""
    if all(array.flags.c_contiguous for array in arrays):
        return [array.reshape(-1) for array in arrays]
    lines = [array.ravel(order="K") for array in arrays]
    alike = all(array.strides == arrays[0].strides for array in arrays)
    whole = all(np.may_share_memory(*pair) for pair in zip(lines, arrays, strict=True))
    return lines if alike and whole else None


FUSED = FusedKernels()
