"""Gradient clipping: a larger gradient is scaled down to the norm, a smaller one is unchanged."""

from typing import Any

import numpy as np
import pytest
from tests.helpers.gradients import Float64
from tests.helpers.training import features, network

from handloom import SGD, SoftmaxCrossEntropy, Trainer
from handloom.errors import ConfigurationError
from handloom.parameters import Array

DATA = features()


def moves(clip_norm: float | None) -> list[Float64]:
    """Return the vector that each of some steps at a rate of 1 subtracts: its gradient."""
    made = network(DATA, dtype=np.float64, l2=0.01)
    moved: list[Float64] = []

    class Watched(SGD):
        def step(self, learning_rate: float) -> None:
            before = made.parameters.vector.astype(np.float64)
            super().step(learning_rate)
            moved.append(before - made.parameters.vector)

    options: dict[str, Any] = {"epochs": 2, "batch_size": 60, "clip_norm": clip_norm}
    Trainer(made, Watched(), 1.0, **options).fit(DATA)
    return moved


def test_a_longer_gradient_keeps_its_direction_and_gets_the_norm() -> None:
    free, clipped = moves(None)[0], moves(0.25)[0]
    assert np.linalg.norm(free) > 0.25
    assert np.linalg.norm(clipped) == pytest.approx(0.25, rel=1e-12)
    np.testing.assert_allclose(clipped, free * (0.25 / np.linalg.norm(free)), rtol=1e-9)
    assert all(np.linalg.norm(move) < 0.25 * (1 + 1e-12) for move in moves(0.25))


def test_a_shorter_gradient_is_left_alone_to_the_bit() -> None:
    assert np.array_equal(moves(None), moves(1e6))


def test_a_gradient_whose_square_overflows_is_clipped_too() -> None:
    made, norms = network(DATA), []

    class Steep(SoftmaxCrossEntropy):
        def __call__(self, *arguments: Any, **options: Any) -> tuple[float, Array]:
            value, gradient = super().__call__(*arguments, **options)
            gradient *= 1e25
            return value, gradient

    class Watched(SGD):
        def step(self, learning_rate: float) -> None:
            norms.append(np.linalg.norm(made.parameters.gradient.astype(np.float64)))
            super().step(learning_rate)

    for clip_norm in (None, 2.0):
        Trainer(made, Watched(), 1e-30, epochs=1, loss=Steep(), clip_norm=clip_norm).fit(DATA)
    assert norms[0] > 1e24
    assert norms[1] == pytest.approx(2.0, rel=1e-5)


@pytest.mark.parametrize("norm", [0.0, -1.0, float("inf"), float("nan")])
def test_a_norm_that_means_nothing_is_refused(norm: float) -> None:
    with pytest.raises(ConfigurationError, match="clip_norm"):
        Trainer(network(DATA), SGD(), 0.1, clip_norm=norm)
