"""Statements with a number in the derivations of layers and initializers, computed."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from tests.helpers.gradients import Float64

from handloom import (
    ELU,
    GELU,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dropout,
    Embedding,
    Glorot,
    He,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    ScaledNormal,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
    build,
)
from handloom.layers import Layer
from handloom.layers.winograd import A, B, G

LINE = np.linspace(-8, 8, 16_001)


def value(layer: Layer, x: Float64 = LINE) -> Float64:
    return np.asarray(layer.forward(x[:, None])[:, 0], np.float64)


def slope(layer: Layer, x: Float64 = LINE) -> Float64:
    layer.forward(x[:, None], training=True)
    dx = layer.backward(np.ones((len(x), 1)))
    assert dx is not None
    return np.asarray(dx[:, 0], np.float64)


def drawn(*shape: int) -> Float64:
    return np.random.default_rng(0).standard_normal(shape)


# activations


def test_two_dense_layers_without_an_activation_are_one() -> None:
    x, first, second = drawn(5, 4), drawn(4, 6), drawn(6, 3)
    np.testing.assert_allclose((x @ first) @ second, x @ (first @ second), rtol=1e-12)


def test_both_forms_of_leaky_relu_are_the_same() -> None:
    for a in (0.01, 0.5, 1.0):
        np.testing.assert_array_equal(value(LeakyReLU(a)), np.where(LINE > 0, LINE, a * LINE))


def test_relu_of_x_is_positive_where_x_is_and_its_slope_at_0_is_0() -> None:
    np.testing.assert_array_equal(value(ReLU()) > 0, LINE > 0)
    assert slope(ReLU(), np.zeros(1)) == 0
    assert slope(LeakyReLU(0.25), np.zeros(1)) == 0.25
    assert slope(ELU(0.5), np.zeros(1)) == 0.5
    x = np.array([-1.0, -0.1])
    np.testing.assert_allclose(slope(ELU(0.5), x), value(ELU(0.5), x) + 0.5, rtol=1e-12)


def test_the_mean_of_elu_is_closer_to_0_than_that_of_relu() -> None:
    x = drawn(100_000)
    relu, elu = value(ReLU(), x).mean(), value(ELU(), x).mean()
    assert abs(elu) < 0.5 * relu
    assert value(ELU(0.7)).min() > -0.7


def test_an_exponential_minus_one_loses_a_percent_where_expm1_does_not() -> None:
    x = np.float32(-1e-6)
    exact = math.expm1(float(x))
    assert 0.01 < abs(float(np.exp(x) - np.float32(1)) / exact - 1) < 0.07
    assert 1 - float(np.nextafter(np.float32(1), np.float32(0))) == pytest.approx(6e-8, abs=1e-9)
    assert float(np.expm1(x)) == pytest.approx(exact, rel=1e-6)


def test_the_slope_of_tanh_is_1_at_0_and_a_hundredth_at_3() -> None:
    assert slope(Tanh()).max() == slope(Tanh(), np.zeros(1)) == 1
    np.testing.assert_allclose(slope(Tanh(), np.array([-3.0, 3.0])), 0.01, atol=0.0005)


def test_the_slope_of_a_sigmoid_is_at_most_a_quarter() -> None:
    assert slope(Sigmoid()).max() == slope(Sigmoid(), np.zeros(1)) == 0.25
    x = np.float32(-20)
    assert (1 + np.tanh(x / 2)) / 2 == 0  # the other form loses a small output
    assert value(Sigmoid(), np.array([0.3, 4.0])) == pytest.approx(
        1 / (1 + np.exp([-0.3, -4.0])), rel=1e-12
    )
    y = value(Sigmoid())
    np.testing.assert_allclose(np.log(y / (1 - y)), LINE, atol=1e-9)  # the odds


def test_the_slope_of_silu_is_above_1_from_its_minimum_mirrored_on() -> None:
    slopes, at = slope(SiLU()), -LINE[value(SiLU()).argmin()]
    assert at == pytest.approx(1.278, abs=0.001)
    off_edge = abs(LINE - at) > 0.002
    np.testing.assert_array_equal((slopes > 1)[off_edge], (at < LINE)[off_edge])
    assert slopes.max() == pytest.approx(1.1, abs=0.001)
    assert LINE[slopes.argmax()] == pytest.approx(2.4, abs=0.01)
    assert (slopes[-at - 0.002 > LINE] < 0).all()


def test_the_approximation_of_gelu_is_as_close_as_the_page_says() -> None:
    erf = np.vectorize(math.erf)
    phi = (1 + erf(LINE / math.sqrt(2))) / 2
    density = np.exp(-np.square(LINE) / 2) / math.sqrt(2 * math.pi)
    off = np.abs(value(GELU()) - LINE * phi)
    off_slope = np.abs(slope(GELU()) - phi - LINE * density)
    assert off.max() <= 4.8e-4
    assert abs(LINE[off.argmax()]) == pytest.approx(2.7, abs=0.05)
    assert 8.6e-4 < off_slope.max() <= 8.7e-4
    assert abs(LINE[off_slope.argmax()]) == pytest.approx(2.0, abs=0.05)


def test_the_constants_of_gelu_give_its_gate_the_value_and_slope_of_the_normal_one_at_0() -> None:
    a = 2 * math.sqrt(2 / math.pi)
    assert a == pytest.approx(1.5958, abs=5e-5)
    assert a / 4 == pytest.approx(1 / math.sqrt(2 * math.pi), rel=1e-12)
    assert slope(GELU(), np.zeros(1)) == pytest.approx(0.5, abs=1e-12)


def test_softmax_ignores_a_shift_so_its_gradient_sums_to_0() -> None:
    x, dy, layer = drawn(6, 4), drawn(6, 4)[::-1], Softmax()
    y = layer.forward(x, training=True)
    np.testing.assert_allclose(layer.forward(x + 3.0), y, rtol=1e-12)
    np.testing.assert_array_equal(y.argsort(axis=1), x.argsort(axis=1))
    dx = layer.backward(dy)
    assert dx is not None
    np.testing.assert_allclose(dx.sum(axis=1), 0, atol=1e-15)
    np.testing.assert_allclose(dx, y * (dy - (y * dy).sum(axis=1, keepdims=True)), rtol=1e-9)


# dropout


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_dropout_keeps_the_mean_and_adds_the_variance_of_the_page(rate: float) -> None:
    x = 3.0
    y = Dropout(rate).forward(np.full((1000, 1000), x), training=True, rng=np.random.default_rng(0))
    q = 1 - round(rate * 65_536) / 65_536
    assert y.mean() == pytest.approx(x, abs=0.02)
    assert y.var() == pytest.approx((1 - q) / q * x**2, rel=0.01)
    assert y.max() == pytest.approx(x / q, rel=1e-12)


# normalization


def test_batch_normalization_ignores_a_shift_and_for_epsilon_0_a_scale() -> None:
    x = drawn(8, 3)
    for epsilon, tolerance in ((1e-12, 1e-9), (1.0, None)):
        layer = BatchNorm(epsilon=epsilon)
        build([layer], (3,), dtype=np.float64)
        y = layer.forward(x, training=True)
        np.testing.assert_allclose(layer.forward(x + 5.0, training=True), y, atol=1e-9)
        off = np.abs(layer.forward(3.0 * x, training=True) - y).max()
        assert (off < tolerance) if tolerance else (off > 0.1)
        z = layer.forward(x, training=True)  # the scale is 1 and the shift 0
        dx = layer.backward(drawn(16, 3)[8:])
        assert dx is not None
        np.testing.assert_allclose(dx.sum(axis=0), 0, atol=1e-12)
        inner = (dx * z).sum(axis=0)
        v, dscale = x.var(axis=0), layer.gradients["scale"]
        expected = dscale / np.sqrt(v + epsilon) * epsilon / (v + epsilon)
        np.testing.assert_allclose(inner, expected, atol=1e-9)


def test_the_initial_values_of_batch_normalization_are_those_of_the_page() -> None:
    layer = BatchNorm()
    build([layer], (2,))
    arrays = {name: array.tolist() for name, array in layer.weights.items()}
    assert arrays == {
        "scale": [1, 1],
        "shift": [0, 0],
        "running_mean": [0, 0],
        "running_variance": [1, 1],
    }
    assert (layer.momentum, layer.epsilon) == (0.9, 1e-5)


# convolution and pooling


def test_pixels_between_windows_have_no_gradient() -> None:
    layer = Conv2D(1, 1, stride=2)
    build([layer], (1, 3, 3), dtype=np.float64)
    layer.forward(drawn(1, 1, 3, 3), training=True)
    dx = layer.backward(np.ones((1, 1, 2, 2)))
    assert dx is not None
    assert np.count_nonzero(dx) == 4


def test_average_pooling_is_a_convolution_with_constant_weights() -> None:
    pool, convolution = AveragePool2D(2), Conv2D(1, 2, stride=2)
    build([convolution], (1, 4, 4), dtype=np.float64)
    convolution.weights["weights"][...] = 1 / 4
    x = drawn(2, 1, 4, 4)
    np.testing.assert_allclose(pool.forward(x), convolution.forward(x), rtol=1e-12)


def test_of_equal_entries_of_a_window_the_first_has_the_gradient() -> None:
    layer = MaxPool2D(2)
    layer.forward(np.zeros((1, 1, 2, 2)), training=True)
    dx = layer.backward(np.ones((1, 1, 1, 1)))
    assert dx is not None
    np.testing.assert_array_equal(dx[0, 0], [[1, 0], [0, 0]])


def test_winograd_for_two_outputs_is_the_form_of_the_page() -> None:
    x, w = drawn(4), drawn(3)
    q = [
        (x[0] - x[2]) * w[0],
        (x[1] + x[2]) * (w[0] + w[1] + w[2]) / 2,
        (x[2] - x[1]) * (w[0] - w[1] + w[2]) / 2,
        (x[1] - x[3]) * w[2],
    ]
    y = [q[0] + q[1] + q[2], q[1] - q[2] - q[3]]
    np.testing.assert_allclose(y, [x[:3] @ w, x[1:] @ w], rtol=1e-12)


def test_the_entries_of_the_matrices_of_winograd_differ_by_almost_200() -> None:
    sizes = np.abs(np.concatenate([matrix[matrix != 0] for matrix in (A, B, G)]))
    assert sizes.max() / sizes.min() == pytest.approx(192)


# embedding


def test_the_width_of_an_embedding_follows_the_formula_of_the_page() -> None:
    for categories, width in ((2, 2), (10, 6), (100, 21), (100_000, 600)):
        assert min(600, round(1.6 * categories**0.56)) == width
        assert Embedding({0: categories}).output_shape((1,)) == (width,)


# initializers


def test_the_variances_of_initial_weights_are_those_of_the_page() -> None:
    generator = np.random.default_rng(0)
    variances: list[tuple[Callable[..., Float64], tuple[int, ...], float]] = [
        (He(), (400, 500), 2 / 400),
        (Glorot(), (400, 500), 2 / 900),
        (ScaledNormal(), (400, 500), 1e-4),
        (He(), (5, 5, 64, 64), 2 / (25 * 64)),
        (Glorot(), (5, 5, 64, 32), 2 / (25 * 96)),
    ]
    for start, shape, variance in variances:
        w = start(shape, generator)
        assert w.var() == pytest.approx(variance, rel=0.02)
        assert w.mean() == pytest.approx(0, abs=5 * math.sqrt(variance / w.size))


def test_a_standard_deviation_of_a_hundredth_shrinks_as_much_as_the_page_says() -> None:
    assert pytest.approx(0.08, abs=0.002) == 784 * 0.01**2
    assert pytest.approx(0.0064, rel=1e-9) == 128 * 0.01**2 / 2
    x, w = drawn(1000, 128), 0.01 * np.random.default_rng(1).standard_normal((128, 1000))
    y = np.maximum(x @ w, 0)
    assert np.square(y).mean() / np.square(x).mean() == pytest.approx(0.0064, rel=0.02)
