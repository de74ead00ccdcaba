"""Parameters: named views into one vector, and the penalty with its gradient."""

import pytest
from tests.helpers.networks import network


def test_arrays_are_named_views_into_one_vector() -> None:
    parameters = network().parameters
    assert list(parameters.weights) == [
        "0.dense.weights",
        "0.dense.biases",
        "2.dense.weights",
        "2.dense.biases",
    ]
    assert parameters.weights["0.dense.weights"].shape == (6, 5)
    parameters.vector[...] = 0.0
    assert not any(array.any() for array in parameters.weights.values())
    assert len(parameters) == 6 * 5 + 5 + 5 * 3 + 3


def test_the_penalty_can_be_scaled_and_its_slope_at_zero_is_zero() -> None:
    parameters = network(weights_l1=0.5, weights_l2=0.25).parameters
    parameters.vector[...] = 0.0
    parameters.weights["0.dense.weights"][0, :2] = [2.0, -2.0]
    assert parameters.penalty() == pytest.approx(0.5 * 4 + 0.25 * 8)
    parameters.add_penalty_gradient(0.1)
    gradient = parameters.gradients["0.dense.weights"][0]
    assert gradient == pytest.approx([0.15, -0.15, 0.0, 0.0, 0.0])
