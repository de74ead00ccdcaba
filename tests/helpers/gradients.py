"""Central differences, for the tests of layers and losses."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


def numeric_gradient(f: Callable[[], float], x: Float64, step: float = 1e-6) -> Float64:
    """Return df/dx by central differences; ``f`` reads ``x``, whose entries are moved in turn."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        value = x[index]
        h = step * max(1.0, abs(float(value)))
        x[index] = value + h
        above = f()
        x[index] = value - h
        below = f()
        x[index] = value
        gradient[index] = (above - below) / (2 * h)
    return gradient


def relative_error(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Return the distance of two arrays relative to the longer one."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    scale = max(float(np.linalg.norm(a)), float(np.linalg.norm(b)), 1e-12)
    return float(np.linalg.norm(a - b)) / scale
