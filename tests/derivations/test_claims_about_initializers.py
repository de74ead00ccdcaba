"""Statements in the derivations of initializers that explain or predict, computed."""

import math

import numpy as np
import pytest

from handloom import Conv2D, Dense, He, ReLU, ScaledNormal, Tanh, build
from handloom.layers import Layer
from handloom.parameters import Array

X = np.random.default_rng(0).standard_normal((20, 4))
T = np.random.default_rng(1).standard_normal((20, 2))


def gradients(layers: list[Layer], x: Array = X, t: Array = T) -> list[Array]:
    """Return the gradient of the weights of each dense layer, for the mean squared error / 2."""
    y = x
    for layer in layers:
        y = layer.forward(y, training=True)
    dx: Array = (y - t) / len(t)
    for layer in reversed(layers):
        through = layer.backward(dx)
        assert through is not None
        dx = through
    return [layer.gradients["weights"].copy() for layer in layers if isinstance(layer, Dense)]


def built(activation: Layer, first: float | None, last: float | None) -> list[Layer]:
    """Return a network of three hidden units, with constant weights where a number is passed."""
    layers: list[Layer] = [Dense(3), activation, Dense(2)]
    build(layers, (4,), dtype=np.float64)
    for layer, constant in ((layers[0], first), (layers[2], last)):
        if constant is not None:
            layer.weights["weights"][...] = constant
    return layers


@pytest.mark.parametrize("activation", [ReLU(), Tanh()], ids=["relu", "tanh"])
def test_units_stay_equal_only_if_the_next_layer_weighs_them_equally_too(
    activation: Layer,
) -> None:
    for last, equal in ((0.3, True), (None, False)):
        dw, _ = gradients(built(activation, 0.3, last))
        assert (np.ptp(dw, axis=1).max() < 1e-15) == equal


@pytest.mark.parametrize("activation", [ReLU(), Tanh()], ids=["relu", "tanh"])
def test_with_zeros_in_all_layers_only_the_last_biases_have_a_gradient(activation: Layer) -> None:
    layers = built(activation, 0.0, 0.0)
    assert not any(dw.any() for dw in gradients(layers))
    assert not layers[0].gradients["biases"].any()
    assert layers[2].gradients["biases"].all()


def test_layers_before_a_last_layer_of_zeros_learn_from_the_second_step_on() -> None:
    layers = built(ReLU(), None, 0.0)
    first, last = gradients(layers)
    assert not first.any()
    assert last.any()
    layers[2].weights["weights"][...] -= 0.1 * last
    assert gradients(layers)[0].any()


def test_small_weights_make_the_gradients_of_all_layers_small_alike() -> None:
    sizes = {}
    for start in (He(), ScaledNormal(0.01)):
        layers: list[Layer] = []
        for _ in range(6):
            layers += [Dense(128, weights=start), ReLU()]
        build(layers, (128,), dtype=np.float64)
        x = np.random.default_rng(0).standard_normal((50, 128))
        t = np.random.default_rng(1).standard_normal((50, 128))
        sizes[type(start)] = [float(np.linalg.norm(dw)) for dw in gradients(layers, x, t)]
    shrunk = np.log10(sizes[ScaledNormal]) - np.log10(sizes[He])
    assert shrunk.max() < 5 * math.log10(math.sqrt(0.0064))  # five of six layers
    assert np.ptp(shrunk) < 0.6


def test_he_keeps_the_mean_square_on_average_and_a_draw_varies_around_it() -> None:
    kept = []
    for seed in range(50):
        generator = np.random.default_rng(seed)
        y = generator.standard_normal((20, 40))
        for _ in range(10):
            y = np.maximum(y @ He()((40, 40), generator), 0)
        kept.append(np.square(y).mean())
    assert np.mean(kept) == pytest.approx(1, abs=0.25)
    assert 0.3 < np.std(kept) < 1.5


def test_a_kernel_adds_up_as_many_products_as_the_page_says() -> None:
    layer = Conv2D(7, 3, padding="same")
    build([layer], (5, 9, 9), dtype=np.float64)
    layer.weights["weights"][...] = 1.0
    y = layer.forward(np.ones((1, 5, 9, 9)), training=True)
    dx = layer.backward(np.ones_like(y))
    assert dx is not None
    assert y[0, 0, 4, 4] == 9 * 5
    assert dx[0, 0, 4, 4] == 9 * 7
