"""Compiled versions of `handloom.optimizers.adam`, which two threads can run."""

from functools import cache
from typing import Any

import numpy as np

from handloom.fused.compiling import compiled
from handloom.fused.split_job import Job, array_at, compile_job, pack_arrays, splits
from handloom.operations import TINY, Array
from handloom.parallel.partition import compiled_cut
from handloom.parallel.pool import SERIAL, Pool

COMPILES = "handloom.optimizers.adam"

RATE, V_CORRECTION, KEPT1, ADDED1, KEPT2, ADDED2, EPSILON, SMALLEST = range(8)
"""The indices of the coefficients of a step.

============  =====================================================
RATE          ``rate / (1 - beta1^t)``
V_CORRECTION  ``1 / (1 - beta2^t)``, the factor that corrects ``v``
KEPT1         ``beta1``
ADDED1        ``1 - beta1``
KEPT2         ``beta2``
ADDED2        ``1 - beta2``
EPSILON       ``epsilon``
SMALLEST      the magnitude below which a moment is set to zero
============  =====================================================
"""


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
    coefficients = np.empty(8, w.dtype)
    _write_coefficients(coefficients, float(rate), float(beta1), float(beta2), float(epsilon), step)
    cut = compiled_cut(len(w), w.nbytes, pool.lanes)
    if pool.splitter is None or cut is None:
        _adam(w, dw, m, v, coefficients)
    else:
        args = pack_arrays(w, dw, m, v, coefficients)
        pool.splitter.run_job(_job(w.dtype), args, cut, len(w))


@cache
def _job(dtype: np.dtype[Any]) -> Job:
    """Return the job that updates some of the weights.

    Its arrays are the weights, their gradient, both moments, and the coefficients of the step.
    """
    real = dtype.type

    def update_weights(args, start, stop):  # type: ignore[no-untyped-def]
        _adam(
            array_at(args, 0, real)[start:stop],
            array_at(args, 1, real)[start:stop],
            array_at(args, 2, real)[start:stop],
            array_at(args, 3, real)[start:stop],
            array_at(args, 4, real),
        )

    return compile_job(update_weights)


@compiled
def _write_coefficients(coefficients, rate, beta1, beta2, epsilon, step):  # type: ignore[no-untyped-def]
    """Write the coefficients of a step, computed in float64."""
    coefficients[RATE] = rate / (1.0 - beta1**step)
    coefficients[V_CORRECTION] = 1.0 / (1.0 - beta2**step)
    coefficients[KEPT1], coefficients[ADDED1] = beta1, 1.0 - beta1
    coefficients[KEPT2], coefficients[ADDED2] = beta2, 1.0 - beta2
    coefficients[EPSILON], coefficients[SMALLEST] = epsilon, TINY


@compiled
def _adam(w, dw, m, v, coefficients):  # type: ignore[no-untyped-def]
    """Update weights and both moments in place; the coefficients are in the order above."""
    rate, v_correction = coefficients[RATE], coefficients[V_CORRECTION]
    beta1, added1 = coefficients[KEPT1], coefficients[ADDED1]
    beta2, added2 = coefficients[KEPT2], coefficients[ADDED2]
    epsilon, tiny = coefficients[EPSILON], coefficients[SMALLEST]
    zero = w.dtype.type(0)
    for i in range(len(w)):
        g = dw[i]
        first = beta1 * m[i] + added1 * g
        second = beta2 * v[i] + added2 * (g * g)
        first = zero if abs(first) < tiny else first
        second = zero if second < tiny else second
        m[i] = first
        v[i] = second
        w[i] -= rate * (first / (np.sqrt(second * v_correction) + epsilon))


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the functions compiled for a dtype."""
    w = np.zeros(4, dtype)
    adam_step(SERIAL, w, w, w.copy(), w.copy(), 0.1, 0.9, 0.999, 1e-7, 1, w[:0])
    _job(dtype)
