import numpy as np
import pytest

from handloom import Dataset, Dense, Model, Sequential
from handloom.data.transforms import Scale
from handloom.reporting.alive import rows as module
from handloom.reporting.alive.rows import rows_to_show

INPUTS = np.arange(60, dtype=np.uint8).reshape(10, 2, 3)
TARGETS = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 2])
TEST = Dataset(INPUTS, TARGETS, ("a", "b", "c"), "rows")
MODEL = Model(Sequential([Dense(3)]).build((6,)), Scale(), ("a", "b", "c"), (2, 3), "uint8")


def test_the_first_right_and_the_first_wrong_row_of_each_class() -> None:
    predicted = np.array([1, 0, 2, 1, 1, 0, 1, 2, 2, 2])
    shown = rows_to_show(MODEL, TEST, predicted)
    assert [each.index for each in shown] == [1, 3, 7, 0, 5]
    assert [each.description for each in shown] == [
        "a",
        "b",
        "c",
        "a, predicted as b",
        "c, predicted as a",
    ]
    np.testing.assert_array_equal(shown[0].row, INPUTS[1])


def test_rows_without_stored_predictions_are_predicted() -> None:
    predicted = MODEL.predict(INPUTS).argmax(axis=1)
    shown = [each.index for each in rows_to_show(MODEL, TEST, None)]
    assert shown == [each.index for each in rows_to_show(MODEL, TEST, predicted)]


def test_large_images_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(rows_to_show(MODEL, TEST, TARGETS)) == 3
    monkeypatch.setattr(module, "MOST_BYTES", 12)
    assert len(rows_to_show(MODEL, TEST, TARGETS)) == 2


def test_a_sketch_where_there_are_no_rows() -> None:
    (shown,) = rows_to_show(MODEL, None, None)
    assert shown.index is None
    assert shown.row.shape == (2, 3)
    large = Model(
        Sequential([Dense(3)]).build((3 * 28 * 28,)),
        Scale(),
        MODEL.class_names,
        (3, 28, 28),
        "uint8",
    )
    (shown,) = rows_to_show(large, None, None)
    assert 0.1 < (shown.row > 0).mean() < 0.5
