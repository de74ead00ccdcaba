"""Properties of every loss and layer, whatever shapes, magnitudes, weights and memory orders."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.layers.cases import CASES, Case

from handloom import build
from handloom.layers import Layer
from handloom.losses import LOSSES, RowLoss, SoftmaxCrossEntropy, loss
from handloom.parameters import Array
from handloom.randomness import Stream

many = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
seeds = st.integers(0, 2**32 - 1)
rows, columns = st.integers(1, 40), st.integers(2, 12)
powers = st.integers(-30, 30)

# from what a loss's gradient or value leaves the range of float64
LARGEST_POWER = {"poisson": 0, "categorical_cross_entropy": 0}


def problem(name: str, seed: int, n: int, k: int, power: int) -> tuple[RowLoss, Array, Array]:
    """Return a loss, predictions about as large as a power of ten, and targets that it takes."""
    generator = np.random.default_rng(seed)
    predictions = generator.standard_normal((n, k)) * 10.0 ** min(
        power, LARGEST_POWER.get(name, 30)
    )
    if name == "categorical_cross_entropy":
        predictions = np.abs(predictions) + 1e-3
        predictions /= predictions.sum(axis=1, keepdims=True)
    if name in ("softmax_cross_entropy", "categorical_cross_entropy"):
        targets = np.eye(k)[generator.integers(0, k, n)]
    else:
        targets = generator.uniform(size=(n, k))
    return loss(name), predictions, targets


@pytest.mark.parametrize("name", sorted(LOSSES))
@many
@given(seed=seeds, n=rows, k=columns, power=powers)
def test_a_weight_is_how_often_a_row_counts(
    name: str, seed: int, n: int, k: int, power: int
) -> None:
    subject, predictions, targets = problem(name, seed, n, k, power)
    times = np.random.default_rng(seed + 1).integers(0, 3, n)
    times[0] = 2
    value, gradient = subject(predictions, targets, times.astype(float))
    repeated = np.repeat(np.arange(n), times)
    expected, of_copies = subject(predictions[repeated], targets[repeated])
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    summed = np.zeros_like(gradient)
    np.add.at(summed, repeated, of_copies)
    np.testing.assert_allclose(gradient, summed, rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize("name", sorted(LOSSES))
@many
@given(seed=seeds, n=rows, k=columns, power=powers)
def test_the_order_of_rows_does_not_matter(
    name: str, seed: int, n: int, k: int, power: int
) -> None:
    subject, predictions, targets = problem(name, seed, n, k, power)
    order = np.random.default_rng(seed + 1).permutation(n)
    value, gradient = subject(predictions, targets)
    mixed, of_mixed = subject(predictions[order], targets[order])
    np.testing.assert_allclose(mixed, value, rtol=1e-12)
    np.testing.assert_allclose(of_mixed, gradient[order], rtol=1e-11, atol=1e-15)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", sorted(LOSSES))
@many
@given(seed=seeds, n=rows, k=columns, order=st.sampled_from(["F", "every other", "reversed"]))
def test_the_order_of_memory_does_not_matter(
    name: str, seed: int, n: int, k: int, order: str
) -> None:
    subject, predictions, targets = problem(name, seed, n, k, 0)
    value, gradient = subject(predictions, targets)
    other, of_other = subject(laid_out(predictions, order), laid_out(targets, order))
    assert other == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(of_other, gradient, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "categorical_cross_entropy"])
@many
@given(seed=seeds, n=rows, k=columns, power=powers)
def test_indices_and_one_hot_rows_are_the_same_targets(
    name: str, seed: int, n: int, k: int, power: int
) -> None:
    subject, predictions, one_hot = problem(name, seed, n, k, power)
    value, gradient = subject(predictions, one_hot)
    of_indices, gradient_of_indices = subject(predictions, one_hot.argmax(axis=1))
    rounding = 1e-15 * (1.0 + np.abs(predictions).max())
    np.testing.assert_allclose(of_indices, value, rtol=1e-12, atol=rounding)
    np.testing.assert_allclose(gradient_of_indices, gradient, rtol=1e-12, atol=1e-15)


@many
@given(seed=seeds, n=rows, k=columns, power=powers, shift=st.floats(-1e3, 1e3))
def test_softmax_looks_at_differences_of_logits_only(
    seed: int, n: int, k: int, power: int, shift: float
) -> None:
    _, logits, targets = problem("softmax_cross_entropy", seed, n, k, min(power, 2))
    value, gradient = SoftmaxCrossEntropy()(logits, targets)
    shifted, of_shifted = SoftmaxCrossEntropy()(logits + shift, targets)
    np.testing.assert_allclose(shifted, value, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(of_shifted, gradient, atol=1e-11)
    np.testing.assert_allclose(gradient.sum(axis=1), 0.0, atol=1e-15)


def laid_out(x: Array, order: str) -> Array:
    """Return an array of the same values that lies in memory in another order."""
    if order == "F":
        return np.asfortranarray(x)
    if order == "reversed":
        return np.ascontiguousarray(x[::-1, ..., ::-1])[::-1, ..., ::-1]
    wide = np.zeros((2 * x.shape[0], *x.shape[1:-1], 2 * x.shape[-1]), x.dtype)
    wide[::2, ..., ::2] = x
    view: Array = wide[::2, ..., ::2]
    return view


def passes(layer: Layer, x: Array, dy: Array) -> list[Array]:
    """Return output, input gradient and parameter gradients of a training pass."""
    rng = Stream(3).generator() if layer.stochastic else None
    y = layer.forward(x, training=True, rng=rng).copy()
    dx = layer.backward(dy)
    arrays: Any = [y, dx, *layer.gradients.values()]
    return [np.array(array) for array in arrays]


def built(case: Case) -> tuple[Layer, Callable[[int], Array]]:
    layer = case.make()
    build([layer], case.x.shape[1:], dtype=np.float64)
    shape = layer.output_shape(case.x.shape[1:])
    return layer, lambda seed: np.random.default_rng(seed).standard_normal((len(case.x), *shape))


@pytest.mark.parametrize("name", sorted(CASES))
@pytest.mark.parametrize("order", ["F", "every other", "reversed"])
def test_layers_take_any_order_of_memory(name: str, order: str) -> None:
    case = CASES[name]
    layer, draw = built(case)
    expected = passes(layer, np.ascontiguousarray(case.x), draw(0))
    actual = passes(layer, laid_out(case.x, order), laid_out(draw(0), order))
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", sorted(CASES))
@many
@given(seed=seeds)
def test_rows_of_a_layer_that_does_not_couple_them_pass_one_by_one(name: str, seed: int) -> None:
    case = CASES[name]
    layer, draw = built(case)
    if layer.stochastic or layer.couples_rows:
        return
    order = np.random.default_rng(seed).permutation(len(case.x))
    dy = draw(seed)
    y, dx, *_ = passes(layer, case.x, dy)
    mixed, of_mixed, *_ = passes(layer, case.x[order], dy[order])
    np.testing.assert_allclose(mixed, y[order], rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(of_mixed, dx[order], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", sorted(set(CASES) - {"conv2d", "embedding"}))  # takes indices
@pytest.mark.parametrize("power", [-30, -8, 8, 30])
def test_layers_stay_finite_for_tiny_and_for_huge_inputs(name: str, power: int) -> None:
    case = CASES[name]
    layer, draw = built(case)
    for array in passes(layer, case.x * 10.0**power, draw(1)):
        assert np.isfinite(array).all()
