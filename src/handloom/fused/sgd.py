"""Compiled versions of `handloom.optimizers.sgd`, each a single pass over memory."""

from typing import Any

import numpy as np

from handloom.fused.compiling import compiled
from handloom.operations import TINY, Array

COMPILES = "handloom.optimizers.sgd"


def sgd_step(w: Array, dw: Array, rate: float, scratch: Array) -> None:
    """Make a plain step; ``scratch`` is unused."""
    _sgd(w, dw, w.dtype.type(rate))


def momentum_step(
    w: Array,
    dw: Array,
    u: Array,
    rate: float,
    momentum: float,
    nesterov: bool,
    step: int,
    scratch: Array,
) -> None:
    """Make a step with momentum; ``scratch`` is unused."""
    real = w.dtype.type
    _momentum(w, dw, u, real(rate), real(momentum), nesterov, real(TINY))


@compiled
def _sgd(w, dw, rate):  # type: ignore[no-untyped-def]
    """Update weights in place."""
    for i in range(len(w)):
        w[i] -= rate * dw[i]


@compiled
def _momentum(w, dw, velocity, rate, momentum, nesterov, tiny):  # type: ignore[no-untyped-def]
    """Update weights and velocity in place; entries of it below ``tiny`` become 0."""
    zero = w.dtype.type(0)
    for i in range(len(w)):
        step = -rate * dw[i]
        u = momentum * velocity[i] + step
        u = zero if abs(u) < tiny else u
        velocity[i] = u
        w[i] += momentum * u + step if nesterov else u


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the functions compiled for a dtype."""
    w = np.zeros(4, dtype)
    sgd_step(w, w.copy(), 0.1, w)
    momentum_step(w, w.copy(), w.copy(), 0.1, 0.5, False, 1, w)
