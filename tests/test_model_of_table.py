"""A model of a table takes raw rows, and predicts in the units of the target, also when loaded."""

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzz.targets import replace_in_set
from tests.data.test_columns import passengers

from handloom import (
    Adam,
    DataError,
    Dataset,
    DataWarning,
    Dense,
    Model,
    ModelError,
    Pinball,
    ReLU,
    Sequential,
    Trainer,
    evaluate,
    split_frame,
)

TARGET = {"name": "t", "task": "classification", "mean": 0.0, "scale": 1.0}

pd: Any = pytest.importorskip("pandas")


def trained(data: Dataset) -> Model:
    outputs, loss = len(data.class_names), None if data.has_classes else "mean_squared_error"
    network = Sequential([Dense(8), ReLU(), Dense(outputs)]).build(data.input_shape, seed=0)
    trainer = Trainer(network, Adam(), 0.01, epochs=20, batch_size=16, loss=loss)
    trainer.fit(data)
    return trainer.model()


def test_raw_rows_are_predicted_in_units_of_the_target_by_a_loaded_model(tmp_path: Path) -> None:
    frame = passengers()
    frame["fare"] = 1e4 + 500 * (frame["sex"] == "male") + 10.0 * frame["alone"]
    splits = split_frame(frame, "fare")
    model = trained(splits.train)
    model.save(tmp_path / "model")
    loaded = Model.load(tmp_path / "model")
    assert loaded.columns == splits.train.columns
    predicted = loaded.predict(frame.drop(columns="fare")[::-1])
    assert (predicted == model.predict(frame)[::-1]).all()
    assert np.abs(predicted[:, 0] - frame["fare"].to_numpy()[::-1]).mean() < 100.0
    flat = model.predict(splits.test.inputs)
    assert np.abs(flat - splits.test.targets).mean() < 0.4  # standardized, as the targets


def test_an_array_of_raw_rows_is_warned_of_and_flat_rows_are_not() -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"a": generator.normal(50, 9, 80), "b": generator.normal(0, 1, 80)})
    splits = split_frame(frame.assign(y=frame["a"] + frame["b"]), "y")
    model = trained(splits.train)
    for quiet in (splits.test.inputs, splits.test.inputs[:0], frame):
        model.predict(quiet)
    raw = frame.to_numpy()
    with pytest.warns(DataWarning, match="look like raw rows.* of 'a' .* with the columns a, b$"):
        model.predict(raw)
    flat = splits.test.inputs[:1].copy()
    flat[0, 0] = 30.0  # one number of one row, which may be so
    model.predict(flat)


def test_several_quantiles_of_a_table_are_in_units_of_the_target(tmp_path: Path) -> None:
    frame = passengers()
    frame["fare"] = 1e4 + 500 * (frame["sex"] == "male") + 10.0 * frame["alone"]
    splits = split_frame(frame, "fare")
    network = Sequential([Dense(8), ReLU(), Dense(2)]).build(splits.train.input_shape, seed=0)
    loss = Pinball([0.1, 0.9])
    trainer = Trainer(network, Adam(), 0.01, epochs=20, batch_size=16, loss=loss)
    trainer.fit(splits.train)
    trainer.model().save(tmp_path / "model")
    loaded = Model.load(tmp_path / "model")
    assert loaded.quantiles == (0.1, 0.9)
    low, high = loaded.predict(frame).T
    assert (low <= high).all()
    assert 9e3 < low.mean() < high.mean() < 1.2e4
    metrics = evaluate(loaded, splits.test).quantiles
    assert metrics is not None
    assert 9e3 < metrics.predictions.mean() < 1.2e4
    renamed = replace(loaded, class_names=("low", "high"))
    assert (renamed.predict(frame) == loaded.predict(frame)).all()
    with pytest.raises(ModelError, match="do not fit the model's"):
        replace(loaded, quantiles=None)


def test_raw_rows_are_classified(tmp_path: Path) -> None:
    frame = passengers()
    data = Dataset.from_frame(frame.assign(target=frame["alone"]), "target")
    model = trained(data)
    probabilities = model.predict(frame)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-6)
    assert (probabilities.argmax(axis=1) == frame["alone"]).all()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.predict(frame.assign(sex="robot"))
    assert [each.filename for each in caught] == [__file__]
    with pytest.raises(DataError, match="the column 'age' of the training rows is missing"):
        model.predict(frame.drop(columns="age"))


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": []},
        {"version": 7},
        {"target": None, "rows": -1},
        {"left_out": 5},
        {"target": {**TARGET, "classes": ["a"]}},
    ],
)
def test_damaged_columns_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    frame = passengers()
    trained(Dataset.from_frame(frame.assign(target=frame["alone"]), "target")).save(tmp_path / "m")
    (path,) = (tmp_path / "m").glob("columns*")
    content = json.dumps({**json.loads(path.read_bytes()), **change}).encode()
    replace_in_set(tmp_path / "m", "columns.json", content)
    with pytest.raises(ModelError):
        Model.load(tmp_path / "m")
