"""Moments are those of the columns."""

from typing import Any

import numpy as np
from tests.fused.helpers import both, needs_numba, normal

from handloom.layers import batch_norm


@needs_numba
def test_moments_are_those_of_the_columns(real: Any) -> None:
    x = 10 + normal(np.random.default_rng(0), real, 3000, 16)
    for version in both(batch_norm.moments, real):
        mean, variance = np.empty(16, real), np.empty(16, real)
        version(x, mean, variance)
        np.testing.assert_allclose(mean, x.astype(np.float64).mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(variance, x.astype(np.float64).var(axis=0), rtol=1e-4)
