"""Partial dependence: of models whose dependence on a column is known."""

import numpy as np
import pytest
from tests.training.test_permutation import WEIGHTS, linear, rows

from handloom import (
    Adam,
    ConfigurationError,
    Dataset,
    Dense,
    MeanSquaredError,
    Model,
    ReLU,
    Sequential,
    Trainer,
    partial_dependence,
)
from handloom.data.transforms import AsFloat


def test_that_of_a_linear_model_is_a_line_with_its_weight() -> None:
    data = rows()
    for index, weight in enumerate(WEIGHTS):
        of = partial_dependence(linear(), data, f"feature {index + 1}", max_rows=1000)
        slopes = np.diff(of.mean[:, 0]) / np.diff(of.values)
        np.testing.assert_allclose(slopes, weight, atol=1e-9)
        each = np.diff(of.predictions[:, :, 0], axis=0)
        np.testing.assert_allclose(each, each[:, :1] + np.zeros_like(each), atol=1e-9)
    assert of.of_numbers
    assert of.outputs == ("y",)


def test_it_is_that_of_scikit_learn() -> None:
    inspection = pytest.importorskip("sklearn.inspection")
    from sklearn.linear_model import LinearRegression

    x = np.clip(rows(200).inputs.round(), -2, 2)
    data = Dataset(x, (x @ WEIGHTS)[:, None], ("y",))
    peer = LinearRegression().fit(x, data.targets[:, 0])
    for column in range(len(WEIGHTS)):
        own = partial_dependence(linear(), data, f"feature {column + 1}")
        theirs = inspection.partial_dependence(peer, x, [column], method="brute", kind="both")
        assert np.array_equal(own.values, theirs["grid_values"][0])
        np.testing.assert_allclose(own.mean[:, 0], theirs["average"][0], atol=1e-9)
        np.testing.assert_allclose(own.predictions[:, :, 0].T, theirs["individual"][0], atol=1e-9)


@pytest.mark.parametrize("embed", [False, True])
def test_categories_and_missing_values_in_units_of_the_target(embed: bool) -> None:
    pd = pytest.importorskip("pandas")
    from handloom import Embedding

    generator = np.random.default_rng(0)
    town = generator.choice(np.array(["a", "b", None]), 400, p=[0.5, 0.3, 0.2])
    size = np.where(generator.random(400) < 0.25, np.nan, generator.uniform(0, 10, 400))
    rent = 1000 + np.where(town == "b", 500.0, 0.0) + np.where(np.isnan(size), 900, 100 * size)
    frame = pd.DataFrame({"size": size, "town": town, "rent": rent})
    data = Dataset.from_frame(frame, "rent", embed=embed)
    assert data.columns is not None
    first = [Embedding(data.columns.embedded)] if embed else []
    network = Sequential([*first, Dense(32), ReLU(), Dense(1)]).build(data.input_shape, seed=0)
    trainer = Trainer(network, Adam(), 1e-2, epochs=80, batch_size=40, loss=MeanSquaredError())
    trainer.fit(data)
    model = trainer.model()
    of_town = partial_dependence(model, data, "town")
    assert of_town.values.tolist() == ["a", "b", "no value"]
    assert of_town.mean[1, 0] - of_town.mean[0, 0] == pytest.approx(500, abs=60)
    np.testing.assert_allclose(of_town.rows_at, [0.5, 0.3, 0.2], atol=0.06)
    of_size = partial_dependence(model, data, "size", points=5)
    assert len(of_size.values) == 5
    assert 0 <= of_size.values.min() < of_size.values.max() <= 10
    steps = np.diff(of_size.mean[:, 0]) / np.diff(of_size.values)
    np.testing.assert_allclose(steps, 100, atol=20)
    assert of_size.missing is not None
    assert of_size.missing[0] == pytest.approx(1900 + 500 * (town == "b").mean(), abs=80)


def test_of_classes_the_probability_of_each() -> None:
    network = Sequential([Dense(2)]).build((2,), seed=0)
    network.parameters.weights["0.dense.weights"][...] = [[0.0, 3.0], [0.0, 0.0]]
    model = Model(network, AsFloat(), ("no", "yes"), (2,), "float32")
    x = np.random.default_rng(0).standard_normal((50, 2)).round(1)
    of = partial_dependence(
        model, Dataset(x, (x[:, 0] > 0).astype(int), ("no", "yes")), "feature 1"
    )
    np.testing.assert_allclose(of.mean[:, 1], 1 / (1 + np.exp(-3 * of.values)), rtol=1e-5)
    np.testing.assert_allclose(of.mean.sum(axis=1), 1.0, rtol=1e-6)
    assert of.outputs == ("no", "yes")


def test_unknown_columns_are_refused_with_the_nearest_name() -> None:
    model = linear(names=("size", "rooms", "town", "year"))
    with pytest.raises(ConfigurationError, match="Did you mean 'rooms'"):
        partial_dependence(model, rows(), "room")


def test_booleans_are_texts() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"owns": [True, False, None, True] * 5, "y": np.arange(20.0)})
    data = Dataset.from_frame(frame, "y", task="regression")
    network = Sequential([Dense(1)]).build(data.input_shape, seed=0)
    model = Model(network, AsFloat(), ("y",), data.input_shape, "float32", "t", "identity")
    of = partial_dependence(model, data, "owns")
    assert of.values.tolist() == ["False", "True", "no value"]
    assert of.rows_at.tolist() == [0.25, 0.5, 0.25]
    for value, one in zip((False, True, None), of.mean[:, 0], strict=True):
        row = data.inputs[frame["owns"].map(lambda cell, value=value: cell is value)][:1]
        assert one == pytest.approx(model.predict(row)[0, 0], rel=1e-5)


def test_a_notebook_shows_a_chart_of_numbers() -> None:
    shown = partial_dependence(linear(), rows(), "feature 1")._repr_html_()
    assert shown.startswith("<svg")
    assert "feature 1" in shown
    assert "mean prediction of 300 rows" in shown
