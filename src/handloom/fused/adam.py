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
    """Make a step of Adam in a single pass; ``scratch`` is unused."""
    scaled = rate / (1.0 - beta1**step), 1.0 / (1.0 - beta2**step)
    complements = 1.0 - beta1, 1.0 - beta2
    coefficients = np.array(
        [*scaled, beta1, complements[0], beta2, complements[1], epsilon, TINY], w.dtype
    )
    middle = compiled_cut(len(w), w.nbytes, pool.lanes)
    if pool.splitter is None or middle is None:
        _adam(w, dw, m, v, coefficients)
    else:
        args = arguments(w, dw, m, v, coefficients)
        pool.splitter.run(_job(w.dtype), args, middle, len(w))


@cache
def _job(dtype: np.dtype[Any]) -> Job:
    """Return the job that updates some of the weights.

    It takes the weights, their gradient, both moments, and eight coefficients: the rate divided by
    the bias correction of the first moment, the factor that corrects the bias of the second,
    ``beta1``, ``1 - beta1``, ``beta2``, ``1 - beta2``, ``epsilon``, and the size below which a
    moment is set to zero.
    """
    real = dtype.type

    def run(args, start, stop):  # type: ignore[no-untyped-def]
        _adam(
            array_at(args, 0, real)[start:stop],
            array_at(args, 1, real)[start:stop],
            array_at(args, 2, real)[start:stop],
            array_at(args, 3, real)[start:stop],
            array_at(args, 4, real),
        )

    return job(run)


@compiled
def _adam(w, dw, m, v, coefficients):  # type: ignore[no-untyped-def]
    rate, unbias, beta1, rest1 = coefficients[0], coefficients[1], coefficients[2], coefficients[3]
    beta2, rest2, epsilon, tiny = coefficients[4], coefficients[5], coefficients[6], coefficients[7]
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
