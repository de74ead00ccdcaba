"""Raw rows as an exported file takes them: arrays, or lists of plain Python values."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.data.columns import Columns
from handloom.data.table import MemoryTable
from handloom.data.text_index import finite_number


def as_plain_rows(
    rows: npt.NDArray[Any] | MemoryTable, columns: Columns | None
) -> npt.NDArray[Any] | dict[str, list[Any]]:
    """Return an array itself; of a table the values of each column, None where one is missing.

    Texts of the columns that had decimal commas in the training rows get them, as in their file.
    """
    if isinstance(rows, np.ndarray):
        return rows
    mark = None if columns is None else columns.decimal_mark
    cells: dict[str, list[Any]] = {}
    for name, column in rows.chunk.columns.items():
        pairs = zip(column.values.tolist(), column.missing.tolist(), strict=True)
        values = [None if missing else value for value, missing in pairs]
        comma = mark is not None and mark.is_comma(name)
        cells[name] = list(map(_with_comma, values)) if comma else values
    return cells


@contextmanager
def unlike_rows_expected() -> Iterator[None]:
    """Ignore the warnings of an exported file about rows unlike the training rows."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "column ['\"]", UserWarning)
        yield


def _with_comma(cell: Any) -> Any:
    is_number = isinstance(cell, str) and finite_number(cell) is not None
    return cell.replace(".", ",") if is_number else cell
