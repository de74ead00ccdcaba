"""Batch normalization in a compiled step.

A group of rows couples the rows of several parts. So its means, variances and sums have phases of
their own, in which a part takes some columns, over all rows; the rest runs by rows.
"""

import math
from typing import Any

from handloom.fused import plan_fields as field
from handloom.fused.batch_norm import _column_moments, _column_products
from handloom.fused.compiling import compiled_inline, compiled_inner
from handloom.fused.layer_table import UNITS
from handloom.fused.meeting import share
from handloom.fused.moving_average import _move_toward
from handloom.operations import TINY

MEAN, VARIANCE, INVERSE, FACTOR, SLOPE, OFFSET, SCRATCH1, SCRATCH2 = range(8)
STATISTICS_ROWS = 8
"""The first index of `Plan.statistics`, and how many there are.

==============  ================================================================================
MEAN, VARIANCE  of the entries of a group
INVERSE         ``1 / sqrt(variance + epsilon)``
FACTOR          ``scale`` times it
SLOPE, OFFSET   ``b`` and ``e`` of ``dx = factor dy - b (x - mean) - e``
SCRATCH1, ...   sums of some rows: compiled steps allocate nothing, so that no thread can fail
==============  ================================================================================
"""


@compiled_inline
def _group_count(n: Any, size: Any) -> Any:
    return max(n // size, 1)


@compiled_inline
def _end_of(group: Any, groups: Any, size: Any, n: Any) -> Any:
    """Return where the rows of a group end; rows that are left over belong to the last one."""
    return n if group == groups - 1 else (group + 1) * size


@compiled_inner
def write_statistics(plan, layer, part):  # type: ignore[no-untyped-def]
    """Write the statistics of some columns, for every group."""
    step, parts = plan.header[field.STEP], plan.header[field.PARTS]
    n = plan.starts[step + 1] - plan.starts[step]
    _, _, h, at, _, _, before = plan.layers[layer]
    size, _, _, first = plan.norms[layer]
    x = plan.outputs[n * (before - h) : n * before].reshape(n, h)
    start, stop = share(h, part, parts)
    low, high, groups = first + start, first + stop, _group_count(n, size)
    scale, real = plan.values[at + start : at + stop], x.dtype.type
    one, epsilon = real(1), real(plan.norm_options[layer, 1])
    for group in range(groups):
        rows = x[group * size : _end_of(group, groups, size, n)]
        mean = plan.statistics[MEAN, group, low:high]
        variance = plan.statistics[VARIANCE, group, low:high]
        inverse = plan.statistics[INVERSE, group, low:high]
        factor = plan.statistics[FACTOR, group, low:high]
        scratch = plan.statistics[SCRATCH1, group, low:high]
        _column_moments(rows, start, mean, variance, scratch)
        for k in range(len(mean)):
            inverse[k] = one / math.sqrt(variance[k] + epsilon)
            factor[k] = scale[k] * inverse[k]


@compiled_inner
def write_sums(plan, layer, part):  # type: ignore[no-untyped-def]
    """Write the gradients of some of ``scale`` and ``shift``, and the coefficients of ``dx``."""
    step, parts = plan.header[field.STEP], plan.header[field.PARTS]
    n = plan.starts[step + 1] - plan.starts[step]
    _, _, h, at, biases, _, before = plan.layers[layer]
    size, _, _, first = plan.norms[layer]
    x = plan.outputs[n * (before - h) : n * before].reshape(n, h)
    dy = plan.deltas[n * before : n * (before + h)].reshape(n, h)
    start, stop = share(h, part, parts)
    low, high, groups = first + start, first + stop, _group_count(n, size)
    dscale = plan.gradient[at + start : at + stop]
    dshift = plan.gradient[biases + start : biases + stop]
    dscale[:] = 0
    dshift[:] = 0
    for group in range(groups):
        begin, end = group * size, _end_of(group, groups, size, n)
        slope = plan.statistics[SLOPE, group, low:high]
        offset = plan.statistics[OFFSET, group, low:high]
        mean = plan.statistics[MEAN, group, low:high]
        inverse = plan.statistics[INVERSE, group, low:high]
        factor = plan.statistics[FACTOR, group, low:high]
        scratch1 = plan.statistics[SCRATCH1, group, low:high]
        scratch2 = plan.statistics[SCRATCH2, group, low:high]
        _column_products(
            x[begin:end], dy[begin:end], start, mean, offset, slope, scratch1, scratch2
        )
        each = x.dtype.type(1) / x.dtype.type(end - begin)
        for k in range(len(mean)):
            product = slope[k] * inverse[k]
            dscale[k] += product
            dshift[k] += offset[k]
            slope[k] = factor[k] * inverse[k] * product * each
            offset[k] = factor[k] * offset[k] * each


@compiled_inner
def standardize_rows(size, first, statistics, n, start, x, y):  # type: ignore[no-untyped-def]
    """Write ``(x - mean) factor`` of the rows of a part, which begins with row ``start``."""
    groups, stop, h = _group_count(n, size), start + len(x), x.shape[1]
    for group in range(groups):
        mean = statistics[MEAN, group, first : first + h]
        factor = statistics[FACTOR, group, first : first + h]
        begin, end = max(start, group * size), min(stop, _end_of(group, groups, size, n))
        for row in range(begin - start, end - start):
            line, out = x[row], y[row]
            for k in range(len(mean)):
                out[k] = (line[k] - mean[k]) * factor[k]


@compiled_inner
def gradient_of_rows(size, first, statistics, n, start, x, dy, dx):  # type: ignore[no-untyped-def]
    """Write ``dx = factor dy - b (x - mean) - e`` of the rows of a part, as above."""
    groups, stop, h = _group_count(n, size), start + len(x), x.shape[1]
    for group in range(groups):
        mean = statistics[MEAN, group, first : first + h]
        factor = statistics[FACTOR, group, first : first + h]
        slope = statistics[SLOPE, group, first : first + h]
        offset = statistics[OFFSET, group, first : first + h]
        begin, end = max(start, group * size), min(stop, _end_of(group, groups, size, n))
        for row in range(begin - start, end - start):
            line, slopes, out = x[row], dy[row], dx[row]
            for k in range(len(mean)):
                out[k] = factor[k] * slopes[k] - slope[k] * (line[k] - mean[k]) - offset[k]


@compiled_inner
def update_statistics(plan, layer, part):  # type: ignore[no-untyped-def]
    """Update the running statistics of some columns, and their average."""
    step, parts, real = (
        plan.header[field.STEP],
        plan.header[field.PARTS],
        plan.values.dtype.type,
    )
    n, h = plan.starts[step + 1] - plan.starts[step], plan.layers[layer, UNITS]
    size, mean_at, variance_at, first = plan.norms[layer]
    (start, stop), groups = share(h, part, parts), _group_count(n, size)
    mean = plan.values[mean_at + start : mean_at + stop]
    variance = plan.values[variance_at + start : variance_at + stop]
    kept = plan.norm_options[layer, 0]
    added, kept = real((1.0 - kept) / groups), real(kept)
    for k in range(stop - start):
        mean[k] *= kept
        variance[k] *= kept
    for group in range(groups):
        m = _end_of(group, groups, size, n) - group * size
        unbiased = real(m / (m - 1.0))
        means = plan.statistics[MEAN, group, first + start : first + stop]
        variances = plan.statistics[VARIANCE, group, first + start : first + stop]
        for k in range(stop - start):
            mean[k] += added * means[k]
            variance[k] += added * (unbiased * variances[k])
    if len(plan.average):
        weight, tiny = real(plan.settings[field.AVERAGE_WEIGHT]), real(TINY)
        _move_toward(plan.average[mean_at + start : mean_at + stop], mean, weight, tiny)
        _move_toward(plan.average[variance_at + start : variance_at + stop], variance, weight, tiny)
