"""InputColumn: a column of a table as a person knows it, within flat rows of numbers.

A column of a table may become several columns of flat rows: one for each category, and one for
missing values. Statements about a column, such as its importance, are about all of them together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.data.column_encoding import FIRST_CATEGORY, MISSING, UNSEEN, ColumnEncoding
from handloom.data.columns import Columns
from handloom.errors import DataError

Rows = npt.NDArray[Any]

UNSEEN_TEXT = "unseen"
"""The cell of a category that the training rows lack; its text is not in flat rows."""

UNSEEN_OR_MISSING = "unseen or missing"
"""The same in a column whose training rows had no missing value."""


@dataclass(frozen=True)
class InputColumn:
    """An input column of a table within flat rows, shape (n, d).

    Parameters
    ----------
    name : str
    start : int
        The index of the first of its columns of flat rows.
    encoding : ColumnEncoding or None
        How it was encoded; None for a column of floats that are used as they are.
    """

    name: str
    start: int
    encoding: ColumnEncoding | None = None

    @property
    def flat(self) -> slice:
        """Its columns of flat rows."""
        width = 1 if self.encoding is None else len(self.encoding.names)
        return slice(self.start, self.start + width)

    @property
    def holds_categories(self) -> bool:
        """Whether its cells are categories, not numbers or booleans."""
        return bool(self.categories)

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories; empty for numbers and booleans."""
        return () if self.encoding is None else self.encoding.categories

    @property
    def is_boolean(self) -> bool:
        """Whether its cells are booleans."""
        return self.encoding is not None and self.encoding.kind == "boolean"

    @property
    def may_be_missing(self) -> bool:
        """Whether flat rows tell a missing value from all others."""
        encoding = self.encoding
        return encoding is not None and (encoding.embedded or encoding.missing > 0)

    def numbers_of(self, rows: Rows) -> npt.NDArray[np.float64]:
        """Return the numbers of a column that holds no categories, NaN where they are missing.

        Shape (n,). A missing value that flat rows do not tell from others is the mean.
        """
        own = np.asarray(rows[:, self.flat], np.float64)
        if self.encoding is None:
            return own[:, 0]
        values = np.full(len(own), self.encoding.mean)
        if self.encoding.scale:
            values += own[:, 0] * self.encoding.scale
        if self.encoding.missing:
            values[own[:, -1] == 1.0] = np.nan
        return values

    def indices_of(self, rows: Rows) -> npt.NDArray[np.int64]:
        """Return the index of each row's category: 0 if it is missing, 1 if unseen; shape (n,)."""
        own, encoding = np.asarray(rows[:, self.flat]), self.encoding
        assert encoding is not None
        if encoding.embedded:
            return own[:, 0].astype(np.int64)
        each = own[:, : len(encoding.categories)]
        indices = np.where(each.any(axis=1), each.argmax(axis=1) + FIRST_CATEGORY, UNSEEN)
        if encoding.missing:
            indices[own[:, -1] == 1.0] = MISSING
        return indices

    def texts_of(self, rows: Rows) -> list[str]:
        """Return the cells as they may stand in the raw table; missing ones are empty.

        A number is the shortest decimal number that is encoded as the stored one.
        """
        if self.holds_categories:
            return [self.category(index) for index in self.indices_of(rows).tolist()]
        if self.encoding is None:
            return [str(value) for value in rows[:, self.start]]
        values = self.numbers_of(rows).tolist()
        if self.is_boolean:
            return [{0.0: "False", 1.0: "True"}.get(round(each, 3), "") for each in values]
        mean, scale, stored = self.encoding.mean, self.encoding.scale, rows[:, self.start]
        return [
            "" if math.isnan(value) else decimal_text(standardized, mean, scale)
            for value, standardized in zip(values, stored, strict=True)
        ]

    def category(self, index: int) -> str:
        """Return the text of a category by its index; that of a missing value is empty."""
        assert self.encoding is not None
        if index == UNSEEN:
            return UNSEEN_TEXT if self.may_be_missing else UNSEEN_OR_MISSING
        return "" if index == MISSING else self.encoding.categories[index - FIRST_CATEGORY]

    def with_number(self, rows: Rows, value: float) -> Rows:
        """Return a copy of flat rows in which the column has a number everywhere."""
        copied, encoding = rows.copy(), self.encoding
        copied[:, self.flat] = 0.0
        if encoding is None:
            copied[:, self.start] = value
        elif encoding.scale:
            copied[:, self.start] = (value - encoding.mean) / encoding.scale
        return copied

    def with_category(self, rows: Rows, index: int) -> Rows:
        """Return a copy of flat rows in which the column has one category, by its index."""
        copied, encoding = rows.copy(), self.encoding
        assert encoding is not None
        copied[:, self.flat] = 0.0
        if encoding.embedded:
            copied[:, self.start] = index
        elif index >= FIRST_CATEGORY:
            copied[:, self.start + index - FIRST_CATEGORY] = 1.0
        return copied if index != MISSING else self.without_value(copied)

    def without_value(self, rows: Rows) -> Rows:
        """Return a copy of flat rows in which the value of the column is missing everywhere."""
        copied, encoding = rows.copy(), self.encoding
        copied[:, self.flat] = MISSING
        if encoding is not None and encoding.missing and not encoding.embedded:
            copied[:, self.flat.stop - 1] = 1.0
        return copied


def input_columns(
    columns: Columns | None, names: Sequence[str] | None, row_shape: tuple[int, ...]
) -> tuple[InputColumn, ...]:
    """Return the input columns of flat rows.

    Parameters
    ----------
    columns : Columns or None
        The encoding of a raw table.
    names : sequence of str or None
        Without ``columns``: their names, by default ``"feature 1"``, ``"feature 2"``, ...
    row_shape : tuple of int
        The shape of a row.

    Raises
    ------
    DataError
        If rows are not flat.
    """
    if len(row_shape) != 1:
        raise DataError(f"rows must be flat, of shape (d,), to have columns, got {row_shape}")
    if columns is None:
        own = names or [f"feature {number}" for number in range(1, row_shape[0] + 1)]
        return tuple(InputColumn(name, start) for start, name in enumerate(own))
    start, made = 0, []
    for encoding in columns.inputs:
        made.append(InputColumn(encoding.name, start, encoding))
        start += len(encoding.names)
    return tuple(made)


def decimal_text(stored: Any, mean: float, scale: float) -> str:
    """Return the shortest decimal number whose standardized float32 value is the stored one."""
    if not scale:  # a constant column, whose value is the mean
        return f"{mean:.6g}"
    standardized = np.float32(stored)
    if np.float32(-mean / scale) == standardized:  # else the nearest float may be 1e-8
        return "0"
    value = float(standardized) * scale + mean
    for digits in range(1, 16):
        text = f"{value:.{digits}g}"
        if np.float32((float(text) - mean) / scale) == standardized:
            return f"{float(text):.15g}"
    return repr(value)
