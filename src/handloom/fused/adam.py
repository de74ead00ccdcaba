"""Compiled versions of `handloom.optimizers.adam`, which two threads can share."""

from functools import cache
from typing import Any

import numpy as np

from handloom.fused.compiling import compiled
from handloom.fused.split_job import Job, arguments, array_at, job, splits
from handloom.operations import TINY, Array
from handloom.parallel.partition import compiled_cut
from handloom.parallel.pool import SERIAL, Pool

COMPILES = "handloom.optimizers.adam"


@splits
def adam_step(
    pool: Pool,
    w: Array,
    dw: Array,
    m: Array,
    v: Array,
    rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    step: int,
    scratch: Array,
) -> None:
    """Make a step of Adam in a single pass; ``scratch`` is not needed."""
    scaled = rate / (1.0 - beta1**step), 1.0 / (1.0 - beta2**step)
    rests = 1.0 - beta1, 1.0 - beta2
    numbers = np.array([*scaled, beta1, rests[0], beta2, rests[1], epsilon, TINY], w.dtype)
    middle = compiled_cut(len(w), w.nbytes, pool.lanes)
    if pool.splitter is None or middle is None:
        _adam(w, dw, m, v, numbers)
    else:
        given = arguments(w, dw, m, v, numbers)
        pool.splitter.run(_job(w.dtype), given, middle, len(w))


@cache
def _job(dtype: np.dtype[Any]) -> Job:
    """Return the job that updates some of the weights.

    It takes the weights, their gradient and both moments, and eight numbers: the rate divided by
    what corrects the first moment, the factor that corrects the second, ``beta1``, ``1 - beta1``,
    ``beta2``, ``1 - beta2``, ``epsilon``, and what is too small to be kept.
    """
    real = dtype.type

    def run(given, start, stop):  # type: ignore[no-untyped-def]
        _adam(
            array_at(given, 0, real)[start:stop],
            array_at(given, 1, real)[start:stop],
            array_at(given, 2, real)[start:stop],
            array_at(given, 3, real)[start:stop],
            array_at(given, 4, real),
        )

    return job(run)


@compiled
def _adam(w, dw, m, v, numbers):  # type: ignore[no-untyped-def]
    rate, unbias, beta1, rest1 = numbers[0], numbers[1], numbers[2], numbers[3]
    beta2, rest2, epsilon, tiny = numbers[4], numbers[5], numbers[6], numbers[7]
    zero = w.dtype.type(0)
    for i in range(len(w)):
        g = dw[i]
        first = beta1 * m[i] + rest1 * g
        second = beta2 * v[i] + rest2 * (g * g)
        first = zero if abs(first) < tiny else first
        second = zero if second < tiny else second
        m[i] = first
        v[i] = second
        w[i] -= rate * (first / (np.sqrt(second * unbias) + epsilon))


def rehearse(dtype: np.dtype[Any]) -> None:
    """Have the functions compiled for a dtype."""
    w = np.zeros(4, dtype)
    adam_step(SERIAL, w, w, w.copy(), w.copy(), 0.1, 0.9, 0.999, 1e-7, 1, w[:0])
    _job(dtype)
