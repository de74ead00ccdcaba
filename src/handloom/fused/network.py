"""Compiled forward and backward pass of a network of dense layers, one call each.

The results agree with the layers' own to rounding. Biases and activation are one pass over the
outputs of a matrix product, slope and sums of the biases' gradient another. Rows go to two lanes,
each with its own gradients, which two threads run without waiting for the GIL
(`handloom.fused.split_job`); the lanes and their sum do not depend on the thread that ran them.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from handloom.errors import ModelError
from handloom.fused.compiling import compiled
from handloom.fused.exponential import constants, exponential_less_one
from handloom.fused.gemm import (
    gemm_address,
    product,
    product_of_transposed,
    product_with_transposed,
)
from handloom.fused.reductions import sum_rows
from handloom.fused.split_job import Job, arguments, array_at, job, run_whole
from handloom.operations import Affine, Array, Elementwise, LayerOperation
from handloom.parallel.partition import compiled_row_cut, product_is_shared
from handloom.parallel.pool import Pool

NONE, RELU, TANH, SIGMOID = range(4)
ACTIVATIONS = {"": NONE, "relu": RELU, "tanh": TANH, "sigmoid": SIGMOID}

SETTINGS, PLAN, KNOWN, VALUES, GRADIENT, SECOND, OUTPUTS, SLOPES, X, DLOGITS = range(10)
"""The indices of a job's arrays. Settings: address of ``gemm``, number of layers, of rows."""


def takes(operations: Sequence[LayerOperation]) -> bool:
    """Return whether layers are dense, each but the last with at most one simple activation."""
    return _paired(operations) is not None


def available(dtype: np.dtype[Any]) -> bool:
    """Return whether NumPy's BLAS can be called from compiled code."""
    return gemm_address(dtype) is not None


class DensePass:
    """Compiled pass through dense layers; see `handloom.backend.NetworkPass`.

    Parameters
    ----------
    operations : sequence of LayerOperation
        Operations for which `takes` is True.
    values, gradient : array, shape (size,)
        The weights, and the array that their gradient is written to.
    pool : Pool
        Its threads share the rows, if it has a splitter.

    Raises
    ------
    ValueError
        If `takes` is False for the operations, or NumPy's BLAS cannot be called.
    """

    def __init__(
        self, operations: Sequence[LayerOperation], values: Array, gradient: Array, pool: Pool
    ) -> None:
        steps, gemm = _paired(operations), gemm_address(values.dtype)
        if steps is None or gemm is None:
            raise ValueError(
                "operations must be dense layers, and NumPy's BLAS callable from compiled code"
            )
        self._steps, self._lanes, self._splitter = steps, pool.lanes, pool.splitter
        self._plan = np.array(
            [
                (dense.inputs, dense.units, dense.weights, dense.biases, ACTIVATIONS[activation])
                for dense, activation in steps
            ],
            np.int64,
        )
        self._known = constants(values.dtype)
        self._values, self._gradient = values, gradient
        self._second = gradient if self._splitter is None else np.empty_like(gradient)
        layers = [dense for dense, _ in steps]
        self._inputs, self._outputs_of_row = layers[0].inputs, layers[-1].units
        self._units = sum(dense.units for dense in layers)
        self._work = sum(dense.inputs * dense.units for dense in layers)
        self._settings = np.array([gemm, len(steps), 0], np.int64)
        self._x: Array = np.empty((0, self._inputs), values.dtype)
        self._allocate(0)
        self._sums = arguments(self._gradient, self._second)
        self._jobs = forward_job(values.dtype), backward_job(values.dtype)
        self._addition = addition_job(values.dtype)

    def _allocate(self, rows: int) -> None:
        """Allocate memory for ``rows`` rows."""
        self._outputs = np.empty(rows * self._units, self._values.dtype)
        self._slopes = np.empty_like(self._outputs)
        self._rows = rows
        self._args = arguments(
            self._settings,
            self._plan,
            self._known,
            self._values,
            self._gradient,
            self._second,
            self._outputs,
            self._slopes,
            self._x,
            self._x,
        )

    def takes(self, rows: int) -> bool:
        """Return whether no matrix product is so large that lanes should share it."""
        shared = any(product_is_shared(rows, d.inputs, d.units) for d, _ in self._steps)
        return self._splitter is None or not shared

    def forward(self, x: Array) -> Array:
        """Return the logits, shape (n, k), of rows ``x``, shape (n, d).

        Raises
        ------
        ModelError
            If rows have another size than the first layer's inputs.
        """
        n, d, k = len(x), self._inputs, self._outputs_of_row
        if x.shape != (n, d):
            raise ModelError(f"x must have shape (n, {d}), got {x.shape}")
        x = np.ascontiguousarray(x, self._values.dtype)
        if n > self._rows:
            self._allocate(n)
        self._x, self._settings[2] = x, n
        self._args[X] = x.ctypes.data, x.size
        self._run(self._jobs[0])
        return self._outputs[n * (self._units - k) : n * self._units].reshape(n, k)

    def backward(self, dlogits: Array) -> None:
        """Write the gradient of every weight.

        Raises
        ------
        ModelError
            If the shape is not that of the logits.
        """
        expected = len(self._x), self._outputs_of_row
        if dlogits.shape != expected:
            raise ModelError(f"dlogits must have shape {expected}, got {dlogits.shape}")
        dlogits = np.ascontiguousarray(dlogits, self._values.dtype)
        self._args[DLOGITS] = dlogits.ctypes.data, dlogits.size
        self._run(self._jobs[1])
        if self._splitter is not None and self._middle is not None:
            size = len(self._second)
            self._splitter.run(self._addition, self._sums, size // 2, size)

    @property
    def _middle(self) -> int | None:
        """The row at which the last pass is cut for two lanes, or None."""
        return compiled_row_cut(len(self._x), self._work, self._lanes)

    def _run(self, job: Job) -> None:
        n, middle = len(self._x), self._middle
        if self._splitter is None or middle is None:
            run_whole(job, self._args, n)
        elif self._splitter.run(job, self._args, middle, n):
            self._splitter.ask()


def _paired(operations: Sequence[LayerOperation]) -> list[tuple[Affine, str]] | None:
    """Return dense layers with the activations that follow them, or None for other layers."""
    steps: list[tuple[Affine, str]] = []
    for operation in operations:
        if isinstance(operation, Affine):
            steps.append((operation, ""))
        elif (
            isinstance(operation, Elementwise)
            and operation.function in ACTIVATIONS
            and steps
            and not steps[-1][1]
        ):
            steps[-1] = steps[-1][0], operation.function
        else:
            return None
    return None if not steps or steps[-1][1] else steps


@cache
def forward_job(dtype: np.dtype[Any]) -> Job:
    """Return the job that writes the outputs of every layer for some of the rows."""
    real = dtype.type

    def run(args, start, stop):  # type: ignore[no-untyped-def]
        settings = array_at(args, SETTINGS, np.int64)
        plan = array_at(args, PLAN, np.int64).reshape(settings[1], 5)
        _forward(
            start,
            stop,
            settings[0],
            plan,
            array_at(args, KNOWN, real),
            array_at(args, VALUES, real),
            array_at(args, X, real).reshape(settings[2], plan[0, 0]),
            array_at(args, OUTPUTS, real),
        )

    return job(run)


@cache
def backward_job(dtype: np.dtype[Any]) -> Job:
    """Return the job that writes the gradient of every weight, summed over some of the rows."""
    real = dtype.type

    def run(args, start, stop):  # type: ignore[no-untyped-def]
        settings = array_at(args, SETTINGS, np.int64)
        plan = array_at(args, PLAN, np.int64).reshape(settings[1], 5)
        _backward(
            start,
            stop,
            settings[0],
            plan,
            array_at(args, VALUES, real),
            array_at(args, X, real).reshape(settings[2], plan[0, 0]),
            array_at(args, OUTPUTS, real),
            array_at(args, SLOPES, real),
            array_at(args, DLOGITS, real).reshape(settings[2], plan[-1, 1]),
            array_at(args, GRADIENT if start == 0 else SECOND, real),
        )

    return job(run)


@cache
def addition_job(dtype: np.dtype[Any]) -> Job:
    """Return the job that adds a part of the second array to the first."""
    real = dtype.type

    def run(args, start, stop):  # type: ignore[no-untyped-def]
        total, part = array_at(args, 0, real), array_at(args, 1, real)
        for i in range(start, stop):
            total[i] += part[i]

    return job(run)


@compiled
def _forward(start, stop, gemm, plan, known, values, x, outputs):  # type: ignore[no-untyped-def]
    """Write the outputs of every layer, one layer after the other in memory."""
    a, offset, rows = x[start:stop], 0, len(x)
    for layer in range(len(plan)):
        d, h, at, biases, activation = plan[layer]
        y = outputs[offset + start * h : offset + stop * h].reshape(stop - start, h)
        product(gemm, a, values[at : at + d * h].reshape(d, h), y)
        _activate(activation, values[biases : biases + h], known, y)
        a, offset = y, offset + rows * h


@compiled
def _backward(  # type: ignore[no-untyped-def]
    start, stop, gemm, plan, values, x, outputs, slopes, dlogits, gradient
):
    """Write the gradients of every layer, from the last to the first."""
    dy, rows, last = dlogits[start:stop], len(x), len(plan) - 1
    offset = 0
    for layer in range(len(plan)):
        offset += rows * plan[layer, 1]
    biases = plan[last, 3]
    sum_rows(dy, gradient[biases : biases + plan[last, 1]])
    for layer in range(last, -1, -1):
        d, h, at = plan[layer, 0], plan[layer, 1], plan[layer, 2]
        offset -= rows * h
        dw = gradient[at : at + d * h].reshape(d, h)
        if layer == 0:
            _gradient_of_weights(gemm, x[start:stop], dy, dw)
            return
        before = offset - rows * d
        a = outputs[before + start * d : before + stop * d].reshape(stop - start, d)
        _gradient_of_weights(gemm, a, dy, dw)
        dx = slopes[before + start * d : before + stop * d].reshape(stop - start, d)
        _gradient_of_inputs(gemm, dy, values[at : at + d * h].reshape(d, h), dx)
        biases = plan[layer - 1, 3]
        _pull_back(plan[layer - 1, 4], a, dx, gradient[biases : biases + d])
        dy = dx


@compiled
def _gradient_of_weights(gemm, a, dy, dw):  # type: ignore[no-untyped-def]
    """Write ``a^T dy``. BLAS is slow where there is a single output, here and below."""
    if dy.shape[1] > 1:
        product_of_transposed(gemm, a, dy, dw)
        return
    dw[:, 0] = 0
    for row in range(len(a)):
        for i in range(len(dw)):
            dw[i, 0] += a[row, i] * dy[row, 0]


@compiled
def _gradient_of_inputs(gemm, dy, w, dx):  # type: ignore[no-untyped-def]
    """Write ``dy w^T``."""
    if dy.shape[1] > 1:
        product_with_transposed(gemm, dy, w, dx)
        return
    for row in range(len(dx)):
        for i in range(len(w)):
            dx[row, i] = dy[row, 0] * w[i, 0]


@compiled
def _activate(activation, biases, known, y):  # type: ignore[no-untyped-def]
    """Write ``f(y + biases)`` over ``y``."""
    zero, one, two = y.dtype.type(0), y.dtype.type(1), y.dtype.type(2)
    for row in range(len(y)):
        line = y[row]
        if activation == RELU:
            for i in range(len(line)):
                z = line[i] + biases[i]
                line[i] = zero if z < zero else z
        elif activation == TANH:
            for i in range(len(line)):
                e = exponential_less_one(two * (line[i] + biases[i]), known)
                line[i] = e / (e + two)
        elif activation == SIGMOID:
            for i in range(len(line)):
                e = exponential_less_one(-(line[i] + biases[i]), known)
                line[i] = one / (e + two)
        else:
            for i in range(len(line)):
                line[i] += biases[i]


@compiled
def _pull_back(activation, y, dy, sums):  # type: ignore[no-untyped-def]
    """Multiply ``dy`` by the slope at ``y = f(x)``, and write the sums of its rows."""
    zero, one = y.dtype.type(0), y.dtype.type(1)
    sums[:] = 0
    for row in range(len(y)):
        output, line = y[row], dy[row]
        if activation == RELU:
            for i in range(len(line)):
                line[i] = line[i] if output[i] > zero else zero
        elif activation == TANH:
            for i in range(len(line)):
                line[i] *= one - output[i] * output[i]
        elif activation == SIGMOID:
            for i in range(len(line)):
                line[i] *= output[i] * (one - output[i])
        for i in range(len(line)):
            sums[i] += line[i]


def rehearse(dtype: np.dtype[Any]) -> None:
    """Have the jobs compiled for a dtype."""
    for compile_job in (forward_job, backward_job, addition_job):
        compile_job(dtype)
