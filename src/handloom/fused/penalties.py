"""L1 and L2 penalties with their gradients, and the norm of it all, compiled: part of ``fast``."""

from functools import cache
from typing import Any

import numpy as np

from handloom.fused.compiling import compiled, compiled_sum
from handloom.fused.halves import Job, array_at, job

BLOCK = 1024
"""How many weights are taken at a time: squares are summed block by block, which rounds less."""


@cache
def penalties_job(dtype: np.dtype[Any]) -> Job:
    """Return the job that does for some of the weights what `penalize` does."""
    real = dtype.type

    def run(given, start, stop):  # type: ignore[no-untyped-def]
        strengths = array_at(given, 3, np.float64)
        penalize(
            array_at(given, 0, real),
            array_at(given, 1, real),
            array_at(given, 2, np.int64).reshape(len(strengths) // 2, 2),
            strengths.reshape(len(strengths) // 2, 2),
            start,
            stop,
            array_at(given, 4, np.float64),
        )

    return job(run)


@compiled
def penalize(w, dw, places, strengths, start, stop, sums):  # type: ignore[no-untyped-def]
    """Add the gradient of penalties to ``dw``, from ``start`` to ``stop``.

    ``places`` and ``strengths`` are those of `handloom.parameters.Parameters.penalized`. The first
    two of four ``sums`` take the penalties and the sum of the squares of ``dw``; where this is the
    second half, the last two do.
    """
    penalty, square = 0.0, 0.0
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        for place in range(len(places)):
            low, high = max(first, places[place, 0]), min(last, places[place, 1])
            if low < high:
                l1, l2 = strengths[place]
                penalty += _penalize_block(w[low:high], dw[low:high], l1, l2)
        square += _sum_of_squares(dw[first:last])
    half = 0 if start == 0 else 2
    sums[half], sums[half + 1] = penalty, square


@compiled
def _penalize_block(w, dw, l1, l2):  # type: ignore[no-untyped-def]
    """Add ``l1 sign w + 2 l2 w`` to ``dw``; return ``l1 sum |w| + l2 sum w^2``."""
    penalty, zero = 0.0, w.dtype.type(0)
    if l1 > 0.0:
        slope = w.dtype.type(l1)
        for i in range(len(w)):
            dw[i] += slope if w[i] > zero else (-slope if w[i] < zero else zero)
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
    total = x.dtype.type(0)
    for i in range(len(x)):
        total += x[i] * x[i]
    return total
