"""Random arrays of every kind that compiled versions meet."""

import importlib
import importlib.util
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from handloom.backend import FusedBackend
from handloom.operations import TINY

needs_numba = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="needs the extra fast"
)

TOLERANCE: dict[Any, float] = {np.float32: 3e-6, np.float64: 1e-13}
SPECIAL = [0.0, -0.0, 1.0, -1.0, 1e-30, -1e-30, 1e30, -1e30, np.inf, -np.inf, np.nan]
Arguments = list[Any]


def normal(rng: np.random.Generator, real: Any, *shape: int, scale: float = 1.0) -> Any:
    return (scale * rng.standard_normal(shape)).astype(real)


def special(rng: np.random.Generator, real: Any, *shape: int) -> Any:
    """Return normally distributed values with special ones among them."""
    x = normal(rng, real, *shape)
    chosen = rng.random(shape) < 0.3
    with np.errstate(over="ignore"):
        x[chosen] = rng.choice(SPECIAL, int(chosen.sum())).astype(real)
    return x


def with_gaps(x: Any) -> Any:
    """Return the same values with others between them in memory."""
    apart = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    apart[..., ::2] = x
    return apart[..., ::2]


def sizes(rng: np.random.Generator) -> list[int]:
    return [0, 1, int(rng.integers(2, 200)), 5000]


def shapes(rng: np.random.Generator) -> list[tuple[int, int]]:
    return [(1, 1), (3, 10), (int(rng.integers(2, 90)), int(rng.integers(2, 40))), (300, 33)]


def images(rng: np.random.Generator, real: Any) -> Any:
    x = np.round(2 * normal(rng, real, 4, 7, 6, 5))  # with many a tie
    x[0, 2, 3, 1], x[1, 0, 0, 0] = np.nan, np.inf
    return x


def empty(real: Any, *shape: int) -> Any:
    return np.full(shape, np.nan, real)


def tilings(rng: np.random.Generator, real: Any) -> Iterator[tuple[Any, Any, int, int]]:
    """Yield images, tiles for them, and the zeros above and to the left."""
    for (y, x), (top, left), c in itertools.product(
        ((1, 1), (4, 8), (7, 7), (6, 13)), ((1, 1), (0, 2)), (1, 5, 16)
    ):
        down, across = -(-(y + 2) // 4), -(-(x + 2) // 4)
        tiles = normal(rng, real, 6, 6, 3, down, across, c)
        yield normal(rng, real, 3, y, x, c), tiles, top, left


def memory(real: Any, together: int, c: int) -> Any:
    return empty(real, 6, 6, together, 2, 3, c)


def vectors(rng: np.random.Generator, real: Any, state: int) -> Iterator[list[Any]]:
    """Yield weights, gradients and non-negative state vectors."""
    for size in sizes(rng):
        for draw in (normal, special):
            yield [
                normal(rng, real, size),
                draw(rng, real, size),
                *(abs(normal(rng, real, size)) for _ in range(state)),
            ]
    yield [with_gaps(normal(rng, real, 40)) for _ in range(2)] + [
        with_gaps(abs(normal(rng, real, 40))) for _ in range(state)
    ]
    tiny = np.array([TINY / 2, -TINY / 2, TINY * 2, 0.0, -0.0, 1e-40, 1e-45], real)
    yield [normal(rng, real, 7), tiny, *(abs(tiny) for _ in range(state))]


def both(definition: Callable[..., Any], real: Any) -> list[Callable[..., Any]]:
    """Return a definition and its compiled version."""
    return [definition, FusedBackend(real).version_of(definition)]
