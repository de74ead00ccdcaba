"""Phases of a compiled step by rows: some rows forward, their loss, and their gradients back.

A part loads its rows of the batch, runs the network forward, computes the loss, and runs the
gradient back to the output of every layer before its activation. The gradients of the weights are
sums over all rows; a later phase computes them.
"""

from typing import Any

import numba
import numpy as np

from handloom.fused import plan_fields as field
from handloom.fused.compiling import compiled_inner, compiled_within, pointer
from handloom.fused.elementwise import NONE, add_biases_and_activate, multiply_by_slopes
from handloom.fused.gemm import gemm_nn, gradient_of_inputs
from handloom.fused.layer_table import (
    ACTIVATION,
    BEFORE,
    DENSE,
    DROP,
    INPUTS,
    NORMALIZE_COLUMNS,
    NORMALIZE_ROWS,
    UNITS,
)
from handloom.fused.meeting import share
from handloom.fused.row_losses import SOFTMAX, row_is_correct, row_loss, softmax_rows
from handloom.fused.step_columns import gradient_of_rows, standardize_rows
from handloom.fused.step_dropout import draw_mask, multiply_by_mask
from handloom.fused.step_images import move_image
from handloom.fused.step_layer_norm import gradient_of_normalized, normalize_rows

carray: Any = numba.carray  # type: ignore[attr-defined]


@compiled_within
def run_rows(plan, part, first_stage, end_stage):  # type: ignore[no-untyped-def]
    """Run some stages for the rows of a part; see `handloom.fused.phases.phases_of`."""
    step, layers = plan.header[field.STEP], len(plan.layers)
    first, parts = plan.starts[step], plan.header[field.PARTS]
    n = plan.starts[step + 1] - first
    start, stop = share(n, part, parts)
    rows = plan.order[first : first + n]
    for stage in range(first_stage, end_stage):
        if stage == 0:
            d = plan.layers[0, INPUTS]
            x = plan.x[start * d : stop * d].reshape(stop - start, d)
            _gather(plan, part, first + start, rows[start:stop], x)
        if stage < layers:
            _forward(plan, part, stage, n, start, stop)
        elif stage == layers:
            _loss(plan, part, n, start, stop)
        else:
            _backward(plan, 2 * layers - stage, n, start, stop)


@compiled_inner
def _gather(plan, part, first, rows, x):  # type: ignore[no-untyped-def]
    """Gather stored rows, augment and transform them; ``first`` is the index of their moves."""
    code, address, size = plan.header[field.STORED], plan.header[field.SOURCE], x.shape[1]
    shift, factor = plan.settings[field.SHIFT], plan.settings[field.FACTOR]
    moves, image = plan.moves, plan.images[part]
    height, width = plan.header[field.HEIGHT], plan.header[field.WIDTH]
    if code == field.BYTES:
        for i in range(len(rows)):
            stored = carray(pointer(address + rows[i] * size), (size,), np.uint8)
            if len(moves):
                mirrored, top, left = moves[first + i]
                move_image(stored, mirrored, top, left, height, width, image)
                stored = image
            _transform(stored, shift, factor, x[i])
    elif code == field.FLOAT32:
        for i in range(len(rows)):
            stored = carray(pointer(address + rows[i] * size * 4), (size,), np.float32)
            _transform(stored, shift, factor, x[i])
    else:
        for i in range(len(rows)):
            stored = carray(pointer(address + rows[i] * size * 8), (size,), np.float64)
            _transform(stored, shift, factor, x[i])


@compiled_inner
def _transform(stored, shift, factor, x):  # type: ignore[no-untyped-def]
    real = x.dtype.type
    shift, factor = real(shift), real(factor)
    for j in range(len(x)):
        x[j] = (real(stored[j]) - shift) * factor


@compiled_inner
def _forward(plan, part, layer, n, start, stop):  # type: ignore[no-untyped-def]
    """Write the outputs of a layer for some rows."""
    kind, d, h, at, second, activation, before = plan.layers[layer]
    source, offset = (plan.x, 0) if layer == 0 else (plan.outputs, n * (before - d))
    a = source[offset + start * d : offset + stop * d].reshape(stop - start, d)
    low, high = n * before + start * h, n * before + stop * h
    y = plan.outputs[low:high].reshape(stop - start, h)
    slopes = plan.slopes[low:high].reshape(stop - start, h) if len(plan.slopes) else y
    if kind == DENSE:
        gemm_nn(plan.header[field.GEMM], a, plan.values[at : at + d * h].reshape(d, h), y)
    elif kind == NORMALIZE_COLUMNS:
        size, _, _, first = plan.norms[layer]
        standardize_rows(size, first, plan.statistics, n, start, a, y)
    elif kind == NORMALIZE_ROWS:
        moments = plan.moments[plan.norms[layer, field.FIRST_COLUMN], start:stop]
        scale = plan.values[at : at + h]
        normalize_rows(plan.norm_options[layer, 1], a, scale, moments, y)
    else:
        kept = plan.kept[low:high]
        draw_mask(plan, part, layer, start * h, kept)
        multiply_by_mask(second, kept, a.reshape(-1), y.reshape(-1))
        if activation == NONE:
            return
    b = plan.zeros[:h] if kind == DROP else plan.values[second : second + h]
    add_biases_and_activate(activation, plan.parameters[layer], b, plan.constants, y, slopes)


@compiled_inner
def _loss(plan, part, n, start, stop):  # type: ignore[no-untyped-def]
    """Write the gradient of the logits for some rows, and the sums of loss and correct rows."""
    first, k = plan.starts[plan.header[field.STEP]], plan.layers[-1, UNITS]
    last = n * plan.layers[-1, BEFORE]
    logits = plan.outputs[last : last + n * k].reshape(n, k)
    dlogits = plan.deltas[last : last + n * k].reshape(n, k)
    kind, parameter = plan.header[field.LOSS], plan.settings[field.LOSS_PARAMETER]
    counts, total_weight = plan.header[field.COUNTS_CORRECT] > 0, plan.settings[field.TOTAL_WEIGHT]
    scale = 1.0 / total_weight if total_weight != 0.0 else 0.0
    shifts, constants = plan.shifts, plan.constants
    some = slice(start, stop)
    if kind == SOFTMAX:
        softmax_rows(constants, logits[some], dlogits[some], shifts[some])
    # a field of the plan takes longer to read than a row to compute: read before the loop
    labels, targets, weights = plan.labels, plan.targets, plan.weights
    real, total, correct = dlogits.dtype.type, 0.0, 0
    for row in range(start, stop):
        at = first + row
        label = labels[at] if len(labels) else -1
        if counts and row_is_correct(kind, logits, row, label, targets, at):
            correct += 1
        loss = row_loss(
            kind, parameter, constants, logits, row, label, targets, at, dlogits, shifts
        )
        weight = float(weights[at]) if len(weights) else 1.0
        present = weight != 0.0 and total_weight != 0.0
        if present:
            total += loss * weight
        factor = real(weight * scale)
        for j in range(k):
            dlogits[row, j] = dlogits[row, j] * factor if present else real(0)
    plan.sums[part, field.DATA_LOSS] = total * scale
    plan.sums[part, field.CORRECT] = correct
    _differentiate(plan, len(plan.layers) - 1, last + start * k, last + stop * k)


@compiled_inner
def _backward(plan, layer, n, start, stop):  # type: ignore[no-untyped-def]
    """Write the gradient of the layer before, from that of a layer, for some rows."""
    kind, d, h, at, dropped, _, before = plan.layers[layer]
    dy = plan.deltas[n * before + start * h : n * before + stop * h].reshape(stop - start, h)
    offset = n * (before - d)
    low, high = offset + start * d, offset + stop * d
    x = plan.outputs[low:high].reshape(stop - start, d)
    dx = plan.deltas[low:high].reshape(stop - start, d)
    if kind == DENSE:
        w = plan.values[at : at + d * h].reshape(d, h)
        gradient_of_inputs(plan.header[field.GEMM], dy, w, dx)
    elif kind == NORMALIZE_COLUMNS:
        size, _, _, first = plan.norms[layer]
        gradient_of_rows(size, first, plan.statistics, n, start, x, dy, dx)
    elif kind == NORMALIZE_ROWS:
        moments = plan.moments[plan.norms[layer, field.FIRST_COLUMN], start:stop]
        gradient_of_normalized(x, plan.values[at : at + h], moments, dy, dx)
    else:
        kept = plan.kept[n * before + start * h : n * before + stop * h]
        multiply_by_mask(dropped, kept, dy.reshape(-1), dx.reshape(-1))
    _differentiate(plan, layer - 1, low, high)


@compiled_inner
def _differentiate(plan, layer, low, high):  # type: ignore[no-untyped-def]
    """Multiply gradients of a layer's outputs by the derivatives of its activation."""
    activation = plan.layers[layer, ACTIVATION]
    if activation != NONE:
        y = plan.outputs[low:high]
        slopes = plan.slopes[low:high] if len(plan.slopes) else y
        multiply_by_slopes(activation, plan.parameters[layer], y, slopes, plan.deltas[low:high])
