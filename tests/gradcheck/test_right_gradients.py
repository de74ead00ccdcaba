"""The gradient check accepts correct gradients, at kinks and for numbers of any size."""

import numpy as np
import pytest
from tests.gradcheck.helpers import TARGETS, NotScaled, X, both_modes, network
from tests.helpers.own_layers import Drop, MaxPool, Normalize, Rng, Scale, rows

from handloom import (
    CategoricalCrossEntropy,
    Dense,
    Layer,
    ReLU,
    Sequential,
    Softmax,
    SoftmaxCrossEntropy,
    check_gradients,
)
from handloom.layers import softmax
from handloom.losses import Loss, Targets
from handloom.parameters import Array


@both_modes
@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (Dense(4), X),
        (ReLU(), X),
        (Softmax(), X),
        (Scale(), X),
        (Drop(), X),
        (Normalize(), X),
        (MaxPool(), rows(3, 2, 4, 6)),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_right_layers_pass(layer: Layer, x: Array, thorough: bool) -> None:
    report = check_gradients(layer, x, thorough=thorough)
    assert report.ok, report
    assert max(row.error for row in report.rows) < 1e-7
    assert [row.name for row in report.rows] == ["input", *layer.declare(x.shape[1:])]


@both_modes
@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.0, 0.5, 3.0, 1.0]])
@pytest.mark.parametrize("targets", [TARGETS, np.eye(5)[TARGETS]], ids=["indices", "one-hot"])
@pytest.mark.parametrize(
    ("loss", "x"), [(SoftmaxCrossEntropy(), X), (CategoricalCrossEntropy(), softmax(X))]
)
def test_right_losses_pass(
    loss: Loss, x: Array, targets: Targets, weights: list[float] | None, thorough: bool
) -> None:
    report = check_gradients(loss, x, targets, weights, thorough=thorough)
    assert report.ok, report


@both_modes
def test_a_network_passes_with_its_penalty(thorough: bool) -> None:
    made = network(weights_l1=0.01, weights_l2=0.02, biases_l1=0.03, biases_l2=0.04)
    weights = np.arange(1.0, 7.0)
    report = check_gradients(made, X, TARGETS, weights, thorough=thorough)
    assert report.ok, report
    assert [row.name for row in report.rows][:2] == ["0.dense.weights", "0.dense.biases"]
    assert [row.shape for row in report.rows] == [(5, 12), (12,), (12, 5), (5,)]


@pytest.mark.parametrize("magnitude", [1e-100, 1e-30, 1e-6, 1e6, 1e30])
def test_numbers_of_any_size_can_be_checked(magnitude: float) -> None:
    assert check_gradients(ReLU(), magnitude * X).ok
    assert not check_gradients(NotScaled(), magnitude * X).ok


def test_a_gradient_that_is_zero_does_not_cry_wolf() -> None:
    made = network().build((5,), dtype=np.float64)
    made.parameters.weights["0.dense.biases"][...] = -1e3  # every unit is dead
    report = check_gradients(made, X, TARGETS, thorough=True)
    assert report.ok, report
    assert report.rows[0].analytic == 0.0


@both_modes
def test_zeros_and_ties_are_no_trouble(thorough: bool) -> None:
    images = np.zeros((2, 1, 4, 4))
    assert check_gradients(MaxPool(), images, thorough=thorough).ok
    assert check_gradients(ReLU(), images, thorough=thorough).ok
    made = network(weights_l1=0.1, biases_l1=0.1).build((5,))
    made.parameters.vector[...] = 0.0
    assert check_gradients(made, np.zeros((3, 5)), TARGETS[:3], thorough=thorough).ok


@pytest.mark.long
def test_kinks_inside_are_stepped_around_and_counted() -> None:
    wide = Sequential([Dense(2000), ReLU(), Dense(5)])
    report = check_gradients(wide, rows(100, 5), np.arange(100) % 5)
    assert report.ok, report
    assert report.rows[0].kinks > 0
    assert report.rows[-1].kinks == 0  # behind the last ReLU nothing is bent


class Hatched(Layer):
    """Kinks closer to each other than any step."""

    kind = "hatched"

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        self._save_for_backward(x, training)
        return np.asarray(np.abs(np.sin(1e9 * x)))

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        inside = 1e9 * self._saved_array()
        return np.asarray(dy * 1e9 * np.cos(inside) * np.sign(np.sin(inside)))


def test_what_cannot_be_decided_is_not_called_right() -> None:
    report = check_gradients(Hatched(), X, thorough=True)
    assert not report.ok
    assert report.rows[0].left_out > 0
    assert "left out" in str(report)
