"""What every layer promises: values, shapes, dtypes, and the right gradients."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.gradients import Float64, numeric_gradient, relative_error

from handloom import Dense, ModelError, ReLU, Softmax, build
from handloom.errors import ConfigurationError
from handloom.layers import Layer

LAYERS: dict[str, Callable[[], Layer]] = {
    "dense": lambda: Dense(5),
    "relu": ReLU,
    "softmax": Softmax,
}


@pytest.fixture(params=sorted(LAYERS))
def layer(request: pytest.FixtureRequest) -> Layer:
    return LAYERS[request.param]()


def rows(n: int = 4, d: int = 7, dtype: type = np.float64) -> Float64:
    """Return rows away from ReLU's kink at zero."""
    x = np.random.default_rng(0).standard_normal((n, d))
    return (x + 0.1 * np.sign(x)).astype(dtype)


def test_gradients_agree_with_central_differences(layer: Layer) -> None:
    parameters = build([layer], (7,), dtype=np.float64, seed=3)
    x = rows()
    y = layer.forward(x, training=True)
    dy = np.random.default_rng(1).standard_normal(y.shape)

    def value() -> float:
        return float((layer.forward(x) * dy).sum())

    dx = layer.backward(dy)
    assert dx is not None
    assert relative_error(dx, numeric_gradient(value, x)) < 1e-6
    numeric = numeric_gradient(value, parameters.vector)  # type: ignore[arg-type]
    assert relative_error(parameters.gradient, numeric) < 1e-6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [0, 1, 4])
def test_shapes_and_dtypes_are_kept(layer: Layer, dtype: type, n: int) -> None:
    build([layer], (7,), dtype=dtype)
    x = rows(n, dtype=dtype)
    y = layer.forward(x, training=True)
    dx = layer.backward(np.ones_like(y))
    assert dx is not None
    assert y.shape == (n, *layer.output_shape((7,)))
    assert y.dtype == dtype
    assert dx.dtype == dtype
    assert dx.shape == x.shape


def test_input_and_output_gradient_are_not_overwritten(layer: Layer) -> None:
    build([layer], (7,), dtype=np.float64)
    x = rows()
    kept_x = x.copy()
    dy = np.ones_like(layer.forward(x, training=True))
    layer.backward(dy)
    assert np.array_equal(x, kept_x)
    assert np.array_equal(dy, np.ones_like(dy))


def test_results_of_a_bare_layer_are_not_overwritten_by_the_next_call(layer: Layer) -> None:
    build([layer], (7,), dtype=np.float64)
    first = layer.forward(rows())
    kept = first.copy()
    layer.forward(-rows())
    assert np.array_equal(first, kept)


def test_strides_and_memory_order_do_not_matter(layer: Layer) -> None:
    build([layer], (7,), dtype=np.float64)
    x = rows(8)
    plain = layer.forward(x)
    assert relative_error(layer.forward(np.asfortranarray(x)), plain) < 1e-14
    assert relative_error(layer.forward(np.repeat(x, 2, axis=0)[::2]), plain) < 1e-14


def test_backward_without_a_training_pass_is_refused(layer: Layer) -> None:
    build([layer], (7,))
    y = layer.forward(rows(dtype=np.float32))
    with pytest.raises(ModelError, match="training=True"):
        layer.backward(y)


def test_nobody_needs_the_input_gradient_of_the_first_layer(layer: Layer) -> None:
    build([layer], (7,))
    y = layer.forward(rows(dtype=np.float32), training=True)
    assert layer.backward(y, need_dx=False) is None


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
