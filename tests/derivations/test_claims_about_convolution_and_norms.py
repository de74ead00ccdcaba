"""Statements of the derivations of convolution, pooling, normalization and embeddings, computed."""

import math
from collections.abc import Iterable
from typing import TypeVar

import numpy as np
import pytest
from tests.helpers.backends import TILED
from tests.helpers.gradients import Float64

from handloom import (
    AdamW,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Embedding,
    GlobalAveragePool2D,
    LayerNorm,
    MaxPool2D,
    MeanSquaredError,
    ModelError,
    ReLU,
    ScaledNormal,
    Sequential,
    build,
)
from handloom.layers import Layer
from handloom.layers.embedding import sum_rows_by_index
from handloom.layers.im2col import Im2col
from handloom.layers.windows import Windows
from handloom.layers.winograd import A, B, G, Winograd
from handloom.parameters import Array

Built = TypeVar("Built", bound=Layer)


def drawn(*shape: int, seed: int = 0) -> Float64:
    return np.random.default_rng(seed).standard_normal(shape)


def built(layer: Built, *shape: int) -> Built:
    build([layer], shape, dtype=np.float64)
    return layer


def gradient(layer: Layer, x: Array, dy: Array | None = None) -> Array:
    y = layer.forward(x, training=True)
    dx = layer.backward(np.ones_like(y) if dy is None else dy)
    assert dx is not None
    return dx


def root_mean_square(x: Array) -> float:
    return math.sqrt(np.square(x, dtype=np.float64).mean())


# convolution


@pytest.mark.parametrize("layer", [Conv2D(1, 2, stride=2), MaxPool2D(2), AveragePool2D(2)])
def test_pixels_after_the_last_window_have_no_gradient(layer: Layer) -> None:
    dx = gradient(built(layer, 1, 5, 5), drawn(1, 1, 5, 5))
    assert dx[0, 0, :4, :4].any()
    assert not dx[0, 0, 4].any()
    assert not dx[0, 0, :, 4].any()


def test_the_windows_of_an_image_are_as_many_times_its_size_as_a_window_has_pixels() -> None:
    windows = Windows.over("conv2d", (4, 10, 12), 3, 1, "same")
    assert windows.rows * windows.columns * 3**2 * windows.channels == 9 * 4 * 10 * 12
    block = Im2col(windows, 8, 4).block
    assert block is not None
    image = windows.rows * windows.columns * (9 * 4 + 8) * 4
    assert block * image <= 4 * 2**20 < (block + 1) * image
    assert Im2col(Windows.over("conv2d", (64, 100, 100), 3, 1, "same"), 8, 4).block == 1


def test_for_two_outputs_the_last_product_has_the_other_sign() -> None:
    x, w, points = drawn(4), drawn(3), [0, 1, -1]
    spread: list[list[float]] = []
    of_weights: list[list[float]] = []
    for point in points:
        others = [other for other in points if other != point]
        spread.append([*np.polynomial.polynomial.polyfromroots(others), 0])
        divisor = math.prod(point - other for other in others)
        of_weights.append([point**e / divisor for e in range(3)])
    spread.append([*np.polynomial.polynomial.polyfromroots(points)])
    of_weights.append([0, 0, 1])
    page = [
        (x[0] - x[2]) * w[0],
        (x[1] + x[2]) * w.sum() / 2,
        (x[2] - x[1]) * (w[0] - w[1] + w[2]) / 2,
        (x[1] - x[3]) * w[2],
    ]
    products = (np.array(spread) @ x) * (np.array(of_weights) @ w)
    np.testing.assert_allclose(products / page, [1, 1, 1, -1], rtol=1e-12)


def test_the_backward_pass_of_winograd_applies_the_transposes_in_reverse_order() -> None:
    x, w, dy = drawn(6, 6), drawn(3, 3, seed=1), drawn(4, 4, seed=2)
    products = A @ dy @ A.T
    dw = G.T @ (products * (B.T @ x @ B)) @ G
    dx = B @ (products * (G @ w @ G.T)) @ B.T
    direct_dw, direct_dx = np.empty((3, 3)), np.zeros((6, 6))
    for i in range(3):
        for j in range(3):
            direct_dw[i, j] = (x[i : i + 4, j : j + 4] * dy).sum()
            direct_dx[i : i + 4, j : j + 4] += w[i, j] * dy
    np.testing.assert_allclose(dw, direct_dw, rtol=1e-10)
    np.testing.assert_allclose(dx, direct_dx, rtol=1e-10, atol=1e-12)


def test_winograd_is_used_from_as_many_channels_filters_and_outputs_as_the_page_says() -> None:
    def suits(channels: int, filters: int, side: int, size: int = 3, stride: int = 1) -> bool:
        windows = Windows.over("conv2d", (channels, side, side), size, stride, "same")
        return Winograd.suits(windows, filters)

    assert suits(4, 4, 3)
    others = [(3, 4, 3), (4, 3, 3), (4, 4, 2), (4, 4, 9, 5, 1), (4, 4, 9, 3, 2)]
    assert not any(suits(*other) for other in others)


def three_convolutions(channels: int) -> Iterable[Conv2D]:
    """Return Winograd and im2col in float32, and float64, with the same weights."""
    weights: Array | None = None
    for dtype in (np.float32, np.float32, np.float64):
        layer = Conv2D(16, 3, padding="same")
        build([layer], (channels, 12, 12), dtype=dtype)
        if weights is None:
            weights = layer.weights["weights"]
            layer.set_backend(TILED)
        np.copyto(layer.weights["weights"], weights)
        yield layer


@pytest.mark.parametrize(("channels", "images"), [(4, 48), (16, 48), (32, 24), (256, 6), (512, 6)])
def test_the_error_of_winograd_in_float32_is_that_of_the_page(channels: int, images: int) -> None:
    x = drawn(images, channels, 12, 12).astype(np.float32)
    fast, plain, layer = three_convolutions(channels)
    exact = layer.forward(x.astype(np.float64))
    size = root_mean_square(exact)
    error = np.abs(fast.forward(x) - exact) / size
    of_im2col = np.abs(plain.forward(x) - exact) / size
    assert 0.8e-6 < root_mean_square(error) < 5e-6
    assert 4 < root_mean_square(error) / root_mean_square(of_im2col) < 15
    assert 1e-5 < error.max() < 1e-4
    assert root_mean_square(error[:, :, 3::4, 3::4]) > 4 * root_mean_square(error[:, :, :3, :3])


def test_gradients_of_two_batches_differ_a_thousand_times_as_much_as_winograd_errs() -> None:
    gradients = []
    for layer in three_convolutions(16):
        dtype = layer.weights["weights"].dtype
        for seed in range(2):
            x = drawn(32, 16, 12, 12, seed=seed).astype(dtype)
            layer.backward(layer.forward(x, training=True), need_dx=False)
            gradients.append(layer.gradients["weights"].copy())
    fast, other, *_, exact, _ = gradients
    assert root_mean_square(fast - other) > 1000 * root_mean_square(fast - exact)


def test_the_terms_of_an_output_of_winograd_add_up_to_thirty_times_its_size() -> None:
    x, w = drawn(50, 6, 6, 16), drawn(3, 3, 16, 8)
    tiles = np.einsum("ia,nijc,jb->abnc", B, x, B)
    products = tiles @ np.einsum("ai,ijcf,bj->abcf", G, w, G)
    y = np.einsum("ai,abnf,bj->ijnf", A, products, A)
    terms = np.einsum("ai,abnf,bj->ijnf", np.abs(A), np.abs(products), np.abs(A))
    assert np.median(terms / np.abs(y)) == pytest.approx(30, abs=3)


def test_batch_normalization_subtracts_biases_again_and_layer_normalization_does_not() -> None:
    changes = []
    for norm in (BatchNorm(), LayerNorm()):
        network = Sequential([Conv2D(3, 3), norm]).build((2, 6, 6), dtype=np.float64)
        x = drawn(4, 2, 6, 6)
        before = network.forward(x, training=True).copy()
        network.layers[0].weights["biases"][...] = [1.0, 2.0, -5.0]
        changes.append(np.abs(network.forward(x, training=True) - before).max())
    assert changes[0] < 1e-12
    assert changes[1] > 1


# pooling


def test_pooling_windows_do_not_overlap_by_default_and_may_leave_gaps() -> None:
    for pool in (MaxPool2D, AveragePool2D):
        assert pool(3).stride == 3
        dx = gradient(pool(1, stride=2), drawn(1, 1, 3, 3))
        np.testing.assert_array_equal(dx[0, 0], [[1, 0, 1], [0, 0, 0], [1, 0, 1]])


def test_the_gradient_of_a_tie_after_a_relu_is_lost_there_in_any_case() -> None:
    relu, pool = ReLU(), MaxPool2D(2)
    y = relu.forward(-np.abs(drawn(1, 1, 4, 4)), training=True)
    dx = gradient(pool, y)
    assert dx.sum() == 4
    below = relu.backward(dx)
    assert below is not None
    assert not below.any()


def test_global_average_pooling_loses_positions() -> None:
    x = drawn(2, 3, 4, 4)
    y = GlobalAveragePool2D().forward(x)
    shuffled = np.random.default_rng(0).permutation(x.reshape(2, 3, 16), axis=2)
    moved = GlobalAveragePool2D().forward(shuffled.reshape(2, 3, 2, 8))  # another size of image
    np.testing.assert_allclose(moved, y, rtol=1e-12, atol=1e-15)


# normalization


def test_a_negative_factor_changes_the_sign_of_what_batch_normalization_returns() -> None:
    layer, x = built(BatchNorm(epsilon=1e-12), 3), drawn(8, 3)
    y = layer.forward(x, training=True)
    np.testing.assert_allclose(layer.forward(2.0 * x, training=True), y, atol=1e-9)
    np.testing.assert_allclose(layer.forward(-2.0 * x, training=True), -y, atol=1e-9)


def test_each_group_of_a_step_counts_once_in_the_running_statistics() -> None:
    layer = BatchNorm(momentum=0.75, ghost_batch=3)
    network, x = Sequential([layer]).build((2,), dtype=np.float64), 3.0 + drawn(7, 2)
    network.forward(x, training=True)
    network.commit_statistics()
    groups = x[:3], x[3:]  # a row that is left over joins the last group
    mean = np.mean([group.mean(axis=0) for group in groups], axis=0)
    variance = np.mean([group.var(axis=0, ddof=1) for group in groups], axis=0)
    np.testing.assert_allclose(layer.weights["running_mean"], 0.25 * mean)
    np.testing.assert_allclose(layer.weights["running_variance"], 0.75 + 0.25 * variance)


def test_the_factor_hardly_corrects_the_variance_of_dependent_pixels() -> None:
    images = np.repeat(drawn(2, 2000, 1, 1), 100, axis=2)  # 2 images of 100 equal pixels
    layer = BatchNorm(momentum=0.0)
    network = Sequential([layer]).build((2000, 100, 1), dtype=np.float64)
    network.forward(images, training=True)
    network.commit_statistics()
    assert layer.weights["running_variance"].mean() == pytest.approx(0.5, abs=0.05)  # of 1


def test_two_entries_are_normalized_to_plus_and_minus_one() -> None:
    for far in (0.1, 3.0, -1000.0):
        pair = np.array([[2.0, 2.0 + far]])
        signs = np.sign(far) * np.array([[-1.0, 1.0]])
        y = built(BatchNorm(), 1).forward(pair.T, training=True)
        np.testing.assert_allclose(y.T, signs, atol=0.003)
        np.testing.assert_allclose(built(LayerNorm(), 2).forward(pair), signs, atol=0.003)


def test_a_row_of_one_feature_is_always_normalized_to_0() -> None:
    layer = built(LayerNorm(), 1)
    layer.weights["shift"][...] = [0.7]
    np.testing.assert_array_equal(layer.forward(drawn(4, 1), training=True), 0.7)
    assert not gradient(layer, drawn(4, 1), drawn(4, 1)).any()


def test_a_single_entry_is_refused_in_training_and_an_image_of_two_pixels_is_not() -> None:
    built(BatchNorm(), 2, 1, 2).forward(drawn(1, 2, 1, 2), training=True)
    for shape in ((2,), (2, 1, 1)):
        with pytest.raises(ModelError, match="at least 2"):
            built(BatchNorm(), *shape).forward(drawn(1, *shape), training=True)


# embedding


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("close", [True, False])
def test_categories_of_one_effect_lie_close_together_if_they_begin_so(
    close: bool, seed: int
) -> None:
    """Six categories with three effects; by default vectors begin close to zero."""
    far = ScaledNormal(1.0)
    layer = Embedding({0: 6}, width=3) if close else Embedding({0: 6}, width=3, weights=far)
    network = Sequential([layer, Dense(8), ReLU(), Dense(1)])
    network.build((1,), dtype=np.float64, seed=seed)
    x = np.arange(2.0, 8.0)[:, None]
    t = np.array([[0.0], [0.0], [1.0], [1.0], [-1.0], [-1.0]])
    for _ in range(100):
        network.backward(MeanSquaredError()(network.forward(x, training=True), t)[1])
        network.parameters.vector[...] -= 0.3 * network.parameters.gradient
    vectors = layer.weights["column_0"][2:]
    distances = np.linalg.norm(vectors[:, None] - vectors, axis=2)
    pairs = np.arange(6) // 2 == np.arange(6)[:, None] // 2
    assert (distances[~pairs].min() > distances[pairs].max()) == close


def test_only_a_penalty_moves_the_vector_of_an_index_without_rows() -> None:
    for l2 in (0.0, 0.1):
        layer = Embedding({0: 2}, width=2, weights_l2=l2)
        network = Sequential([layer, Dense(1)]).build((1,), dtype=np.float64)
        initial = layer.weights["column_0"][1].copy()
        optimizer = AdamW(weight_decay=0.5).bind(network.parameters)
        network.backward(network.forward(np.array([[0.0], [2.0], [3.0]]), training=True))
        network.parameters.add_penalty_gradient()
        optimizer.step(0.1)
        assert (layer.weights["column_0"][1] == initial).all() == (l2 == 0)


def test_gradients_of_an_index_are_added_up_in_float64() -> None:
    rows, out = np.ones((3, 1), np.float32), np.empty((1, 1), np.float32)
    rows[0] = 2.0**24  # the next float32 is 2 more
    sum_rows_by_index(rows, np.zeros(3, np.intp), out=out)
    assert out == 2.0**24 + 2
    assert rows.cumsum()[-1] == 2.0**24
