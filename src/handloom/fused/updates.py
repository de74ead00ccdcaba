"""The rules that update weights, each in one pass, compiled: part of ``fast``.

Adam's is a job too (see `handloom.fused.halves`), which two threads can share.
"""

from functools import cache
from typing import Any

import numpy as np

from handloom.fused.compiling import compiled
from handloom.fused.halves import Job, array_at, job


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


@compiled
def descend(w, dw, rate):  # type: ignore[no-untyped-def]
    """Update weights by ``w <- w - rate dw``."""
    for i in range(len(w)):
        w[i] -= rate * dw[i]


@compiled
def update_by_momentum(w, dw, velocity, rate, momentum, nesterov, tiny):  # type: ignore[no-untyped-def]
    """Update weights by the rule of `handloom.optimizers.SGD` with a momentum."""
    zero = w.dtype.type(0)
    for i in range(len(w)):
        descent = -rate * dw[i]
        u = momentum * velocity[i] + descent
        u = zero if abs(u) < tiny else u
        velocity[i] = u
        w[i] += momentum * u + descent if nesterov else u


@compiled
def scaled_descent(w, dw, squares, rate, kept, added, epsilon, tiny):  # type: ignore[no-untyped-def]
    """Update weights by the rule of `handloom.optimizers.RMSprop` or `Adagrad`."""
    zero = w.dtype.type(0)
    for i in range(len(w)):
        g = dw[i]
        v = kept * squares[i] + added * (g * g)
        v = zero if v < tiny else v
        squares[i] = v
        w[i] -= rate * (g / (np.sqrt(v) + epsilon))


@compiled
def blend(mean, x, share, tiny):  # type: ignore[no-untyped-def]
    """Move a running mean, ``mean <- mean + share (x - mean)``."""
    zero = mean.dtype.type(0)
    for i in range(len(mean)):
        m = mean[i] + share * (x[i] - mean[i])
        mean[i] = zero if abs(m) < tiny else m
