"""L1 and L2 penalties and their gradients, compiled: part of ``fast``."""

from functools import cache
from typing import Any

import numpy as np

from handloom.fused.compiling import compiled, compiled_sum
from handloom.fused.halves import Job, array_at, job

SUMMED = 1024
"""How many squares are summed in a row before their sum is added to the others."""


@compiled
def penalize_absolute(w, dw, factor):  # type: ignore[no-untyped-def]
    """Add ``factor sign w`` to ``dw``; return ``sum |w|``."""
    total, zero = 0.0, w.dtype.type(0)
    for i in range(len(w)):
        total += abs(w[i])
        dw[i] += factor if w[i] > zero else (-factor if w[i] < zero else zero)
    return total


@cache
def squares_job(dtype: np.dtype[Any]) -> Job:
    """Return the job that adds a multiple of weights to their gradients and sums their squares.

    It takes the weights, their gradients, the factor, and float64 sums of the two halves.
    """
    real = dtype.type

    def run(given, start, stop):  # type: ignore[no-untyped-def]
        w, dw = array_at(given, 0, real)[start:stop], array_at(given, 1, real)[start:stop]
        sums = array_at(given, 3, np.float64)
        sums[0 if start == 0 else 1] = penalize_squares(w, dw, array_at(given, 2, real)[0])

    return job(run)


@compiled
def penalize_squares(w, dw, factor):  # type: ignore[no-untyped-def]
    """Add ``factor w`` to ``dw``; return ``sum w^2``, block by block, so that it rounds less."""
    total = 0.0
    for start in range(0, len(w), SUMMED):
        stop = min(start + SUMMED, len(w))
        for i in range(start, stop):
            dw[i] += factor * w[i]
        total += _sum_of_squares(w[start:stop])
    return total


@compiled_sum
def _sum_of_squares(x):  # type: ignore[no-untyped-def]
    total = x.dtype.type(0)
    for i in range(len(x)):
        total += x[i] * x[i]
    return total
