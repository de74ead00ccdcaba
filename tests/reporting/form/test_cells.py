"""Raw cells from flat rows: the reverse of the encoding of a table."""

from typing import Any

import numpy as np
import pytest

from handloom import Dataset, DataWarning
from handloom.data.column_encoding import FIRST_CATEGORY, MISSING, UNSEEN, ColumnEncoding
from handloom.reporting.form.cells import cell_text, cells_of_row, number_of

pd: Any = pytest.importorskip("pandas")

FRAME = pd.DataFrame(
    {
        "age": [22.0, 0.42, None, 54.5, 31.25, 80.0],
        "fare": [7.25, 71.2833, 8.05, 0.0, 512.3292, 13.0],
        "year": [1912, 1906, 1999, 2024, 1850, 1912],
        "port": ["S", "C", "S", None, "Q", "C"],
        "town": ["a", "b", "c", "a", "d", "b"],
        "alone": [True, False, True, False, True, True],
        "fate": ["no", "yes", "no", "no", "yes", "yes"],
    }
)


def dataset(frame: Any = FRAME) -> Dataset:
    return Dataset.from_frame(frame, "fate", embed=["town"])


def test_cells_are_those_of_the_table() -> None:
    data = dataset()
    assert data.columns is not None
    for row, raw in enumerate(FRAME.itertuples(index=False)):
        cells = cells_of_row(data.columns.inputs, data.inputs[row])
        age, fare, year, port, town, alone = cells
        assert age == (None if pd.isna(raw.age) else raw.age)
        assert (fare, year, alone) == (raw.fare, raw.year, float(raw.alone))
        named = dict(zip(("port", "town"), (port, town), strict=True))
        for encoding in data.columns.inputs:
            if encoding.name in named:
                text = cell_text(encoding, named[encoding.name])
                value = getattr(raw, encoding.name)
                assert text == ("missing" if pd.isna(value) else value)


def test_a_category_that_is_unseen_or_missing() -> None:
    data = dataset()
    assert data.columns is not None
    other = FRAME.assign(port=["X"] + [None] * 5, town=["X"] + [None] * 5)
    with pytest.warns(DataWarning):
        rows = data.columns.transform(other)
    first, second = (cells_of_row(data.columns.inputs, row) for row in rows[:2])
    assert first[3:5] == [UNSEEN, UNSEEN]
    assert second[3:5] == [MISSING, MISSING]
    assert cell_text(data.columns.inputs[3], UNSEEN) == "another"
    assert cell_text(data.columns.inputs[3], FIRST_CATEGORY) == "C"


@pytest.mark.parametrize("mean", [0.0, 29.7, -1e4, 3e-5])
@pytest.mark.parametrize("scale", [0.01, 1.0, 14.5, 4e5])
def test_a_number_is_encoded_to_the_same_value(mean: float, scale: float) -> None:
    encoding = ColumnEncoding("x", "number", mean=mean, scale=scale)
    for value in np.random.default_rng(0).standard_normal(50).astype(np.float32):
        number = number_of(encoding, value)
        assert np.float32((number - mean) / scale) == value


def test_numbers_are_written_with_six_digits_and_whole_ones_with_all() -> None:
    encoding = ColumnEncoding("x", "number", scale=1.0)
    texts = [cell_text(encoding, cell) for cell in (0.14980854, 12_345_678.0, -2.5, 0.0)]
    assert texts == ["0.149809", "12345678", "-2.5", "0"]


def test_a_number_has_no_more_decimals_than_in_the_table() -> None:
    encoding = ColumnEncoding("x", "number", mean=29.7, scale=14.5)
    for value in (0.0, 0.42, 80.0, -3.5, 21.125):
        assert number_of(encoding, np.float32((value - 29.7) / 14.5)) == value
