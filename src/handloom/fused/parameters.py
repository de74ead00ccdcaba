"""Compiled versions of `handloom.parameters`: penalties and the l2 norm, in one pass."""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.fused.compiling import compiled, compiled_sum
from handloom.fused.split_job import Job, array_at, compile_job, pack_arrays, splits
from handloom.operations import Array
from handloom.parallel.partition import compiled_cut
from handloom.parallel.pool import SERIAL, Pool

COMPILES = "handloom.parameters"

SUMMED = 1024
"""Entries of a block of the sum of squares; blockwise summation rounds less."""


@splits
def penalize(
    pool: Pool,
    w: Array,
    dw: Array,
    bounds: npt.NDArray[np.int64],
    strengths: npt.NDArray[np.float64],
) -> tuple[float, float]:
    """Add the gradient of all penalties; return their sum, and that of the squares of ``dw``."""
    sums = np.zeros(4)
    cut = compiled_cut(len(w), w.nbytes, pool.lanes)
    if pool.splitter is None or cut is None:
        _penalize(w, dw, bounds, strengths, 0, len(w), sums)
    else:
        args = pack_arrays(w, dw, bounds, strengths, sums)
        pool.splitter.run_job(_job(w.dtype), args, cut, len(w))
    return float(sums[0] + sums[2]), float(sums[1] + sums[3])


@cache
def _job(dtype: np.dtype[Any]) -> Job:
    """Return the job that runs `_penalize` for some of the weights."""
    real = dtype.type

    def penalize_weights(args, start, stop):  # type: ignore[no-untyped-def]
        strengths = array_at(args, 3, np.float64)
        _penalize(
            array_at(args, 0, real),
            array_at(args, 1, real),
            array_at(args, 2, np.int64).reshape(len(strengths) // 2, 2),
            strengths.reshape(len(strengths) // 2, 2),
            start,
            stop,
            array_at(args, 4, np.float64),
        )

    return compile_job(penalize_weights)


@compiled
def _penalize(w, dw, bounds, strengths, start, stop, sums):  # type: ignore[no-untyped-def]
    """Add penalties for the weights from ``start`` to ``stop``.

    The first part writes the penalty and the sum of the squares of ``dw`` to the first two of four
    ``sums``, the second part to the last two.
    """
    penalty, squares = 0.0, 0.0
    for first in range(start, stop, SUMMED):
        last = min(first + SUMMED, stop)
        for array in range(len(bounds)):
            low, high = max(first, bounds[array, 0]), min(last, bounds[array, 1])
            if low < high:
                l1, l2 = strengths[array]
                penalty += _penalize_block(w[low:high], dw[low:high], l1, l2)
        squares += _sum_of_squares(dw[first:last])
    index = 0 if start == 0 else 2
    sums[index], sums[index + 1] = penalty, squares


@compiled
def _penalize_block(w, dw, l1, l2):  # type: ignore[no-untyped-def]
    """Add ``l1 sign w + 2 l2 w`` to ``dw``; return ``l1 sum |w| + l2 sum w^2``."""
    penalty, zero = 0.0, w.dtype.type(0)
    if l1 > 0.0:
        slope = w.dtype.type(l1)
        for i in range(len(w)):
            dw[i] += slope if w[i] > zero else (-slope if w[i] < zero else w[i])  # a NaN stays one
        penalty += l1 * _sum_of_sizes(w)
    if l2 > 0.0:
        factor = w.dtype.type(2.0 * l2)
        for i in range(len(w)):
            dw[i] += factor * w[i]
        penalty += l2 * _sum_of_squares(w)
    return penalty


@compiled_sum
def _sum_of_sizes(x):  # type: ignore[no-untyped-def]
    total = x.dtype.type(0)
    for i in range(len(x)):
        total += abs(x[i])
    return total


@compiled_sum
def _sum_of_squares(x):  # type: ignore[no-untyped-def]
    """Return the sum of the squares, in the dtype of ``x``: blocks of `SUMMED` entries only."""
    total = x.dtype.type(0)
    for i in range(len(x)):
        total += x[i] * x[i]
    return total


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the functions compiled for a dtype."""
    w = np.zeros(4, dtype)
    penalize(SERIAL, w, w.copy(), np.array([[0, 4]]), np.ones((1, 2)))
    _job(dtype)
