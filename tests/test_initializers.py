"""Initializers: starting values follow the seed and have their deviation."""

import numpy as np
import pytest
from tests.helpers.networks import network

from handloom import Dense, ReLU, Sequential
from handloom.initializers import Glorot, He, ScaledNormal, Zeros


def test_starting_values_follow_the_seed() -> None:
    vectors = [network().parameters.vector for _ in range(2)]
    other = Sequential([Dense(5), ReLU(), Dense(3)]).build((6,), seed=2, dtype=np.float64)
    assert np.array_equal(vectors[0], vectors[1])
    assert not np.array_equal(vectors[0], other.parameters.vector)


@pytest.mark.parametrize(
    ("start", "deviation"),
    [
        (ScaledNormal(0.01), 0.01),
        (He(), np.sqrt(2 / 400)),
        (Glorot(), np.sqrt(2 / 700)),
        (Zeros(), 0.0),
    ],
)
def test_initializers_have_their_deviation(
    start: ScaledNormal | He | Glorot | Zeros, deviation: float
) -> None:
    weights = start((400, 300), np.random.default_rng(0))
    assert weights.std() == pytest.approx(deviation, rel=0.02)
    assert abs(weights.mean()) <= deviation * 0.02
