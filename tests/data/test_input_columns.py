"""Input columns: the cells of the raw table again, from flat rows of numbers."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from handloom import DataError, Dataset, DataWarning
from handloom.data.input_columns import InputColumn, input_columns

pd = pytest.importorskip("pandas")

AGES = [38.0, 26.0, None, 35.5, 54.0, 2.25]
TOWNS = ["Bern", "Genf", None, "Bern", "Thun", "Genf"]
OWNS = [True, False, True, True, False, False]
PRICES = [1234567.0, 0.003, 12.0, 1e-9, 7e12, -4.0]


def frame(**columns: list[object]) -> object:
    raw = {"age": AGES, "town": TOWNS, "owns": OWNS, "price": PRICES}
    return pd.DataFrame({**raw, **columns, "target": [1.5, 2.5, 3.5, 2.0, 1.0, 0.5]})


def of(data: Dataset) -> dict[str, InputColumn]:
    columns = input_columns(data.columns, data.column_names, data.input_shape)
    return {each.name: each for each in columns}


@pytest.mark.parametrize("embed", [False, True])
def test_cells_are_those_of_the_raw_table(embed: bool) -> None:
    data = Dataset.from_frame(frame(), "target", embed=embed)
    columns = of(data)
    assert list(columns) == ["age", "town", "owns", "price"]
    assert columns["age"].texts_of(data.inputs) == ["38", "26", "", "35.5", "54", "2.25"]
    assert columns["town"].texts_of(data.inputs) == ["Bern", "Genf", "", "Bern", "Thun", "Genf"]
    assert columns["owns"].texts_of(data.inputs) == [str(each) for each in OWNS]
    # beside 7e12 small numbers are no longer told apart in float32
    assert columns["price"].texts_of(data.inputs)[4] == "7000000000000"


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
def test_a_number_is_the_shortest_one_that_is_encoded_the_same(scale: float) -> None:
    generator = np.random.default_rng(0)
    values = [float(f"{scale * value:.4g}") for value in generator.lognormal(0, 1, 200)]
    data = Dataset.from_frame(
        pd.DataFrame({"x": values, "target": generator.random(200)}), "target"
    )
    assert [float(text) for text in of(data)["x"].texts_of(data.inputs)] == values


def test_cells_that_the_training_rows_lack() -> None:
    known = Dataset.from_frame(frame(), "target")
    whole = Dataset.from_frame(frame(town=["a", "b"] * 3), "target")
    other = frame(town=["Oslo", None, "Bern", "Genf", "Bern", "Bern"])
    with pytest.warns(DataWarning):
        assert of(known)["town"].texts_of(
            Dataset.from_frame(other, "target", columns=known.columns).inputs
        ) == ["unseen", "", "Bern", "Genf", "Bern", "Bern"]
    with pytest.warns(DataWarning):
        assert set(
            of(whole)["town"].texts_of(
                Dataset.from_frame(other, "target", columns=whole.columns).inputs
            )
        ) == {"unseen or missing"}


@pytest.mark.parametrize("embed", [False, True])
def test_a_column_is_set_as_a_table_with_that_value_is_encoded(embed: bool) -> None:
    data = Dataset.from_frame(frame(), "target", embed=embed)
    columns = of(data)
    town, age = columns["town"], columns["age"]

    def encoded(**changed: list[object]) -> npt.NDArray[Any]:
        return Dataset.from_frame(frame(**changed), "target", columns=data.columns).inputs

    rows = data.inputs
    np.testing.assert_allclose(age.with_number(rows, 41.0), encoded(age=[41.0] * 6), rtol=1e-6)
    assert np.array_equal(town.with_category(rows, 3), encoded(town=["Genf"] * 6))
    assert np.array_equal(town.with_category(rows, 0), encoded(town=[None] * 6))
    assert np.array_equal(age.without_value(rows), encoded(age=[None] * 6))
    assert np.array_equal(rows, data.inputs)


def test_columns_of_floats_have_their_names_or_are_counted() -> None:
    rows = np.array([[1.5, 2.0], [0.1, -3.0]], np.float32)
    first, second = input_columns(None, None, (2,))
    assert (first.name, second.name) == ("feature 1", "feature 2")
    assert first.texts_of(rows) == ["1.5", "0.1"]
    assert [each.name for each in input_columns(None, ("a", "b"), (2,))] == ["a", "b"]
    with pytest.raises(DataError, match="flat"):
        input_columns(None, None, (28, 28))
