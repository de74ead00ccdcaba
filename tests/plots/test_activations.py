"""The outputs of the layers are drawn for one row, each on its own scale."""

import numpy as np
import pytest
from tests.plots.helpers import dataset, render, texts

from handloom import (
    Adam,
    Conv2D,
    Dataset,
    Dense,
    Flatten,
    Model,
    ModelError,
    ReLU,
    Reshape,
    Sequential,
    Trainer,
    plots,
)
from handloom.errors import ConfigurationError, DataError


def of_images(filters: int = 3) -> Model:
    layers = [Reshape((1, 5, 7)), Conv2D(filters, 3), ReLU(), Flatten(), Dense(3)]
    trainer = Trainer(Sequential(layers).build((35,)), Adam(), 1e-3, epochs=1, batch_size=6)
    trainer.fit(dataset())
    return trainer.model()


def of_features() -> Sequential:
    return Sequential([Dense(4), ReLU(), Dense(2)]).build((3,), seed=0)


def test_every_layer_is_named_with_its_shape_and_the_prediction_is_drawn() -> None:
    model, row = of_images(), dataset().inputs[0]
    figure = render(plots.activations(model, row))
    shown = texts(figure).splitlines()
    for name, shape in [("input", "5 x 7"), ("1.conv2d", "3 x 3 x 5"), ("4.dense", "3")]:
        assert shape in (shown[shown.index(name) + 1], shown[shown.index(name) - 1]), name
    values = [bar.get_width() for bar in figure.axes[-1].patches]  # type: ignore[attr-defined]
    np.testing.assert_allclose(values, np.sort(model.predict(row[None])[0])[::-1])


def test_the_cells_are_the_outputs() -> None:
    network, row = of_features(), np.array([0.5, -1.0, 2.0])
    figure = plots.activations(network, row)
    strips = [axes.images[0] for axes in figure.axes]
    assert len(strips) == 4  # a network alone predicts nothing beyond its last layer
    np.testing.assert_allclose(np.asarray(strips[-1].get_array()), network.predict(row[None]))
    low, high = strips[1].get_clim()
    assert -low == high == pytest.approx(np.abs(np.asarray(strips[1].get_array())).max())


@pytest.mark.parametrize("scale", [1e-5, 1e-100])
def test_ranges_of_any_values_stay_on_the_page(scale: float) -> None:
    figure = render(plots.activations(of_features(), np.array([-1.234, -1.111, 1.234]) * scale))
    ranges = [each for each in figure.texts if " to " in each.get_text()]
    assert ranges
    assert all(each.get_window_extent().x1 <= figure.bbox.width for each in ranges)


def test_wide_and_deep_networks_are_drawn_in_part() -> None:
    wide = Sequential([Dense(2000), *[Dense(3) for _ in range(40)]]).build((3,), seed=0)
    figure = render(plots.activations(wide, np.ones(3)))
    assert "2000, first 512" in texts(figure)
    assert len(figure.axes) == 25
    many = render(plots.activations(of_images(filters=40), dataset().inputs[:1]))
    assert "40 x 3 x 5, first 24" in texts(many)


@pytest.mark.parametrize("x", [np.zeros((2, 3)), np.zeros(4)], ids=["two rows", "wider"])
def test_anything_but_one_row_is_refused(x: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"x must be one row of shape \(3,\).*trainer\.model\(\)"):
        plots.activations(of_features(), x)


def test_the_model_must_be_one_that_can_run() -> None:
    with pytest.raises(ModelError, match="build the network first"):
        plots.activations(Sequential([Dense(2)]), np.zeros(3))
    with pytest.raises(ConfigurationError, match="model must be"):
        plots.activations(Dataset(np.zeros((2, 3)), [0, 1]), np.zeros(3))  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="must be uint8"):
        plots.activations(of_images(), np.zeros((5, 7), np.float32))
