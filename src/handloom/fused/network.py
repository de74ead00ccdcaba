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
from handloom.fused.elementwise import add_biases_and_activate, multiply_by_slopes
from handloom.fused.exponential import exp_constants
from handloom.fused.gemm import gemm_address, gemm_nn, gradient_of_inputs, gradient_of_weights
from handloom.fused.layer_table import (
    COLUMNS,
    activation_parameters,
    layer_table,
    paired_dense,
    stores_slopes,
)
from handloom.fused.reductions import column_sums
from handloom.fused.split_job import Job, array_at, compile_job, pack_arrays, run_serially
from handloom.operations import Array, LayerOperation
from handloom.parallel.partition import (
    compiled_addition_cut,
    compiled_pass_cut,
    product_is_cut,
)
from handloom.parallel.pool import Pool

HEADER, LAYER_TABLE, EXP_CONSTANTS, VALUES, GRADIENT = range(5)
SECOND_GRADIENT, OUTPUTS, OUTPUT_GRADIENTS, X, DLOGITS, PARAMETERS, SLOPES = range(5, 12)
"""The indices of the arrays of the forward and backward jobs.

=================  ===============================================================================
HEADER             int64: the address of ``gemm``, the number of layers, the number of rows n
LAYER_TABLE        int64, (layers, 7): see `handloom.fused.layer_table`
EXP_CONSTANTS      see `handloom.fused.exponential.exp_constants`
VALUES             the network's weights, flat
GRADIENT           their gradient, summed over the rows of the first part
SECOND_GRADIENT    the same for the rows of the second part
OUTPUTS            the output of every layer after its activation, (n, units), one after another
OUTPUT_GRADIENTS   the gradient of each of them before the activation, in the same layout
X                  the rows, (n, d)
DLOGITS            the gradient of the last layer's output, (n, k)
PARAMETERS         float64: the parameter of each layer's activation
SLOPES             the derivatives of activations that store them, in the layout of the outputs
=================  ===============================================================================
"""


def supports(operations: Sequence[LayerOperation]) -> bool:
    """Return whether there is a compiled version of a network of these layers.

    They must be dense layers. Each but the last may be followed by one activation; the last layer
    has none.
    """
    pairs = paired_dense(operations)
    return pairs is not None and not pairs[-1][1].function


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
        steps, gemm = paired_dense(operations), gemm_address(values.dtype)
        if steps is None or gemm is None:
            raise ValueError(
                "operations must be dense layers, and NumPy's BLAS callable from compiled code"
            )
        self._steps, self._lanes, self._splitter = steps, pool.lanes, pool.splitter
        self._layer_table, self._parameters = layer_table(steps), activation_parameters(steps)
        self._stores_slopes = stores_slopes(steps)
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
        self._slopes = np.empty_like(self._outputs) if self._stores_slopes else self._outputs
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
            self._parameters,
            self._slopes,
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


@cache
def forward_job(dtype: np.dtype[Any]) -> Job:
    """Return the job that writes the outputs of every layer for some of the rows."""
    real = dtype.type

    def forward_rows(args, start, stop):  # type: ignore[no-untyped-def]
        header = array_at(args, HEADER, np.int64)
        layer_table = array_at(args, LAYER_TABLE, np.int64).reshape(header[1], COLUMNS)
        _forward(
            start,
            stop,
            header[0],
            layer_table,
            array_at(args, PARAMETERS, np.float64),
            array_at(args, EXP_CONSTANTS, real),
            array_at(args, VALUES, real),
            array_at(args, X, real).reshape(header[2], layer_table[0, 1]),
            array_at(args, OUTPUTS, real),
            array_at(args, SLOPES, real),
        )

    return compile_job(forward_rows)


@cache
def backward_job(dtype: np.dtype[Any]) -> Job:
    """Return the job that writes the gradient of every weight, summed over some of the rows."""
    real = dtype.type

    def backward_rows(args, start, stop):  # type: ignore[no-untyped-def]
        header = array_at(args, HEADER, np.int64)
        layer_table = array_at(args, LAYER_TABLE, np.int64).reshape(header[1], COLUMNS)
        _backward(
            start,
            stop,
            header[0],
            layer_table,
            array_at(args, PARAMETERS, np.float64),
            array_at(args, VALUES, real),
            array_at(args, X, real).reshape(header[2], layer_table[0, 1]),
            array_at(args, OUTPUTS, real),
            array_at(args, SLOPES, real),
            array_at(args, OUTPUT_GRADIENTS, real),
            array_at(args, DLOGITS, real).reshape(header[2], layer_table[-1, 2]),
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
def _forward(  # type: ignore[no-untyped-def]
    start, stop, gemm, layer_table, parameters, constants, values, x, outputs, slopes
):
    """Write the outputs of every layer for the rows from ``start`` to ``stop``."""
    a, offset, rows = x[start:stop], 0, len(x)
    for layer in range(len(layer_table)):
        _, d, h, at, biases, activation, _ = layer_table[layer]
        low, high = offset + start * h, offset + stop * h
        y = outputs[low:high].reshape(stop - start, h)
        gemm_nn(gemm, a, values[at : at + d * h].reshape(d, h), y)
        b, slope = values[biases : biases + h], slopes[low:high].reshape(stop - start, h)
        add_biases_and_activate(activation, parameters[layer], b, constants, y, slope)
        a, offset = y, offset + rows * h


@compiled
def _backward(  # type: ignore[no-untyped-def]
    start,
    stop,
    gemm,
    layer_table,
    parameters,
    values,
    x,
    outputs,
    slopes,
    output_gradients,
    dlogits,
    gradient,
):
    """Write the gradients of every layer, from the last to the first, summed over some rows."""
    dy, rows, last = dlogits[start:stop], len(x), len(layer_table) - 1
    offset = rows * layer_table[:, 2].sum()
    for layer in range(last, -1, -1):
        _, d, h, at, biases, _, _ = layer_table[layer]
        column_sums(dy, gradient[biases : biases + h])
        offset -= rows * h
        dw = gradient[at : at + d * h].reshape(d, h)
        if layer == 0:
            gradient_of_weights(gemm, x[start:stop], dy, dw)
            return
        before = offset - rows * d
        low, high = before + start * d, before + stop * d
        a = outputs[low:high].reshape(stop - start, d)
        gradient_of_weights(gemm, a, dy, dw)
        dx = output_gradients[low:high].reshape(stop - start, d)
        gradient_of_inputs(gemm, dy, values[at : at + d * h].reshape(d, h), dx)
        activation, parameter = layer_table[layer - 1, 5], parameters[layer - 1]
        flat = output_gradients[low:high]
        multiply_by_slopes(activation, parameter, outputs[low:high], slopes[low:high], flat)
        dy = dx


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the jobs compiled for a dtype."""
    for job in (forward_job, backward_job, addition_job):
        job(dtype)
