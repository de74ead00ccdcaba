"""Compiled versions of `handloom.optimizers.moving_average`."""

from typing import Any

import numpy as np

from handloom.fused.compiling import compiled
from handloom.operations import TINY, Array

COMPILES = "handloom.optimizers.moving_average"


def lerp(mean: Array, x: Array, weight: float, step: int, scratch: Array) -> None:
    """Move an average in a single pass; ``scratch`` is unused."""
    real = mean.dtype.type
    _move_toward(mean, x, real(weight), real(TINY))


@compiled
def _move_toward(mean, x, weight, tiny):  # type: ignore[no-untyped-def]
    """Move ``mean`` toward ``x`` in place; entries below ``tiny`` become 0."""
    zero = mean.dtype.type(0)
    for i in range(len(mean)):
        m = mean[i] + weight * (x[i] - mean[i])
        mean[i] = zero if abs(m) < tiny else m


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the functions compiled for a dtype."""
    lerp(np.zeros(4, dtype), np.zeros(4, dtype), 0.1, 1, np.zeros(4, dtype))
