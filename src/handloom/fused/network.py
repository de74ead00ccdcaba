"""A network of dense layers, forward and backward, each in one compiled call.

It computes what the layers compute one by one, and agrees with them to rounding. Biases and
activation are one pass over the outputs of a product, slope and sums of the biases' gradient
another. Rows go to two lanes, each with gradients of its own, which two threads run without ever
meeting at the interpreter's lock (`handloom.fused.split_job`); the lanes and their sum are the same
whoever computed them.
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
"""The places of a job's arrays. Settings: where ``gemm`` is, the number of layers, that of rows."""


def takes(operations: Sequence[LayerOperation]) -> bool:
    """Return whether layers are dense, each but the last with at most one simple activation."""
    return _paired(operations) is not None


def available(dtype: np.dtype[Any]) -> bool:
    """Return whether NumPy's BLAS can be called from compiled code."""
    return gemm_address(dtype) is not None


class DensePass:
    """See `handloom.backend.NetworkPass`.

    Parameters
    ----------
    operations : sequence of LayerOperation
        For which `takes` holds.
    values, gradient : array, shape (size,)
        The weights, and where their gradient goes.
    pool : Pool
        Its threads share the rows, if it has a splitter.

    Raises
    ------
    ValueError
        If it cannot take the operations, or there is no BLAS to call.
    """

    def __init__(
        self, operations: Sequence[LayerOperation], values: Array, gradient: Array, pool: Pool
    ) -> None:
        steps, gemm = _paired(operations), gemm_address(values.dtype)
        if steps is None or gemm is None:
            raise ValueError("a compiled pass needs dense layers, and a BLAS to call")
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
        self._make_space(0)
        self._sums = arguments(self._gradient, self._second)
        self._jobs = forward_job(values.dtype), backward_job(values.dtype)
        self._addition = addition_job(values.dtype)

    def _make_space(self, rows: int) -> None:
        """Make memory for so many rows."""
        self._outputs = np.empty(rows * self._units, self._values.dtype)
        self._slopes = np.empty_like(self._outputs)
        self._rows = rows
        self._given = arguments(
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
        """Return whether no product is so large that lanes should share it."""
        shared = any(product_is_shared(rows, d.inputs, d.units) for d, _ in self._steps)
        return self._splitter is None or not shared

    def forward(self, x: Array) -> Array:
        """Return the logits, shape (n, k), of rows ``x``, shape (n, d).

        Raises
        ------
        ModelError
            If rows have another length.
        """
        n, d, k = len(x), self._inputs, self._outputs_of_row
        if x.shape != (n, d):
            raise ModelError(f"x must have shape (n, {d}), got {x.shape}")
        x = np.ascontiguousarray(x, self._values.dtype)
        if n > self._rows:
            self._make_space(n)
        self._x, self._settings[2] = x, n
        self._given[X] = x.ctypes.data, x.size
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
        self._given[DLOGITS] = dlogits.ctypes.data, dlogits.size
        self._run(self._jobs[1])
        if self._splitter is not None and self._middle is not None:
            size = len(self._second)
            self._splitter.run(self._addition, self._sums, size // 2, size)

    @property
    def _middle(self) -> int | None:
        """Where the rows of the last pass are cut for two lanes, if they are."""
        return compiled_row_cut(len(self._x), self._work, self._lanes)

    def _run(self, job: Job) -> None:
        n, middle = len(self._x), self._middle
        if self._splitter is None or middle is None:
            run_whole(job, self._given, n)
        elif self._splitter.run(job, self._given, middle, n):
            self._splitter.ask()


def _paired(operations: Sequence[LayerOperation]) -> list[tuple[Affine, str]] | None:
    """Return dense layers with the activations that follow them, or None if there is more."""
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

    def run(given, start, stop):  # type: ignore[no-untyped-def]
        settings = array_at(given, SETTINGS, np.int64)
        plan = array_at(given, PLAN, np.int64).reshape(settings[1], 5)
        _forward(
            start,
            stop,
            settings[0],
            plan,
            array_at(given, KNOWN, real),
            array_at(given, VALUES, real),
            array_at(given, X, real).reshape(settings[2], plan[0, 0]),
            array_at(given, OUTPUTS, real),
        )

    return job(run)


@cache
def backward_job(dtype: np.dtype[Any]) -> Job:
    """Return the job that writes the gradient of every weight that some of the rows give."""
    real = dtype.type

    def run(given, start, stop):  # type: ignore[no-untyped-def]
        settings = array_at(given, SETTINGS, np.int64)
        plan = array_at(given, PLAN, np.int64).reshape(settings[1], 5)
        _backward(
            start,
            stop,
            settings[0],
            plan,
            array_at(given, VALUES, real),
            array_at(given, X, real).reshape(settings[2], plan[0, 0]),
            array_at(given, OUTPUTS, real),
            array_at(given, SLOPES, real),
            array_at(given, DLOGITS, real).reshape(settings[2], plan[-1, 1]),
            array_at(given, GRADIENT if start == 0 else SECOND, real),
        )

    return job(run)


@cache
def addition_job(dtype: np.dtype[Any]) -> Job:
    """Return the job that adds some of the second array to the first."""
    real = dtype.type

    def run(given, start, stop):  # type: ignore[no-untyped-def]
        total, part = array_at(given, 0, real), array_at(given, 1, real)
        for i in range(start, stop):
            total[i] += part[i]

    return job(run)


@compiled
def _forward(start, stop, gemm, plan, known, values, x, outputs):  # type: ignore[no-untyped-def]
    """Write the outputs of every layer, one layer after the other in memory."""
    a, place, rows = x[start:stop], 0, len(x)
    for layer in range(len(plan)):
        d, h, at, biases, activation = plan[layer]
        y = outputs[place + start * h : place + stop * h].reshape(stop - start, h)
        product(gemm, a, values[at : at + d * h].reshape(d, h), y)
        _activate(activation, values[biases : biases + h], known, y)
        a, place = y, place + rows * h


@compiled
def _backward(  # type: ignore[no-untyped-def]
    start, stop, gemm, plan, values, x, outputs, slopes, dlogits, gradient
):
    """Write the gradients of every layer, from the last to the first."""
    dy, rows, last = dlogits[start:stop], len(x), len(plan) - 1
    place = 0
    for layer in range(len(plan)):
        place += rows * plan[layer, 1]
    biases = plan[last, 3]
    sum_rows(dy, gradient[biases : biases + plan[last, 1]])
    for layer in range(last, -1, -1):
        d, h, at = plan[layer, 0], plan[layer, 1], plan[layer, 2]
        place -= rows * h
        dw = gradient[at : at + d * h].reshape(d, h)
        if layer == 0:
            _gradient_of_weights(gemm, x[start:stop], dy, dw)
            return
        before = place - rows * d
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
        seen, line = y[row], dy[row]
        if activation == RELU:
            for i in range(len(line)):
                line[i] = line[i] if seen[i] > zero else zero
        elif activation == TANH:
            for i in range(len(line)):
                line[i] *= one - seen[i] * seen[i]
        elif activation == SIGMOID:
            for i in range(len(line)):
                line[i] *= seen[i] * (one - seen[i])
        for i in range(len(line)):
            sums[i] += line[i]


def rehearse(dtype: np.dtype[Any]) -> None:
    """Have the jobs compiled for a dtype."""
    for compile_job in (forward_job, backward_job, addition_job):
        compile_job(dtype)
