"""What a step does besides its passes, compiled so that two threads can share it: part of ``fast``.

The functions whose names end in ``job`` return one (see `handloom.fused_halves`); the loops that
the jobs for weights run are called directly where there are few of them.
"""

from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from handloom.compiling import compiled, compiled_sum
from handloom.fused_halves import Job, array_at, job

SUMMED = 1024
"""How many squares are summed in a row before their sum is added to the others."""


@cache
def adam_job(dtype: np.dtype[Any]) -> Job:
    """Return the job that updates weights by Adam's rule.

    It takes the weights, their gradients and both moments, and eight numbers: the rate divided by
    what corrects the first moment, the factor that corrects the second, ``beta1``, ``1 - beta1``,
    ``beta2``, ``1 - beta2``, ``epsilon``, and what is too small to be kept.
    """
    real = dtype.type

    def run(given, start, stop):  # type: ignore[no-untyped-def]
        update_by_adam(
            array_at(given, 0, real)[start:stop],
            array_at(given, 1, real)[start:stop],
            array_at(given, 2, real)[start:stop],
            array_at(given, 3, real)[start:stop],
            array_at(given, 4, real),
        )

    return job(run)


@compiled
def update_by_adam(w, dw, first, second, numbers):  # type: ignore[no-untyped-def]
    """Update weights; see `adam_job`."""
    rate, unbias, beta1, rest1 = numbers[0], numbers[1], numbers[2], numbers[3]
    beta2, rest2, epsilon, tiny = numbers[4], numbers[5], numbers[6], numbers[7]
    zero = w.dtype.type(0)
    for i in range(len(w)):
        g = dw[i]
        m = beta1 * first[i] + rest1 * g
        v = beta2 * second[i] + rest2 * (g * g)
        m = zero if abs(m) < tiny else m
        v = zero if v < tiny else v
        first[i] = m
        second[i] = v
        w[i] -= rate * (m / (np.sqrt(v * unbias) + epsilon))


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


@cache
def rows_job() -> Job:
    """Return the job that copies rows, of any dtype, which lie apart.

    It takes the rows' numbers, and as bytes where they come from and where they go to.
    """

    def run(given, start, stop):  # type: ignore[no-untyped-def]
        rows = array_at(given, 0, np.int64)
        source, out = array_at(given, 1, np.uint8), array_at(given, 2, np.uint8)
        width = len(out) // len(rows)
        last = len(source) // width - 1
        for place in range(start, stop):
            row = min(max(rows[place], 0), last)
            copy_bytes(source.ctypes.data + row * width, out.ctypes.data + place * width, width)

    return job(run)


def _copy(_: Any, source: Any, target: Any, count: Any) -> Any:
    """Generate a copy of so many bytes from one address to another."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        from_there, to_there = (builder.inttoptr(where, byte) for where in arguments[:2])
        cgutils.raw_memcpy(builder, to_there, from_there, arguments[2], 1)  # type: ignore[no-untyped-call]
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


copy_bytes: Any = intrinsic(_copy)
