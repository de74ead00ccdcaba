"""Last two phases of a compiled step: the gradient of some weights, and their update."""

import math

from handloom.fused import adam, plan_fields as field
from handloom.fused.adaptive_step import update_by_scaled_gradient
from handloom.fused.compiling import compiled_inner
from handloom.fused.gemm import gradient_of_weights
from handloom.fused.layer_table import DENSE, DROP, KIND, NORMALIZE_COLUMNS
from handloom.fused.meeting import share
from handloom.fused.moving_average import _move_toward
from handloom.fused.parameters import SUMMED, _penalize_block, _sum_of_squares
from handloom.fused.proximal import _shrink
from handloom.fused.reductions import column_sums
from handloom.fused.sgd import _momentum, _sgd
from handloom.fused.step_columns import update_statistics
from handloom.fused.step_layer_norm import gradient_of_scale
from handloom.operations import TINY


@compiled_inner
def write_gradient(plan, part):  # type: ignore[no-untyped-def]
    """Write the gradient of some rows of every weight matrix, and of some entries of vectors."""
    step, parts, gemm = (
        plan.header[field.STEP],
        plan.header[field.PARTS],
        plan.header[field.GEMM],
    )
    n = plan.starts[step + 1] - plan.starts[step]
    for layer in range(len(plan.layers)):
        kind, d, h, at, biases, _, before = plan.layers[layer]
        if kind in (DROP, NORMALIZE_COLUMNS):  # without weights, or written with its sums
            continue
        source, offset = (plan.x, 0) if layer == 0 else (plan.outputs, n * (before - d))
        a = source[offset : offset + n * d].reshape(n, d)
        dy = plan.deltas[n * before : n * (before + h)].reshape(n, h)
        start, stop = share(d, part, parts)
        if kind != DENSE:
            moments, dscale = (
                plan.moments[plan.norms[layer, field.FIRST_COLUMN]],
                plan.gradient[at + start : at + stop],
            )
            gradient_of_scale(a[:, start:stop], moments, dy[:, start:stop], dscale)
        elif stop > start:
            dw = plan.gradient[at + start * h : at + stop * h].reshape(stop - start, h)
            gradient_of_weights(gemm, a[:, start:stop], dy, dw)
        start, stop = share(h, part, parts)
        column_sums(dy[:, start:stop], plan.gradient[biases + start : biases + stop])
    _penalize(plan, part)


@compiled_inner
def _penalize(plan, part):  # type: ignore[no-untyped-def]
    """Add the gradient of the penalties; write the penalty, and the sum of squares."""
    scale, parts = 1.0, plan.header[field.PARTS]
    if plan.settings[field.PER_ROW] > 0.0:
        total = plan.settings[field.TOTAL_WEIGHT]
        scale = 1.0 / total if total > 0.0 else 0.0
    penalty, squares = 0.0, 0.0
    for array in range(len(plan.arrays)):
        at, rows, columns, _ = plan.arrays[array]
        l1, l2 = scale * plan.penalties[array, 0], scale * plan.penalties[array, 1]
        start, stop = share(rows, part, parts)
        end = at + stop * columns
        for low in range(at + start * columns, end, SUMMED):
            high = min(low + SUMMED, end)
            dw = plan.gradient[low:high]
            if l1 > 0.0 or l2 > 0.0:
                penalty += _penalize_block(plan.values[low:high], dw, l1, l2)
            squares += _sum_of_squares(dw)
    plan.sums[part, field.PENALTY], plan.sums[part, field.SQUARES] = penalty, squares


@compiled_inner
def prepare_update(plan, step):  # type: ignore[no-untyped-def]
    """Write the coefficients of the optimizer, of the decay, the clipping and the average."""
    settings, optimizer, c = plan.settings, plan.header[field.OPTIMIZER], plan.coefficients
    rate, limit = plan.rates[step], settings[field.CLIP]
    norm = math.sqrt(plan.figures[step, field.SQUARES])
    settings[field.CLIP_FACTOR] = limit / norm if limit > 0.0 and norm > limit else 1.0
    settings[field.SHRINK] = 1.0 - rate * settings[field.DECAY]
    settings[field.THRESHOLD] = rate * settings[field.PROXIMAL]
    t = plan.header[field.AVERAGED_BEFORE] + step + 1
    kept = settings[field.AVERAGE_DECAY]
    settings[field.AVERAGE_WEIGHT] = (1.0 - kept) / (1.0 - kept**t)
    t = plan.header[field.STEPS_BEFORE] + step + 1
    if optimizer in (field.ADAM, field.ADAM_UNCORRECTED):
        beta1, beta2 = settings[field.OPTION1], settings[field.OPTION2]
        epsilon = settings[field.OPTION3]
        if optimizer == field.ADAM_UNCORRECTED:
            epsilon /= math.sqrt(1.0 - beta2**t)
        adam._write_coefficients(c, rate, beta1, beta2, epsilon, t)
    else:
        c[0], c[1], c[2], c[3] = (
            rate,
            settings[field.OPTION1],
            settings[field.OPTION2],
            settings[field.OPTION3],
        )
        c[4] = TINY


@compiled_inner
def update_weights(plan, part):  # type: ignore[no-untyped-def]
    """Update some rows of every array, and some running statistics."""
    parts, settings, real = plan.header[field.PARTS], plan.settings, plan.values.dtype.type
    clip, shrink = real(settings[field.CLIP_FACTOR]), real(settings[field.SHRINK])
    for array in range(len(plan.arrays)):
        at, rows, columns, decays = plan.arrays[array]
        start, stop = share(rows, part, parts)
        low, high = at + start * columns, at + stop * columns
        w, dw = plan.values[low:high], plan.gradient[low:high]
        if settings[field.CLIP_FACTOR] < 1.0:
            for i in range(len(dw)):
                dw[i] *= clip
        if decays and settings[field.DECAY] > 0.0:
            for i in range(len(w)):
                w[i] *= shrink
        _optimize(plan, low, high, w, dw)
        if decays and settings[field.PROXIMAL] > 0.0:
            _shrink(w, real(settings[field.THRESHOLD]))
        if len(plan.average):
            weight, tiny = real(settings[field.AVERAGE_WEIGHT]), real(TINY)
            _move_toward(plan.average[low:high], w, weight, tiny)
    for layer in range(len(plan.layers)):
        if plan.layers[layer, KIND] == NORMALIZE_COLUMNS:
            update_statistics(plan, layer, part)


@compiled_inner
def _optimize(plan, low, high, w, dw):  # type: ignore[no-untyped-def]
    optimizer, c = plan.header[field.OPTIMIZER], plan.coefficients
    if optimizer in (field.ADAM, field.ADAM_UNCORRECTED):
        adam._adam(w, dw, plan.first[low:high], plan.second[low:high], c)
    elif optimizer == field.SGD:
        _sgd(w, dw, c[0])
    elif optimizer in (field.MOMENTUM, field.NESTEROV):
        _momentum(w, dw, plan.first[low:high], c[0], c[1], optimizer == field.NESTEROV, c[4])
    else:
        update_by_scaled_gradient(w, dw, plan.first[low:high], c[0], c[1], c[2], c[3], c[4])
