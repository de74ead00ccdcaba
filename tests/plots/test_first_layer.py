"""Weights of a first layer: each unit as an image, the largest first, on one scale."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from tests.plots.helpers import pixels, render, texts

from handloom import (
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Model,
    ModelError,
    ReLU,
    Reshape,
    Residual,
    Sequential,
    Softmax,
    plots,
)
from handloom.data.transforms import Scale
from handloom.errors import ConfigurationError
from handloom.layers import Layer

Y, X = 6, 8


def model(row_shape: tuple[int, ...], *layers: Layer) -> Model:
    network = Sequential([*layers]).build((int(np.prod(row_shape)),), seed=0)
    names = tuple(f"class {index}" for index in range(network.output_shape[0]))
    return Model(network, Scale(), names, row_shape, "uint8")


def draw(of: Model | Sequential, count: int = 40) -> Figure:
    return render(plots.weights(of, title="small", dataset="shapes", count=count))


def captions(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_the_units_of_the_largest_norm_come_first() -> None:
    made = model((Y, X), Dense(5), ReLU(), Dense(3), Softmax())
    w = made.network.parameters.weights["0.dense.weights"]
    w *= np.array([3.0, 1.0, 5.0, 2.0, 4.0]) / np.linalg.norm(w, axis=0)
    figure = draw(made, count=3)
    assert captions(figure) == ["2", "4", "0"]
    np.testing.assert_array_equal(pixels(figure)[:Y, :X], w[:, 2].reshape(Y, X))
    np.testing.assert_array_equal(pixels(figure)[:Y, X + 1 :][:, :X], w[:, 4].reshape(Y, X))
    assert "0.dense: 3 of 5 units, by norm" in texts(figure)
    low, high = figure.axes[0].images[0].get_clim()
    assert high == -low > 0
    assert len(figure.axes) == 2, "a colorbar"


def test_units_that_are_classes_have_their_names() -> None:
    figure = draw(model((Y, X), Dense(3), Softmax()))
    assert sorted(captions(figure)) == ["class 0", "class 1", "class 2"]


@pytest.mark.parametrize("channels", [3, 4])
def test_weights_of_colors_are_colors_around_gray(channels: int) -> None:
    made = model((channels, Y, X), Dense(2), ReLU(), Dense(3))
    w = made.network.parameters.weights["0.dense.weights"]
    w[...] = 0.0
    image = w[:, 0].reshape(channels, Y, X)
    image[0], image[1, 0], image[2] = 0.5, -0.5, 0.25
    figure = draw(made)
    shown = pixels(figure)[:Y, :X]
    assert (shown[..., 0] == 255).all()
    assert (shown[0, :, 1] == 0).all()
    assert (shown[1:, :, 1] == 128).all()
    assert (shown[..., 2] == 191).all()
    assert ("alpha" in texts(figure)) == (channels == 4)
    assert (pixels(figure)[:Y, X + 1 :][:, :X] == 128).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_filters_have_the_shape_of_their_windows(channels: int) -> None:
    layers = [Reshape((channels, Y, X)), Conv2D(7, 3), ReLU(), Flatten(), Dense(2)]
    made = model((channels, Y, X), *layers)
    w = made.network.parameters.weights["1.conv2d.weights"]
    for of in (made, Sequential([Conv2D(7, 3)]).build((channels, Y, X), weights=None, seed=0)):
        figure = draw(of)
        assert len(captions(figure)) == 7
        assert "conv2d: 7 filters, by norm" in texts(figure)
    w[...] = 0.0
    w[0, 2, :, 4] = 1.0
    w[1, 0, :, 4] = -1.0
    expected = np.zeros((3, 3))
    expected[0, 2], expected[1, 0] = 1.0, -1.0
    figure = draw(made)
    shown = pixels(figure)[:3, :3]
    if channels == 3:
        shown = np.rint(shown[..., 0] / 127.5 - 1.0)
    np.testing.assert_array_equal(shown, expected)
    assert captions(figure)[0] == "4"


def test_layers_that_leave_pixels_apart_may_come_before() -> None:
    layers = [Dropout(0.1), Reshape((1, Y, X)), BatchNorm(), Flatten(), Dense(4)]
    assert "4.dense: 4 units" in texts(draw(model((Y, X), *layers)))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("value", "share"), [(0.0, 1.0), (1e30, 1.0), (0.5, 0.001)])
@pytest.mark.slow
def test_any_finite_weights_are_drawn(value: float, share: float, channels: int) -> None:
    made = model((channels, Y, X), Dense(30))
    w = made.network.parameters.weights["0.dense.weights"]
    w[...] = 0.0
    w.reshape(-1)[: max(1, int(share * w.size))] = value
    low, high = draw(made).axes[0].images[0].get_clim()
    assert high == -low == pytest.approx(value or 1.0)


def test_what_has_no_such_picture_is_refused() -> None:
    broken = model((Y, X), Dense(3))
    broken.network.parameters.weights["0.dense.weights"][1, 1] = np.nan
    block = Residual([Dense(Y * X)])
    for of, message in (
        (model((48,), Dense(3)), r"images of shape \(y, x\).*got rows of shape \(48,\)"),
        (model((2, Y, X), Dense(3)), r"1, 3 or 4 channels, got rows of shape \(2, 6, 8\)"),
        (Sequential([Dense(3)]).build((48,)), r"\(48,\): pass a Model, which has row_shape"),
        (model((Y, X), Reshape((2, 4, 6)), Conv2D(3, 3), Flatten()), "the 1 channels of the im"),
        (model((Y, X), block, Dense(3)), "must be Dense or Conv2D to be drawn, got 0.residual"),
        (broken, "weights of 0.dense must be finite"),
        (Sequential([Dense(3)]), "build the network first"),
    ):
        with pytest.raises(ModelError, match=message):
            plots.weights(of, title="x", dataset="x")
    with pytest.raises(ConfigurationError, match="count"):
        plots.weights(broken, title="x", dataset="x", count=0)
    with pytest.raises(ConfigurationError, match="model must be"):
        plots.weights(np.zeros(3), title="x", dataset="x")  # type: ignore[arg-type]
