"""Raw cells of flat rows: the reverse of `handloom.data.column_encoding.ColumnEncoding.write`.

A cell is a number, with booleans as 0 and 1, or None if it is missing. Of a category it is the
index that `ColumnEncoding.indices` returns: 0 for a missing value, 1 for an unseen one, and from 2
on the categories.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from handloom.data.column_encoding import FIRST_CATEGORY, MISSING, UNSEEN, ColumnEncoding
from handloom.data.input_columns import decimal_text

Floats = npt.NDArray[np.floating]
Cell = float | int | None


def flat_parts(inputs: Sequence[ColumnEncoding], rows: Floats) -> list[Floats]:
    """Return the flat columns of each input, shapes (n, columns), of rows of shape (n, d)."""
    ends = np.cumsum([len(each.names) for each in inputs])
    return np.split(rows, ends[:-1], axis=1)


def cells_of_row(inputs: Sequence[ColumnEncoding], row: Floats) -> list[Cell]:
    """Return the cells of a flat row of shape (d,)."""
    parts = flat_parts(inputs, row[None])
    return [cell_of(each, part[0]) for each, part in zip(inputs, parts, strict=True)]


def cell_of(encoding: ColumnEncoding, flat: Floats) -> Cell:
    """Return the cell of one column from its flat columns, shape (columns,).

    A missing value in a column that had none in the training rows looks like the mean, or like an
    unseen category.
    """
    if encoding.embedded:
        return int(flat[0])
    is_missing = bool(encoding.missing and flat[-1])
    if encoding.kind == "category":
        ones = flat[: len(encoding.categories)]
        return (
            MISSING if is_missing else FIRST_CATEGORY + int(ones.argmax()) if ones.any() else UNSEEN
        )
    if is_missing:
        return None
    return number_of(encoding, flat[0]) if encoding.scale else encoding.mean


def number_of(encoding: ColumnEncoding, standardized: np.floating) -> float:
    """Return the shortest decimal number that is standardized to a value of a flat row."""
    return float(decimal_text(standardized, encoding.mean, encoding.scale))


def cell_text(encoding: ColumnEncoding, cell: Cell) -> str:
    """Return a cell as people read it."""
    if encoding.kind == "category":
        index = MISSING if cell is None else int(cell)
        return {MISSING: "missing", UNSEEN: "another"}.get(
            index, encoding.categories[max(index - FIRST_CATEGORY, 0)]
        )
    if cell is None:
        return "missing"
    if encoding.kind == "boolean":
        return str(cell == 1.0)
    whole = cell == round(cell) and abs(cell) < 1e15
    return f"{cell:.0f}" if whole else f"{cell:.6g}"
