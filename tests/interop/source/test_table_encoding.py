"""The encoder of exported files agrees with `Columns`, for any cells."""

import datetime
import warnings
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pytest

from handloom import DataError
from handloom.data.cells import MISSING_TEXTS, TEXT
from handloom.data.column_encoding import ColumnEncoding
from handloom.data.columns import Columns, Remarks
from handloom.data.decimal_mark import DecimalMark
from handloom.data.frames import Column
from handloom.data.table import Chunk
from handloom.interop.source.table import IMPORT, encoder_source

NUMBER = ColumnEncoding("x", "number", missing=1, mean=1.5, scale=2.5)
BOOLEAN = ColumnEncoding("x", "boolean", mean=0.5, scale=0.5)
TEXTS = ColumnEncoding("x", "category", missing=1, categories=("red", "blue", "2", "True", "nine"))
DIGITS = ColumnEncoding("x", "category", categories=("01", "1", "2.50", "-3", "1e3"))
BOTH = ColumnEncoding("x", "category", categories=("False", "True"))
CODES = ColumnEncoding("x", "category", categories=("12000", "0.001", "9007199254740993"))
INDICES = ColumnEncoding("x", "category", missing=1, categories=("a", "b", "7"), embedded=True)


@cache
def encoder(*inputs: ColumnEncoding) -> Callable[[object], list[list[float]]]:
    names: dict[str, Any] = {}
    exec(f"{IMPORT}\n{encoder_source(Columns(inputs))}", names)
    encode: Callable[[object], list[list[float]]] = names["encode"]
    return encode


def in_file(encoding: ColumnEncoding, cells: list[Any]) -> np.ndarray:
    return told_in_file(encoding, cells)[0]


def told_in_file(encoding: ColumnEncoding, cells: list[Any]) -> tuple[np.ndarray, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        flat = np.array(encoder(encoding)({"x": cells}), np.float32)
    return flat, [str(each.message) for each in caught]


def in_library(encoding: ColumnEncoding, cells: list[Any], dtype: str) -> np.ndarray:
    return told_in_library(encoding, cells, dtype)[0]


def told_in_library(
    encoding: ColumnEncoding, cells: list[Any], dtype: str
) -> tuple[np.ndarray, list[str]]:
    columns, values = Columns((encoding,)), np.empty(len(cells), object)
    values[:] = cells
    column = Column("x", values, np.array([cell is None for cell in cells]), dtype)
    remarks, told = Remarks(columns), list[str]()
    flat = columns.encode(Chunk({"x": column}, np.arange(len(cells))), remarks)
    remarks.tell(told.append)
    return flat, told


@pytest.mark.parametrize(
    ("encoding", "cells"),
    [
        (NUMBER, ["1", "-2.5", " 3 ", "1e-3", "+4", ".5", "NA", ""]),
        (NUMBER, ["true", "False", "?", "TRUE"]),
        (NUMBER, ["", "NA"]),
        (BOOLEAN, ["true", "FALSE", "nan"]),
        (BOOLEAN, ["1", "0", "0.5"]),
        (BOOLEAN, ["true", "1", "FALSE", "0"]),
        (NUMBER, ["true", "2.5", "NA"]),
        (INDICES, ["7.00", "seven", " 07", "7e0", "inf", "0x7"]),
        (TEXTS, ["red", " blue ", "2", "2.0", "green", "None", ""]),
        (TEXTS, ["2", "2.0", "3", "NULL"]),
        (TEXTS, ["true", "True", "false"]),
        (DIGITS, ["1", "01", "1.0", "001", "2.5", "-3.0", "1000", "4"]),
        (BOTH, ["true", "FALSE", "False", "yes"]),
        (DIGITS, ["1", "1.0", "one"]),
        (CODES, ["12e3", "12E3", "1.2e+4", "1e-03", "9007199254740993", "9007199254740992"]),
        (DIGITS, ["1_000", "1000"]),
        (BOTH, ["True", "False", "true", "1"]),
        (INDICES, ["a", "b", "c", "7", "7.0", "#N/A"]),
        (INDICES, ["7", "7.0", "8", "<NA>"]),
    ],
)
def test_cells_of_files(encoding: ColumnEncoding, cells: list[str]) -> None:
    np.testing.assert_array_equal(in_file(encoding, cells), in_library(encoding, cells, TEXT))


@pytest.mark.parametrize(
    ("encoding", "cells"),
    [
        (NUMBER, [1, 2.5, None, np.float32(0.1), np.int8(3), Decimal("1.25"), float("nan")]),
        (NUMBER, [True, False, None]),
        (BOOLEAN, [True, None, False]),
        (TEXTS, ["red", None, "blue ", "green", ""]),
        (TEXTS, [2, 2.0, 3, None]),
        (TEXTS, [True, False, None]),
        (DIGITS, [1, 2.5, -3, 1000, 4, np.float64(1.0)]),
        (BOTH, [True, False, None, np.bool_(True)]),
        (INDICES, ["a", None, "c"]),
        (INDICES, [7, 7.0, None, 8]),
    ],
)
def test_python_values(encoding: ColumnEncoding, cells: list[Any]) -> None:
    np.testing.assert_array_equal(in_file(encoding, cells), in_library(encoding, cells, "object"))


def test_warnings_are_those_of_the_library() -> None:
    cases: list[tuple[ColumnEncoding, list[Any]]] = [
        (TEXTS, ["green", "pink", "pink", "red", None]),
        (DIGITS, [1, None, 7, 7.0]),
        (INDICES, ["c", None]),
        (ColumnEncoding("x", "category", categories=("a",), embedded=True), ["b" * 99, None, None]),
        (BOOLEAN, [True, None]),
        (NUMBER, [1.0, None]),
    ]
    for encoding, cells in cases:
        expected, told = told_in_library(encoding, cells, "object")
        flat, warned = told_in_file(encoding, cells)
        np.testing.assert_array_equal(flat, expected)
        assert warned == told


def test_random_texts_of_files() -> None:
    rng = np.random.default_rng(0)
    parts = ["1", "1.0", "01", " 2.5", "2.50", "-3", "True", "false", "NA", "", "red", "7", "1e3"]
    for encoding in (TEXTS, DIGITS, BOTH, INDICES):
        for _ in range(60):
            known = rng.choice(parts, rng.integers(1, 4)).tolist()
            cells = rng.choice(known, 5).tolist()
            expected = in_library(encoding, cells, TEXT)
            np.testing.assert_array_equal(in_file(encoding, cells), expected, err_msg=str(cells))


@pytest.mark.parametrize(
    "cells", [["1", "two"], ["inf"], ["1_000"], ["NAN"], [10**400], ["1", "no"], ["1e300"]]
)
def test_what_is_no_number_is_refused_by_both(cells: list[Any]) -> None:
    small = ColumnEncoding("x", "number", mean=0.0, scale=1e-30)
    dtype = TEXT if isinstance(cells[0], str) else "object"
    with pytest.raises(DataError, match="column 'x' must hold"):
        in_library(small, cells, dtype)
    with pytest.raises(ValueError, match="column 'x' must hold numbers"):
        in_file(small, cells)


def test_dates_are_no_numbers() -> None:
    with pytest.raises(ValueError, match="column 'x' must hold numbers, got datetime"):
        in_file(NUMBER, [datetime.date(2020, 1, 1)])


def test_a_category_named_like_a_missing_value_stays_a_category() -> None:
    encoding = ColumnEncoding("x", "category", missing=1, categories=("None", "one"))
    cells = ["None", "one", "NA", None]
    np.testing.assert_array_equal(
        in_file(encoding, cells)[[0, 1, 3]], in_library(encoding, cells, "object")[[0, 1, 3]]
    )
    assert in_file(encoding, cells)[2].tolist() == [0.0, 0.0, 1.0]


def test_missing_texts_are_those_of_the_library() -> None:
    cells = [*sorted(MISSING_TEXTS), "1.5"]
    np.testing.assert_array_equal(in_file(NUMBER, cells), in_library(NUMBER, cells, TEXT))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"y": [1]}, "column 'x' is missing, got 'y'"),
        ({"x": []}, "at least one row"),
        ([], "at least one row"),
        ([{"x": 1, "z": 1}, {"z": 2}], "column 'x' is missing in row 1, got 'z'"),
        ({"x": [1], "z": [1, 2]}, "column 'x' has 1 cells, others have 2"),
        ({"x": "12"}, r"column 'x' is '12': of a single row, pass \[row\]"),
        ({"x": 12.5}, r"column 'x' is 12.5: of a single row, pass \[row\]"),
        ([{"\ufeffx": 1}], "column 'x' is missing in row 0, got .*encoding='utf-8-sig'"),
        (
            [{"y ; x": "1,5", None: ["2;3"]}],
            "'x' is missing in row 0, got 'y ; x', None; read the file with .*delimiter=';'",
        ),
        ({"x\ty": [1]}, r"column 'x' is missing, got 'x\\ty'; read .*delimiter='\\t'"),
        ({"x": ["1", "48,8"]}, "got '48,8' in row 1: write it as Python's float reads it"),
        ({"x": ["true", "nein"]}, "column 'x' must hold numbers, got 'nein' in row 1"),
        (["x"], "a dict of columns, or a list of dicts"),
    ],
)
def test_wrong_tables_are_refused(table: object, message: str) -> None:
    second = ColumnEncoding("z", "number", mean=0.0, scale=1.0)
    inputs = (NUMBER, second) if "z" in str(table) else (NUMBER,)
    with pytest.raises(ValueError, match=message):
        encoder(*inputs)(table)


def test_spaces_around_the_names_of_columns_are_cut() -> None:
    encode, expected = encoder(NUMBER), encoder(NUMBER)({"x": [1.5, 2.0]})
    assert encode({" x ": [1.5, 2.0]}) == expected
    assert encode([{"x ": 1.5}, {"x": 2.0, " x": 7.0}]) == expected  # the name itself comes first


def test_nan_is_missing_even_if_a_category_has_its_name() -> None:
    named = ColumnEncoding("x", "category", categories=("nan", "b"), embedded=True)
    cells = [float("nan"), np.float32("nan"), "nan", "b"]
    np.testing.assert_array_equal(in_file(named, cells)[:, 0], [0, 0, 2, 3])


def test_each_cell_is_a_category_by_itself() -> None:
    together = ["7.0", "seven", "a", "8000.0", "07"]
    numbers = ColumnEncoding("x", "category", missing=1, categories=("a", "7", "8000"))
    for dtype in (TEXT, "object"):
        rows = in_library(numbers, together, dtype)
        alone = [in_library(numbers, [cell], dtype)[0] for cell in together]
        np.testing.assert_array_equal(rows, alone)
        np.testing.assert_array_equal(rows, in_file(numbers, together))
    assert rows.argmax(axis=1).tolist() == [1, 0, 0, 2, 1]
    assert not rows[1].any()


def test_the_row_that_is_neither_number_nor_boolean_is_named() -> None:
    with pytest.raises(DataError, match="got 'nein' in row 1"):
        in_library(BOOLEAN, ["true", "nein"], TEXT)


def test_decimal_commas_are_read_as_in_the_training_rows() -> None:
    inputs = (NUMBER, ColumnEncoding("z", "category", categories=("a, b", "1.5", "1.2.2024")))
    names: dict[str, Any] = {}
    exec(f"{IMPORT}\n{encoder_source(Columns(inputs, decimal_mark=DecimalMark(',')))}", names)
    written = ["8.623", " 1.458,28", "-48,8", "12.5", "0.125", 2.5, None]
    own = {"x": written, "z": ["1,5", "a, b", "1.2.2024", *"cdef"]}
    read = {
        "x": [8623.0, 1458.28, -48.8, 12.5, 0.125, 2.5, None],
        "z": ["1.5", "a, b", "1.2.2024", *"cdef"],
    }
    assert names["DECIMAL_COMMAS"] == ("x", "z")
    with pytest.warns(UserWarning, match="column 'z': 4 rows with 4 categories"):
        assert names["encode"](own) == encoder(*inputs)(read)
