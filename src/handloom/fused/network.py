"""Compiled network of dense layers: one call for a forward pass, one for a backward pass.

The results agree with the layers' own to rounding. After a matrix product one loop adds biases and
applies the activation; in the backward pass one loop multiplies by the derivative of the activation
and sums the gradient of the biases.

In a step with a single lane, many rows are cut in two parts (`compiled_pass_cut`), each with
its own gradients, which two threads run without waiting for the GIL (`handloom.fused.split_job`).
The two gradients are then added. Results do not depend on the thread that runs a part.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from handloom.errors import ModelError
from handloom.fused.compiling import compiled
from handloom.fused.exponential import exp_constants, exponential_less_one
from handloom.fused.gemm import (
    gemm_address,
    gemm_nn,
    gemm_nt,
    gemm_tn,
)
from handloom.fused.reductions import column_sums
from handloom.fused.split_job import Job, array_at, compile_job, pack_arrays, run_serially
from handloom.operations import Affine, Array, Elementwise, LayerOperation
from handloom.parallel.partition import (
    compiled_addition_cut,
    compiled_pass_cut,
    product_is_cut,
)
from handloom.parallel.pool import Pool

NONE, RELU, TANH, SIGMOID = range(4)
ACTIVATIONS = {"": NONE, "relu": RELU, "tanh": TANH, "sigmoid": SIGMOID}

HEADER, LAYER_TABLE, EXP_CONSTANTS, VALUES, GRADIENT = range(5)
SECOND_GRADIENT, OUTPUTS, OUTPUT_GRADIENTS, X, DLOGITS = range(5, 10)
"""The indices of the arrays of the forward and backward jobs.

=================  ===============================================================================
HEADER             int64: the address of ``gemm``, the number of layers, the number of rows n
LAYER_TABLE        int64, (layers, 5): inputs, units, offsets of weights and biases, activation
EXP_CONSTANTS      see `handloom.fused.exponential.exp_constants`
VALUES             the network's weights, flat
GRADIENT           their gradient, summed over the rows of the first part
SECOND_GRADIENT    the same for the rows of the second part
OUTPUTS            the output of every layer after its activation, (n, units), one after another
OUTPUT_GRADIENTS   the gradient of each of them before the activation, in the same layout
X                  the rows, (n, d)
DLOGITS            the gradient of the last layer's output, (n, k)
=================  ===============================================================================
"""


def supports(operations: Sequence[LayerOperation]) -> bool:
    """Return whether there is a compiled version of a network of these layers.

    They must be dense layers. Each but the last may be followed by one activation, ReLU, tanh or
    sigmoid; the last layer has none.
    """
    return _paired(operations) is not None


def available(dtype: np.dtype[Any]) -> bool:
    """Return whether NumPy's BLAS can be called from compiled code."""
    return gemm_address(dtype) is not None


class CompiledDenseNetwork:
    """Compiled network of dense layers; see `handloom.backend.CompiledNetwork`.

    Parameters
    ----------
    operations : sequence of LayerOperation
        Operations for which `supports` is True.
    values, gradient : array, shape (size,)
        The weights, and the array that their gradient is written to.
    pool : Pool
        Runs the two parts of each job on two threads, if it has a splitter.

    Raises
    ------
    ValueError
        If `supports` is False for the operations, or NumPy's BLAS cannot be called.
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
        self._layer_table = np.array(
            [
                (dense.inputs, dense.units, dense.weights, dense.biases, ACTIVATIONS[activation])
                for dense, activation in steps
            ],
            np.int64,
        )
        self._constants = exp_constants(values.dtype)
        self._values, self._gradient = values, gradient
        self._second_gradient = gradient if self._splitter is None else np.empty_like(gradient)
        layers = [dense for dense, _ in steps]
        self._inputs, self._outputs_of_row = layers[0].inputs, layers[-1].units
        self._units = sum(dense.units for dense in layers)
        self._work = sum(dense.inputs * dense.units for dense in layers)
        self._header = np.array([gemm, len(steps), 0], np.int64)
        self._x: Array = np.empty((0, self._inputs), values.dtype)
        self._allocate(0)
        self._addition_args = pack_arrays(self._gradient, self._second_gradient)
        self._forward_job, self._backward_job = (
            forward_job(values.dtype),
            backward_job(values.dtype),
        )
        self._addition_job = addition_job(values.dtype)

    def _allocate(self, rows: int) -> None:
        """Allocate memory for ``rows`` rows."""
        self._outputs = np.empty(rows * self._units, self._values.dtype)
        self._output_gradients = np.empty_like(self._outputs)
        self._rows = rows
        self._args = pack_arrays(
            self._header,
            self._layer_table,
            self._constants,
            self._values,
            self._gradient,
            self._second_gradient,
            self._outputs,
            self._output_gradients,
            self._x,
            self._x,
        )

    def runs_compiled(self, rows: int) -> bool:
        """Return whether to run ``rows`` rows compiled.

        It is True without a splitter, or if no product is so large that the pool should cut it (see
        `product_is_cut`). Else layers run one by one, and the pool runs pieces of their products.
        """
        cut = any(product_is_cut(rows, d.inputs, d.units) for d, _ in self._steps)
        return self._splitter is None or not cut

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
        self._x, self._header[2] = x, n
        self._args[X] = x.ctypes.data, x.size
        self._run_job(self._forward_job)
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
        self._run_job(self._backward_job)
        if self._splitter is not None and self._row_cut is not None:
            size = len(self._second_gradient)
            self._splitter.run_job(
                self._addition_job, self._addition_args, compiled_addition_cut(size), size
            )

    @property
    def _row_cut(self) -> int | None:
        """The row at which the current batch is cut in two, or None."""
        return compiled_pass_cut(len(self._x), self._work, self._lanes)

    def _run_job(self, job: Job) -> None:
        """Run the forward or the backward job; wake a helper if none took the second part."""
        n, cut = len(self._x), self._row_cut
        if self._splitter is None or cut is None:
            run_serially(job, self._args, n)
        elif self._splitter.run_job(job, self._args, cut, n):
            self._splitter.request_helper()


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

    def forward_rows(args, start, stop):  # type: ignore[no-untyped-def]
        header = array_at(args, HEADER, np.int64)
        layer_table = array_at(args, LAYER_TABLE, np.int64).reshape(header[1], 5)
        _forward(
            start,
            stop,
            header[0],
            layer_table,
            array_at(args, EXP_CONSTANTS, real),
            array_at(args, VALUES, real),
            array_at(args, X, real).reshape(header[2], layer_table[0, 0]),
            array_at(args, OUTPUTS, real),
        )

    return compile_job(forward_rows)


@cache
def backward_job(dtype: np.dtype[Any]) -> Job:
    """Return the job that writes the gradient of every weight, summed over some of the rows."""
    real = dtype.type

    def backward_rows(args, start, stop):  # type: ignore[no-untyped-def]
        header = array_at(args, HEADER, np.int64)
        layer_table = array_at(args, LAYER_TABLE, np.int64).reshape(header[1], 5)
        _backward(
            start,
            stop,
            header[0],
            layer_table,
            array_at(args, VALUES, real),
            array_at(args, X, real).reshape(header[2], layer_table[0, 0]),
            array_at(args, OUTPUTS, real),
            array_at(args, OUTPUT_GRADIENTS, real),
            array_at(args, DLOGITS, real).reshape(header[2], layer_table[-1, 1]),
            array_at(args, GRADIENT if start == 0 else SECOND_GRADIENT, real),
        )

    return compile_job(backward_rows)


@cache
def addition_job(dtype: np.dtype[Any]) -> Job:
    """Return the job that adds the second part's gradient to the first's, for some weights."""
    real = dtype.type

    def add_gradients(args, start, stop):  # type: ignore[no-untyped-def]
        total, part = array_at(args, 0, real), array_at(args, 1, real)
        for i in range(start, stop):
            total[i] += part[i]

    return compile_job(add_gradients)


@compiled
def _forward(start, stop, gemm, layer_table, constants, values, x, outputs):  # type: ignore[no-untyped-def]
    """Write the outputs of every layer for the rows from ``start`` to ``stop``."""
    a, offset, rows = x[start:stop], 0, len(x)
    for layer in range(len(layer_table)):
        d, h, at, biases, activation = layer_table[layer]
        y = outputs[offset + start * h : offset + stop * h].reshape(stop - start, h)
        gemm_nn(gemm, a, values[at : at + d * h].reshape(d, h), y)
        _activation_forward(activation, values[biases : biases + h], constants, y)
        a, offset = y, offset + rows * h


@compiled
def _backward(  # type: ignore[no-untyped-def]
    start, stop, gemm, layer_table, values, x, outputs, output_gradients, dlogits, gradient
):
    """Write the gradients of every layer, from the last to the first, summed over some rows."""
    dy, rows, last = dlogits[start:stop], len(x), len(layer_table) - 1
    offset = 0
    for layer in range(len(layer_table)):
        offset += rows * layer_table[layer, 1]
    biases = layer_table[last, 3]
    column_sums(dy, gradient[biases : biases + layer_table[last, 1]])
    for layer in range(last, -1, -1):
        d, h, at = layer_table[layer, 0], layer_table[layer, 1], layer_table[layer, 2]
        offset -= rows * h
        dw = gradient[at : at + d * h].reshape(d, h)
        if layer == 0:
            _gradient_of_weights(gemm, x[start:stop], dy, dw)
            return
        before = offset - rows * d
        a = outputs[before + start * d : before + stop * d].reshape(stop - start, d)
        _gradient_of_weights(gemm, a, dy, dw)
        dx = output_gradients[before + start * d : before + stop * d].reshape(stop - start, d)
        _gradient_of_inputs(gemm, dy, values[at : at + d * h].reshape(d, h), dx)
        biases = layer_table[layer - 1, 3]
        _activation_backward(layer_table[layer - 1, 4], a, dx, gradient[biases : biases + d])
        dy = dx


@compiled
def _gradient_of_weights(gemm, a, dy, dw):  # type: ignore[no-untyped-def]
    """Write ``dw = a^T dy``. BLAS is slow where there is a single output, here and below."""
    if dy.shape[1] > 1:
        gemm_tn(gemm, a, dy, dw)
        return
    dw[:, 0] = 0
    for row in range(len(a)):
        for i in range(len(dw)):
            dw[i, 0] += a[row, i] * dy[row, 0]


@compiled
def _gradient_of_inputs(gemm, dy, w, dx):  # type: ignore[no-untyped-def]
    """Write ``dx = dy w^T``."""
    if dy.shape[1] > 1:
        gemm_nt(gemm, dy, w, dx)
        return
    for row in range(len(dx)):
        for i in range(len(w)):
            dx[row, i] = dy[row, 0] * w[i, 0]


@compiled
def _activation_forward(activation, biases, constants, y):  # type: ignore[no-untyped-def]
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
                e = exponential_less_one(two * (line[i] + biases[i]), constants)
                line[i] = e / (e + two)
        elif activation == SIGMOID:
            for i in range(len(line)):
                e = exponential_less_one(-(line[i] + biases[i]), constants)
                line[i] = one / (e + two)
        else:
            for i in range(len(line)):
                line[i] += biases[i]


@compiled
def _activation_backward(activation, y, dy, sums):  # type: ignore[no-untyped-def]
    """Multiply ``dy`` by ``f'(x)``, computed from ``y = f(x)``.

    Write the column sums of the result, the gradient of the biases, to ``sums``.
    """
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


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the jobs compiled for a dtype."""
    for job in (forward_job, backward_job, addition_job):
        job(dtype)
