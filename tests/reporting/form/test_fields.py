"""The fields of the form: ranges, typical values and options of the training rows."""

from typing import Any

import numpy as np
import pytest

from handloom import Dataset, Dense, Model, Sequential
from handloom.data.column_encoding import FIRST_CATEGORY
from handloom.data.transforms import AsFloat
from handloom.reporting.form import fields as module
from handloom.reporting.form.fields import fields_of, inputs_of

pd: Any = pytest.importorskip("pandas")


def model_of(data: Dataset) -> Model:
    network = Sequential([Dense(len(data.class_names))]).build(data.input_shape)
    return Model(
        network,
        AsFloat(),
        data.class_names,
        data.input_shape,
        "float32",
        column_names=data.column_names,
        columns=data.columns,
    )


def table(**columns: list[object]) -> Dataset:
    frame = pd.DataFrame({**columns, "y": ["a", "b"] * (len(next(iter(columns.values()))) // 2)})
    return Dataset.from_frame(frame, "y")


def test_numbers_have_the_range_and_the_median_of_the_training_rows() -> None:
    data = table(age=[30.0, 0.5, None, 80.0, 31.5, 40.0], rooms=[3, 1, 2, 8, 4, 4])
    age, rooms = fields_of(model_of(data), data)
    assert (age.low, age.typical, age.high, age.whole) == (0.5, 31.5, 80.0, False)
    assert (rooms.low, rooms.typical, rooms.high, rooms.whole) == (1.0, 4.0, 8.0, True)
    assert (age.step, rooms.step) == (0.1, 1.0)
    assert age.can_miss


def test_the_most_frequent_categories_can_be_selected() -> None:
    data = table(port=["c", "a", "b", "b", "c", "c"])
    (port,) = fields_of(model_of(data), data)
    assert port.typical == FIRST_CATEGORY + 2  # "c"
    assert port.options == (FIRST_CATEGORY, FIRST_CATEGORY + 1, FIRST_CATEGORY + 2)


def test_of_many_categories_the_rare_ones_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OPTIONS", 2)
    data = table(port=["c", "a", "b", "b", "c", "c"])
    (port,) = fields_of(model_of(data), data)
    assert port.options == (FIRST_CATEGORY + 1, FIRST_CATEGORY + 2)


def test_a_column_that_is_constant_where_it_is_there() -> None:
    data = table(known=[7.0, None, 7.0, 7.0], other=[1.0, 2.0, 3.0, 4.0])
    known, _ = fields_of(model_of(data), data)
    assert known.typical == known.low == known.high == 7.0


def test_features_of_other_data_are_numbers_as_they_are() -> None:
    rows = np.array([[0.1, 5.0], [0.3, 7.0], [0.2, 6.0]], np.float32)
    data = Dataset(rows, np.array([0, 1, 0]), ("a", "b"))
    model = model_of(data)
    assert [each.name for each in inputs_of(model)] == ["feature 0", "feature 1"]
    first, second = fields_of(model, data)
    assert (first.low, first.typical, first.high) == (0.1, 0.2, 0.3)
    assert second.whole
    assert not first.can_miss
