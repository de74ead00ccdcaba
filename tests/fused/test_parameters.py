"""Penalties follow their equations, and norms are finite where gradients are."""

import math
from typing import Any

import numpy as np
import pytest
from tests.fused.helpers import TOLERANCE, both, needs_numba, normal

from handloom.backend import FusedBackend
from handloom.parameters import l2_norm, penalize


@needs_numba
@pytest.mark.parametrize("size", [0, 1, 1024, 3000])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.0, 0.3), (0.2, 0.0), (0.2, 0.3)])
def test_penalties_are_what_is_written_down(
    real: Any, size: int, shared: bool, l1: float, l2: float
) -> None:
    free = 70_001 if shared else 5  # large enough for lanes to share them, or not
    rng = np.random.default_rng(size)
    spans = np.array([[0, size], [size + free, 4 * size + free]])
    strengths = 0.5 * np.array([[l1, l2], [0.0, 0.1]])
    vector, slope = normal(rng, real, 4 * size + free), normal(rng, real, 4 * size + free)
    vector[: size // 3] = 0.0
    expected = slope.astype(np.float64)
    w, v = (vector[start:stop].astype(np.float64) for start, stop in spans)
    expected[:size] += 0.5 * (l1 * np.sign(w) + 2 * l2 * w)
    expected[size + free :] += 0.5 * 2 * 0.1 * v
    backend = FusedBackend(real)
    with backend.threads(2) as threads:
        for version in (*both(penalize, real), backend.version_of(penalize, threads)):
            gradient = slope.copy()
            penalty, squares = version(vector, gradient, spans, strengths)
            of_w, of_v = l1 * abs(w).sum() + l2 * (w * w).sum(), 0.1 * (v * v).sum()
            assert penalty == pytest.approx(0.5 * (of_w + of_v), rel=TOLERANCE[real])
            norm = l2_norm(gradient, squares)
            assert norm == pytest.approx(np.linalg.norm(expected), rel=TOLERANCE[real])
            np.testing.assert_allclose(gradient, expected, rtol=0, atol=10 * TOLERANCE[real])


@needs_numba
@pytest.mark.parametrize("size", [1.0, 1e-30, 1e30])
def test_norms_are_finite_where_gradients_are(real: Any, size: float) -> None:
    w, none = np.zeros(70_001, real), np.empty((0, 2))
    spans = none.astype(np.int64)
    backend = FusedBackend(real)
    with backend.threads(2) as threads, np.errstate(over="ignore", invalid="ignore"):
        for version in (*both(penalize, real), backend.version_of(penalize, threads)):
            gradient = np.full(70_001, size, real)
            _, squares = version(w, gradient, spans, none)
            assert l2_norm(gradient, squares) == pytest.approx(size * math.sqrt(70_001), rel=1e-6)
            gradient[7] = np.nan
            _, squares = version(w, gradient, spans, none)
            assert not math.isfinite(l2_norm(gradient, squares))
