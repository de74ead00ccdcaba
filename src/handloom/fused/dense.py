"""A network of dense layers, forward and backward, each in one compiled call: part of ``fast``.

It computes what the layers compute one by one, and agrees with them to rounding. Biases and
activation are one pass over the outputs of a product, slope and sums of the biases' gradient
another. Rows go in two halves, each with gradients of its own, which two threads run without ever
meeting at the interpreter's lock (`handloom.fused.halves`); the halves and their sum are the same
whoever computed them.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from handloom.errors import ModelError
from handloom.fused.compiling import compiled
from handloom.fused.exponential import constants, exponential_less_one
from handloom.fused.halves import Halves, Job, arguments, array_at, job, run_whole
from handloom.fused.products import (
    product,
    product_of_transposed,
    product_with_transposed,
)
from handloom.kernels import SHARED_FROM
from handloom.parameters import Array
from handloom.passes import DenseStep, largest_product

NONE, RELU, TANH, SIGMOID = range(4)
ACTIVATIONS = {"": NONE, "relu": RELU, "tanh": TANH, "sigmoid": SIGMOID}

SETTINGS, PLAN, KNOWN, VALUES, GRADIENT, SECOND, OUTPUTS, SLOPES, X, DLOGITS = range(10)
"""The places of a job's arrays. Settings: where ``gemm`` is, the number of layers, that of rows."""

HALVED_FROM = 400_000
"""Multiplications of a forward pass from which rows go in two halves."""

HALVED_FROM_ROWS = 32
"""How many rows there must be for it: products of few rows are slow."""


class FusedPass:
    """See `handloom.passes.Pass`.

    Parameters
    ----------
    steps : sequence of DenseStep
    values, gradient : array, shape (size,)
        The weights, and where their gradient goes.
    gemm : int
        See `handloom.fused.products.gemm_address`.
    halves : Halves or None
        Has rows computed in halves, where this is the only lane.
    """

    def __init__(
        self,
        steps: Sequence[DenseStep],
        values: Array,
        gradient: Array,
        gemm: int,
        halves: Halves | None,
    ) -> None:
        self._steps, self._halves = tuple(steps), halves
        self._plan = np.array(
            [
                (step.inputs, step.units, step.weights, step.biases, ACTIVATIONS[step.activation])
                for step in steps
            ],
            np.int64,
        )
        self._known = constants(values.dtype)
        self._values, self._gradient = values, gradient
        self._second = gradient if halves is None else np.empty_like(gradient)
        self._units = sum(step.units for step in steps)
        self._work = sum(step.inputs * step.units for step in steps)
        self._settings = np.array([gemm, len(steps), 0], np.int64)
        self._x: Array = np.empty((0, steps[0].inputs), values.dtype)
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
        """Return whether no product is so large that threads should share it."""
        return self._halves is None or largest_product(self._steps, rows) < SHARED_FROM

    def forward(self, x: Array) -> Array:
        """Return the logits, shape (n, k), of rows ``x``, shape (n, d).

        Raises
        ------
        ModelError
            If rows have another length.
        """
        n, d, k = len(x), self._steps[0].inputs, self._steps[-1].units
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
        expected = len(self._x), self._steps[-1].units
        if dlogits.shape != expected:
            raise ModelError(f"dlogits must have shape {expected}, got {dlogits.shape}")
        dlogits = np.ascontiguousarray(dlogits, self._values.dtype)
        self._given[DLOGITS] = dlogits.ctypes.data, dlogits.size
        self._run(self._jobs[1])
        if self._halves is not None and self._cut:
            self._halves.run(self._addition, self._sums, len(self._second) // 2, len(self._second))

    @property
    def _cut(self) -> bool:
        """Whether the rows of the last pass go in halves."""
        n = len(self._x)
        return n >= HALVED_FROM_ROWS and n * self._work >= HALVED_FROM

    def _run(self, job: Job) -> None:
        n = len(self._x)
        if self._halves is None or not self._cut:
            run_whole(job, self._given, n)
        elif self._halves.run(job, self._given, n // 2, n):
            self._halves.ask()


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
    _sum_rows(dy, gradient[biases : biases + plan[last, 1]])
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
def _sum_rows(dy, sums):  # type: ignore[no-untyped-def]
    sums[:] = 0
    for row in range(len(dy)):
        for i in range(len(sums)):
            sums[i] += dy[row, i]


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
