"""Activations: their values, on ordinary numbers and on the largest, and their slopes."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from handloom import ELU, GELU, ConfigurationError, LeakyReLU, ReLU, Sigmoid, SiLU, Tanh
from handloom.layers import LAYERS, Layer, sigmoid
from handloom.parameters import Array
from handloom.testing import check_layer

Scalar = Callable[[float], float]


def logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x > 0 else math.exp(x) / (1.0 + math.exp(x))


def gelu(x: float) -> float:
    """The form that its paper gives, with the tangent."""
    inner = math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)
    return 0.5 * x * (1.0 + math.tanh(inner))


def exact_gelu(x: float) -> float:
    return 0.5 * x * (1.0 + math.erf(x / math.sqrt(2.0)))


def exact_gelu_slope(x: float) -> float:
    density = math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
    return 0.5 * (1.0 + math.erf(x / math.sqrt(2.0))) + x * density


REFERENCES: dict[str, tuple[Layer, Scalar]] = {
    "relu": (ReLU(), lambda x: x if x > 0 else 0.0),
    "leaky": (LeakyReLU(), lambda x: x if x > 0 else 0.01 * x),
    "leaky, steep": (LeakyReLU(0.3), lambda x: x if x > 0 else 0.3 * x),
    "identity": (LeakyReLU(1.0), lambda x: x),
    "elu": (ELU(), lambda x: x if x > 0 else math.exp(x) - 1.0),
    "elu, shallow": (ELU(0.3), lambda x: x if x > 0 else 0.3 * (math.exp(x) - 1.0)),
    "elu, deep": (ELU(2.5), lambda x: x if x > 0 else 2.5 * (math.exp(x) - 1.0)),
    "tanh": (Tanh(), lambda x: 1.0 - 2.0 / (math.exp(2.0 * x) + 1.0)),
    "sigmoid": (Sigmoid(), logistic),
    "silu": (SiLU(), lambda x: x / (1.0 + math.exp(-x))),
    "gelu": (GELU(), gelu),
}
every = pytest.mark.parametrize("name", REFERENCES)


def of_entries(f: Scalar, x: Array) -> Array:
    values: Array = np.array([f(float(value)) for value in x.flat]).reshape(x.shape)
    return values


def values_and_slopes(layer: Layer, x: Array) -> tuple[Array, Array]:
    y = layer.forward(x, training=True)
    dx = layer.backward(np.ones_like(x))
    assert dx is not None
    return y, dx


@every
@pytest.mark.parametrize("shape", [(5, 7), (3, 2, 4, 4)], ids=["rows", "images"])
def test_it_keeps_the_contract_of_layers(name: str, shape: tuple[int, ...]) -> None:
    layer, f = REFERENCES[name]
    x = 2.0 * np.random.default_rng(0).standard_normal(shape)
    check_layer(layer, x, lambda x, _: of_entries(f, x))


def test_every_activation_is_tested_here() -> None:
    tested = {layer.kind for layer, _ in REFERENCES.values()}
    assert {"relu", "leaky_relu", "elu", "tanh", "sigmoid", "silu", "gelu"} == tested
    assert tested <= set(LAYERS)


@every
def test_float32_is_right_to_a_few_roundings(name: str) -> None:
    layer, f = REFERENCES[name]
    x = np.linspace(-8.0, 8.0, 1001, dtype=np.float32)[:, None]
    y = layer.forward(x)
    expected = of_entries(f, x)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=2e-7)


LIMITS: dict[str, tuple[Layer, float, float]] = {
    # the value of the negative side over x, and its slope, far out; the positive side is x or 1
    "leaky": (LeakyReLU(), 0.01, 0.01),
    "elu": (ELU(2.5), 0.0, 0.0),
    "silu": (SiLU(), 0.0, 0.0),
    "gelu": (GELU(), 0.0, 0.0),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LIMITS)
def test_far_out_it_is_a_straight_line(name: str, dtype: type) -> None:
    layer, value, slope = LIMITS[name]
    far: Array = np.array([[1e3, 1e10, 1e30, 1e38]], dtype)
    y, dx = values_and_slopes(layer, np.concatenate([far, -far]))
    np.testing.assert_allclose(y[0], far[0], rtol=1e-6)
    np.testing.assert_allclose(dx[0], 1.0, rtol=1e-6)
    np.testing.assert_allclose(y[1] / -far[0], value, rtol=1e-6, atol=3e-3)
    np.testing.assert_allclose(dx[1], slope, rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("layer", "low"), [(Tanh(), -1.0), (Sigmoid(), 0.0)])
def test_far_out_it_is_flat(layer: Layer, low: float, dtype: type) -> None:
    far = np.finfo(dtype).max
    x: Array = np.array([[-np.inf, -far, -1e4, 1e4, far, np.inf]], dtype)
    y, dx = values_and_slopes(layer, x)
    assert y[0].tolist() == [low] * 3 + [1.0] * 3
    assert not dx.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_small_sigmoid_keeps_its_digits(dtype: type) -> None:
    x: Array = np.array([-10.0, -20.0, -50.0, -80.0], dtype)
    np.testing.assert_allclose(sigmoid(x), [math.exp(v) / (1 + math.exp(v)) for v in x], rtol=1e-5)


def test_sigmoid_may_write_over_its_input() -> None:
    x = np.array([0.0, 2.0])
    assert sigmoid(x, out=x) is x
    assert x == pytest.approx([0.5, logistic(2.0)], rel=1e-15)


def test_elu_keeps_its_digits_near_zero() -> None:
    x = np.array([[-1e-6]], np.float32)
    assert float(ELU().forward(x)[0, 0]) == pytest.approx(math.expm1(x[0, 0]), rel=1e-6)


@every
def test_a_number_that_is_none_stays_none(name: str) -> None:
    y = REFERENCES[name][0].forward(np.array([[np.nan, 1.0]]))
    assert np.isnan(y).tolist() == [[True, False]]


@pytest.mark.parametrize(
    ("layer", "slope"),
    [(ReLU(), 0.0), (LeakyReLU(0.2), 0.2), (ELU(), 1.0), (ELU(0.5), 0.5), (SiLU(), 0.5)],
)
def test_the_slope_at_zero_is_the_one_that_is_stated(layer: Layer, slope: float) -> None:
    _, dx = values_and_slopes(layer, np.zeros((1, 2)))
    assert dx.tolist() == [[slope] * 2]


def test_the_positive_side_of_a_leaky_rectifier_is_not_rounded() -> None:
    layer = LeakyReLU(0.01)
    dy = np.random.default_rng(0).standard_normal((1, 99)).astype(np.float32)
    layer.forward(np.ones_like(dy), training=True)
    assert np.array_equal(layer.backward(dy), dy)  # type: ignore[arg-type]


def test_gelu_is_as_far_from_the_exact_one_as_it_says() -> None:
    x = np.linspace(-8.0, 8.0, 4001)[:, None]
    y, dx = values_and_slopes(GELU(), x)
    off = np.abs(y - of_entries(exact_gelu, x))
    slope_off = np.abs(dx - of_entries(exact_gelu_slope, x))
    assert off.max() == pytest.approx(4.73e-4, rel=1e-2)
    assert abs(x[off.argmax(), 0]) == pytest.approx(2.7, abs=0.05)
    assert slope_off.max() == pytest.approx(8.69e-4, rel=1e-2)
    assert abs(x[slope_off.argmax(), 0]) == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("slope", [0.0, -0.1, 1.01, float("nan"), "steep", True])
def test_leaky_relu_refuses_slopes_that_mean_nothing(slope: object) -> None:
    with pytest.raises(ConfigurationError, match="slope must be a finite number above 0 and at mo"):
        LeakyReLU(slope)  # type: ignore[arg-type]


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("inf"), None])
def test_elu_refuses_depths_that_mean_nothing(alpha: object) -> None:
    with pytest.raises(ConfigurationError, match="alpha must be a finite number above 0"):
        ELU(alpha)  # type: ignore[arg-type]
