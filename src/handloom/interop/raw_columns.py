"""Raw rows of a table that an export takes: a frame, or a mapping of names to values."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.data.frames import SERIES, Column, column_of, is_instance
from handloom.data.table import Chunk, MemoryTable, checked_names, table_of
from handloom.errors import DataError


def raw_table(rows: object) -> MemoryTable:
    """Return raw rows, a frame or a mapping of the names of columns to their values, as a table.

    Raises
    ------
    DataError
        If they are neither, or have no rows or columns of different lengths.
    """
    return table_of_columns(rows) if isinstance(rows, Mapping) else table_of(rows, "rows")


def table_of_columns(rows: Mapping[Any, Any]) -> MemoryTable:
    """Return columns of values as a table.

    Raises
    ------
    DataError
        If a column is no sequence, or columns have different lengths, or there are no rows.
    """
    names = checked_names([str(name) for name in rows], "rows: ")
    columns = [_column(name, values) for name, values in zip(names, rows.values(), strict=True)]
    count = len(columns[0].values)
    for column in columns:
        if len(column.values) != count or not count:
            raise DataError(
                f"rows: column {column.name!r} must have as many values as the first one, at least "
                f"one, got {len(column.values)} and {count}"
            )
    return MemoryTable(Chunk(dict(zip(names, columns, strict=True)), np.arange(count)), names)


def _column(name: str, values: object) -> Column:
    if is_instance(values, *SERIES):
        return column_of(values, name)
    scalar = isinstance(values, np.ndarray) and values.ndim == 0
    if scalar or not isinstance(values, list | tuple | np.ndarray):
        raise DataError(
            f"rows: column {name!r} must be a list or an array with a value for each row, got "
            f"{type(values).__name__}: for a single row pass [value]"
        )
    array = values if isinstance(values, np.ndarray) else _array(values)
    return Column(name, array, np.zeros(len(array), bool), str(array.dtype))


def _array(values: Sequence[Any]) -> npt.NDArray[np.object_]:
    """Return the values as objects: NumPy would turn 3 beside a text into the text 3."""
    array = np.empty(len(values), object)
    array[:] = values
    return array
