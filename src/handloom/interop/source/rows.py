"""Raw rows as an exported file takes them: arrays, or lists of plain Python values."""

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
    plain = {}
    for name, column in rows.chunk.columns.items():
        values = np.where(column.missing, None, column.values.astype(object)).tolist()
        comma = mark is not None and mark.is_comma(name)
        plain[name] = list(map(_with_comma, values)) if comma else values
    return plain


def _with_comma(cell: Any) -> Any:
    is_number = isinstance(cell, str) and finite_number(cell) is not None
    return cell.replace(".", ",") if is_number else cell
