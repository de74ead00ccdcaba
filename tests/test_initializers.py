"""Initial weights: the variance that the formula of an initializer promises, for every shape."""

import math
from typing import Any

import numpy as np
import pytest
from tests.helpers.gradients import Float64
from tests.helpers.networks import network

import handloom
from handloom import ConfigurationError, Conv2D, Dense, Flatten, ModelError, ReLU, Sequential
from handloom.initializers import INITIALIZERS, Glorot, He, Initializer, ScaledNormal

DENSE, KERNEL, ONE_BY_ONE = (400, 300), (5, 5, 40, 120), (1, 1, 300, 400)

VARIANCES = [
    (He(), DENSE, 2 / 400),
    (He(), KERNEL, 2 / (25 * 40)),
    (He(), ONE_BY_ONE, 2 / 300),
    (Glorot(), DENSE, 2 / (400 + 300)),
    (Glorot(), KERNEL, 2 / (25 * 40 + 25 * 120)),
    (Glorot(), ONE_BY_ONE, 2 / (300 + 400)),
    (ScaledNormal(0.02), DENSE, 0.02**2),
    (ScaledNormal(0.02), KERNEL, 0.02**2),
]


def test_starting_values_follow_the_seed() -> None:
    vectors = [network().parameters.vector for _ in range(2)]
    other = Sequential([Dense(5), ReLU(), Dense(3)]).build((6,), seed=2, dtype=np.float64)
    assert np.array_equal(vectors[0], vectors[1])
    assert not np.array_equal(vectors[0], other.parameters.vector)


@pytest.mark.parametrize(("start", "shape", "variance"), VARIANCES)
def test_initial_weights_have_the_variance_of_the_formula(
    start: Initializer, shape: tuple[int, ...], variance: float
) -> None:
    weights = start(shape, np.random.default_rng(0))
    assert weights.shape == shape
    assert weights.var() == pytest.approx(variance, rel=0.02)
    assert abs(weights.mean()) < 5 * math.sqrt(variance / weights.size)


def test_glorot_fills_its_interval_and_stays_within() -> None:
    weights = Glorot()(KERNEL, np.random.default_rng(0))
    limit = math.sqrt(6 / (25 * 40 + 25 * 120))
    assert 0.999 * limit < np.abs(weights).max() <= limit


@pytest.mark.parametrize("name", ["he", "glorot", "scaled_normal"])
def test_a_layer_draws_its_weights_from_the_initializer_it_names(name: str) -> None:
    network = Sequential([Conv2D(60, 5, weights=name), Flatten(), Dense(300, weights=name)])
    drawn = network.build((40, 9, 9)).parameters.weights
    for layer in ("0.conv2d.weights", "2.dense.weights"):
        expected = INITIALIZERS[name]()(drawn[layer].shape, np.random.default_rng(1)).std()
        assert drawn[layer].std() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones(3), r"0\.dense\.weights must return values of shape \(4, 3\), got shape \(3,\)"),
        (np.full((4, 3), np.nan), "0.dense.weights must return finite values of float32, got NaN"),
        (np.full((4, 3), 1e39), "0.dense.weights must return finite values of float32, got NaN"),
    ],
)
def test_initial_values_of_another_shape_or_not_finite_are_refused(
    values: Float64, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        Sequential([Dense(3, weights=lambda *_: values)]).build((4,))


def test_every_initializer_is_public() -> None:
    for class_ in INITIALIZERS.values():
        assert getattr(handloom, class_.__name__) is class_


@pytest.mark.parametrize("start", [kind() for kind in INITIALIZERS.values()])
def test_a_layer_is_made_again_with_its_initializer(start: Initializer) -> None:
    layer = Dense(3, weights=start)
    again = Dense.from_config(layer.config(), lambda _: layer)
    assert again.initializer == start


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (He, r"got the class He: pass He\(\)"),
        (np.ones((3, 2)), r"such as He\(\), .* got ndarray; arrays of weights are for build"),
        (None, "got NoneType"),
        ("hee", "Did you mean 'he'"),
    ],
)
def test_a_value_that_is_no_initializer_is_refused(value: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Dense(3, weights=value)
