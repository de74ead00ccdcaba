"""A network of dense layers, forward and backward, each in one compiled call: part of ``fast``.

It computes what the layers compute one by one, and agrees with them to rounding. Biases and
activation are one pass over the outputs of a product, slope and sums of the biases' gradient
another. Rows go in two halves, each with gradients of its own, which two threads run without ever
meeting at the interpreter's lock: one that is awake looks at a cell where the other writes what
there is to do. Whoever is there first takes the second half, so nothing waits for a thread that
sleeps; the halves and their sum are the same whoever it was.
"""

from collections.abc import Sequence

import numpy as np
from numba import carray  # type: ignore[attr-defined]

from handloom.compiling import compiled, pointer
from handloom.errors import ModelError
from handloom.fused_exponential import constants, exponential_less_one
from handloom.fused_products import (
    product,
    product_of_transposed,
    product_with_transposed,
)
from handloom.kernels import SHARED_FROM, Lend
from handloom.parameters import Array
from handloom.passes import DenseStep, largest_product
from handloom.waiting import PATIENCE, exchange, look, store

NONE, RELU, TANH, SIGMOID = range(4)
ACTIVATIONS = {"": NONE, "relu": RELU, "tanh": TANH, "sigmoid": SIGMOID}
IDLE, FORWARD, BACKWARD, TAKEN, LEAVE = range(5)

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
        See `handloom.fused_products.gemm_address`.
    lend : callable or None
        Has another thread make a call, if there is one; see `handloom.kernels.Kernels`.
    alone : bool
        Whether this is the only lane, so that rows may go in halves.
    """

    def __init__(
        self,
        steps: Sequence[DenseStep],
        values: Array,
        gradient: Array,
        gemm: int,
        lend: Lend | None,
        *,
        alone: bool,
    ) -> None:
        self._steps, self._gemm, self._lend, self._alone = tuple(steps), gemm, lend, alone
        self._plan = np.array(
            [
                (step.inputs, step.units, step.weights, step.biases, ACTIVATIONS[step.activation])
                for step in steps
            ],
            np.int64,
        )
        self._known = constants(values.dtype)
        self._values, self._gradient = values, gradient
        self._second = np.empty_like(gradient) if alone else gradient
        self._units = sum(step.units for step in steps)
        self._work = sum(step.inputs * step.units for step in steps)
        self._make_space(0)
        self._x: Array = np.empty((0, steps[0].inputs), values.dtype)
        self._lent = False

    def _make_space(self, rows: int) -> None:
        """Make memory for so many rows, and a new cell: a thread that waits knows the old ones."""
        self._outputs = np.empty(rows * self._units, self._values.dtype)
        self._slopes = np.empty_like(self._outputs)
        self._rows, self._cell = rows, np.zeros(4, np.int64)

    def takes(self, rows: int) -> bool:
        """Return whether no product is so large that threads should share it."""
        return not self._alone or largest_product(self._steps, rows) < SHARED_FROM

    def forward(self, x: Array) -> Array:
        """Return the logits, shape (n, k), of rows ``x``, shape (n, d)."""
        n, k = len(x), self._steps[-1].units
        if n > self._rows:
            self.dismiss()
            self._make_space(n)
        self._x = x if x.flags.writeable else x.copy()  # compiled for one kind of array
        self._run(FORWARD, self._x)
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
        self._run(BACKWARD, np.ascontiguousarray(dlogits, self._values.dtype))

    def prepare(self) -> None:
        """Have everything compiled, or read from the cache."""
        x, n = self._x, len(self._x)
        _post(self._cell, LEAVE, x, x)
        _took(self._cell, IDLE)
        self._serve()
        _await(self._cell)
        _finish(self._cell)
        self._run_rows(FORWARD, 0, n, x, self._gradient)
        _add(self._second, self._second)
        self.dismiss()

    def _run(self, command: int, dlogits: Array) -> None:
        """Run the first half of the rows here, and the second wherever somebody has time."""
        n, cell = len(self._x), self._cell
        if not self._alone or n < HALVED_FROM_ROWS or n * self._work < HALVED_FROM:
            self._run_rows(command, 0, n, dlogits, self._gradient)
            return
        _post(cell, command, self._x, dlogits)
        self._run_rows(command, 0, n // 2, dlogits, self._gradient)
        if _took(cell, command):
            self._run_rows(command, n // 2, n, dlogits, self._second)
            _finish(cell)
            self._ask_for_help()
        else:
            _await(cell)
        if command == BACKWARD:
            _add(self._gradient, self._second)

    def _run_rows(
        self, command: int, start: int, stop: int, dlogits: Array, gradient: Array
    ) -> None:
        _run_rows(
            command,
            start,
            stop,
            self._gemm,
            self._plan,
            self._known,
            self._values,
            self._x,
            self._outputs,
            self._slopes,
            dlogits,
            gradient,
        )

    def _ask_for_help(self) -> None:
        """Have a thread serve, unless one does already or there is none."""
        if self._lend is not None and not self._lent:
            self._lent = True  # until it ends, which may be before the next line
            if not self._lend(self._serve, self.dismiss):
                self._lent = False

    def _serve(self) -> None:
        """Take second halves for as long as they follow each other closely."""
        try:
            _serve(
                PATIENCE,
                self._cell,
                self._gemm,
                self._plan,
                self._known,
                self._values,
                self._outputs,
                self._slopes,
                self._second,
            )
        finally:
            self._lent = False

    def dismiss(self) -> None:
        """Let the thread that serves do something else."""
        _dismiss(self._cell)


@compiled
def _post(cell, command, x, dlogits):  # type: ignore[no-untyped-def]
    """Say what there is to do, for which rows, once nobody is at what an error left behind."""
    seen = look(cell)
    while seen == TAKEN or not exchange(cell, seen, TAKEN):
        seen = look(cell)
    cell[1], cell[2], cell[3] = len(x), x.ctypes.data, dlogits.ctypes.data
    store(cell, command)


@compiled
def _took(cell, command):  # type: ignore[no-untyped-def]
    """Take what there is to do, if nobody else has; say whether."""
    return exchange(cell, command, TAKEN)


@compiled
def _finish(cell):  # type: ignore[no-untyped-def]
    store(cell, IDLE)


@compiled
def _await(cell):  # type: ignore[no-untyped-def]
    """Wait for whoever took it."""
    while look(cell) != IDLE:
        pass


@compiled
def _add(total, part):  # type: ignore[no-untyped-def]
    for i in range(len(total)):
        total[i] += part[i]


@compiled
def _serve(patience, cell, gemm, plan, known, values, outputs, slopes, second):  # type: ignore[no-untyped-def]
    """Take second halves until there are none for a while, or somebody says so."""
    inputs, classes = plan[0, 0], plan[-1, 1]
    looks = 0
    while looks < patience:
        looks += 1
        command = look(cell)
        if command == LEAVE and exchange(cell, LEAVE, IDLE):
            return
        if command in (FORWARD, BACKWARD) and exchange(cell, command, TAKEN):
            rows = cell[1]
            x = carray(pointer(cell[2]), (rows, inputs), values.dtype)
            dlogits = carray(pointer(cell[3]), (rows, classes), values.dtype)
            middle = rows // 2
            _run_rows(
                command,
                middle,
                rows,
                gemm,
                plan,
                known,
                values,
                x,
                outputs,
                slopes,
                dlogits,
                second,
            )
            store(cell, IDLE)
            looks = 0


@compiled
def _dismiss(cell):  # type: ignore[no-untyped-def]
    exchange(cell, IDLE, LEAVE)


@compiled
def _run_rows(  # type: ignore[no-untyped-def]
    command, start, stop, gemm, plan, known, values, x, outputs, slopes, dlogits, gradient
):
    """Run some of the rows through all layers, forward or backward."""
    if command == FORWARD:
        _forward(start, stop, gemm, plan, known, values, x, outputs)
    else:
        _backward(start, stop, gemm, plan, values, x, outputs, slopes, dlogits, gradient)


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
