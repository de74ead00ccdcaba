"""What every layer promises: the contract, against a reference; and what each promises alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from tests.helpers.images import convolved, draw, normalized, pooled
from tests.helpers.own_layers import rows

from handloom import Dense, ModelError, ReLU, Softmax, build, check_gradients
from handloom.errors import ConfigurationError
from handloom.layers import (
    ELU,
    GELU,
    LAYERS,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dropout,
    Flatten,
    Layer,
    LayerNorm,
    LeakyReLU,
    MaxPool2D,
    Reshape,
    Residual,
    Sigmoid,
    SiLU,
    Tanh,
)
from handloom.parameters import Array
from handloom.testing import check_layer


@dataclass(frozen=True)
class Case:
    """A layer, rows that it takes, and what it computes, written in another way."""

    make: Callable[[], Layer]
    x: Array
    reference: Callable[[Array, Mapping[str, Array]], Array]


def weighted_sums(x: Array, weights: Mapping[str, Array]) -> Array:
    return np.asarray(np.einsum("nd,dh->nh", x, weights["weights"]) + weights["biases"])


def positive_part(x: Array, weights: Mapping[str, Array]) -> Array:
    return np.asarray((x + np.abs(x)) / 2)


def shares(x: Array, weights: Mapping[str, Array]) -> Array:
    return np.stack([np.exp(row) / np.exp(row).sum() for row in x])


def gelu(x: Array, weights: Mapping[str, Array]) -> Array:
    inside = np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)
    return np.asarray(0.5 * x * (1.0 + np.tanh(inside)))


X = rows(6, 7)
IMAGES = draw(3, 2, 4, 5)
CASES = {
    "dense": Case(lambda: Dense(5), X, weighted_sums),
    "relu": Case(ReLU, X, positive_part),
    "leaky_relu": Case(lambda: LeakyReLU(0.1), X, lambda x, w: np.maximum(x, 0.1 * x)),
    "elu": Case(lambda: ELU(0.5), X, lambda x, w: np.where(x > 0.0, x, 0.5 * np.exp(x) - 0.5)),
    "tanh": Case(Tanh, X, lambda x, w: np.tanh(x)),
    "sigmoid": Case(Sigmoid, X, lambda x, w: 1.0 / (1.0 + np.exp(-x))),
    "silu": Case(SiLU, X, lambda x, w: x / (1.0 + np.exp(-x))),
    "gelu": Case(GELU, X, gelu),
    "softmax": Case(Softmax, X, shares),
    "dropout": Case(Dropout, X, lambda x, w: x),
    "conv2d": Case(
        lambda: Conv2D(3, 3, padding=1),
        IMAGES,
        lambda x, w: convolved(x, w["weights"], w["biases"], 1, (1, 1)),
    ),
    "max_pool2d": Case(lambda: MaxPool2D(2), IMAGES, lambda x, w: pooled(x, 2, 2, True)),
    "average_pool2d": Case(lambda: AveragePool2D(2), IMAGES, lambda x, w: pooled(x, 2, 2, False)),
    "flatten": Case(Flatten, IMAGES, lambda x, w: np.array([list(row.flat) for row in x])),
    "reshape": Case(lambda: Reshape((1, 7)), X, lambda x, w: x[:, None]),
    "residual": Case(lambda: Residual([ReLU()]), X, lambda x, w: x + positive_part(x, w)),
    "batch_norm": Case(
        BatchNorm,
        X,
        lambda x, w: w["scale"] * np.array([normalized(c) for c in x.T]).T + w["shift"],
    ),
    "layer_norm": Case(
        LayerNorm,
        X,
        lambda x, w: w["scale"] * np.array([normalized(row) for row in x]) + w["shift"],
    ),
}


@pytest.fixture(params=sorted(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def test_every_layer_keeps_the_contract(case: Case) -> None:
    assert check_layer(case.make(), case.x, case.reference).ok


def test_every_gradient_is_right_in_each_entry(case: Case) -> None:
    report = check_gradients(case.make(), case.x, thorough=True)
    assert report.ok, report


def test_no_layer_is_forgotten() -> None:
    assert set(CASES) == set(LAYERS)


def test_backward_without_a_training_pass_is_refused(case: Case) -> None:
    layer = case.make()
    build([layer], case.x.shape[1:], dtype=np.float64)
    y = layer.forward(case.x)
    with pytest.raises(ModelError, match="training=True"):
        layer.backward(y)


def test_dense_is_x_times_w_plus_b() -> None:
    dense = Dense(2)
    build([dense], (3,), dtype=np.float64)
    dense.weights["weights"][...] = [[1, 2], [3, 4], [5, 6]]
    dense.weights["biases"][...] = [10, 20]
    assert dense.forward(np.array([[1.0, 0.0, -1.0]])).tolist() == [[6.0, 16.0]]


def test_relu_cuts_at_zero_and_lets_nan_through() -> None:
    y = ReLU().forward(np.array([[-1.0, 0.0, 2.0, np.nan]]))
    assert y[0, :3].tolist() == [0.0, 0.0, 2.0]
    assert np.isnan(y[0, 3])


def test_relu_has_slope_zero_at_zero() -> None:
    relu = ReLU()
    relu.forward(np.zeros((1, 2)), training=True)
    assert relu.backward(np.ones((1, 2))).tolist() == [[0.0, 0.0]]  # type: ignore[union-attr]


def test_softmax_rows_sum_to_one_however_large_the_logits() -> None:
    y = Softmax().forward(np.array([[1e30, 0.0, -1e30], [1.0, 1.0, 1.0]]))
    assert np.allclose(y.sum(axis=1), 1.0)
    assert np.allclose(y, [[1.0, 0.0, 0.0], [1 / 3] * 3])


@pytest.mark.parametrize("units", [0, -3, 2.5, "8", True, None])
def test_dense_refuses_sizes_that_mean_nothing(units: object) -> None:
    with pytest.raises(ConfigurationError, match="units must be a whole number"):
        Dense(units)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["weights_l1", "weights_l2", "biases_l1", "biases_l2"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_dense_refuses_strengths_that_mean_nothing(name: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Dense(3, **{name: value})  # type: ignore[arg-type]


def test_dense_refuses_rows_of_another_width() -> None:
    dense = Dense(2)
    build([dense], (3,))
    with pytest.raises(ModelError, match="3 columns"):
        dense.forward(np.zeros((1, 4), np.float32))


def test_dense_without_weights_says_so() -> None:
    with pytest.raises(ModelError, match="build"):
        Dense(2).forward(np.zeros((1, 4), np.float32))
