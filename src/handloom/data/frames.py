"""Frames: the values, names and missing entries of pandas, polars and pyarrow objects, by column.

No library is imported here: an object of one can exist only if the library is already loaded.
Values are read by row number, and an index is never looked at.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.errors import DataError

FRAMES = ("pandas.DataFrame", "polars.DataFrame", "pyarrow.Table", "pyarrow.RecordBatch")

SERIES = (
    "pandas.Series",
    "pandas.Index",
    "pandas.api.extensions.ExtensionArray",
    "polars.Series",
    "pyarrow.Array",
    "pyarrow.ChunkedArray",
)

NUMERIC = "biuf"
"""The kinds of dtypes of numbers and booleans."""

INTEGERS = re.compile(r"u?int\d", re.IGNORECASE)
"""The beginning of the names of dtypes of integers, in any library."""


@dataclass(frozen=True)
class Column:
    """A column of a table, or a Series.

    Attributes
    ----------
    name : str or None
    values : array, shape (n,)
        Invalid in the rows that are missing.
    missing : array of bool, shape (n,)
    dtype : str
        The name of the dtype in its own library.
    categories : sequence, or None
        The categories in their order, if the dtype has them.
    """

    name: str | None
    values: npt.NDArray[Any]
    missing: npt.NDArray[np.bool_]
    dtype: str
    categories: Sequence[object] | None = None

    def label(self, part: str) -> str:
        """Return the column's description for errors; ``part`` is ``"inputs"`` or ``"targets"``."""
        return part if self.name is None else f"column {self.name!r} of {part}"

    def require_complete(self, part: str) -> None:
        """Refuse missing values: None, NA, NaN, NaT.

        Raises
        ------
        DataError
            Naming column and row.
        """
        missing = self.missing
        if self.values.dtype.kind == "f":
            missing = missing | np.isnan(self.values).reshape(len(missing), -1).any(axis=1)
        if missing.any():
            raise DataError(
                f"{self.label(part)} must have no missing values, got one in row "
                f"{int(missing.argmax())} (rows count from 0): drop such rows, or fill in a value"
            )

    def numeric(self, part: str) -> npt.NDArray[Any]:
        """Return the values, shape (n,): numbers or booleans.

        Raises
        ------
        DataError
            If values are missing, or are not numbers; the message has the remedy.
        """
        self.require_complete(part)
        nested = self.name is not None and self.values.ndim > 1
        if self.values.dtype.kind in NUMERIC and self.categories is None and not nested:
            return self.values
        raise DataError(
            f"{self.label(part)} must hold numbers, got {self.dtype}: {self._advice(part)}"
        )

    def _advice(self, part: str) -> str:
        if part == "targets" and self.values.dtype == object:
            return (
                "pass classes as column.astype(int), column.astype(bool) or column.astype(str), "
                "and continuous targets as column.astype(float)"
            )
        if self.categories is not None or all_strings(self.values):
            return (
                "encode the categories as columns of 0 and 1, for instance with "
                "pandas.get_dummies(frame) or polars' frame.to_dummies()"
            )
        if self.values.dtype.kind in "mM":
            return (
                "convert times to numbers, for instance to days: "
                "(column - column.min()) / numpy.timedelta64(1, 'D')"
            )
        return (
            "convert it to a floating-point dtype, for instance with pandas.to_numeric(column), or "
            "leave it out"
        )


def is_instance(value: object, *names: str) -> bool:
    """Return whether a value is an instance of a class, named ``"pandas.DataFrame"``.

    The class is looked up among the loaded modules.
    """
    for name in names:
        module, *attributes = name.split(".")
        kind: Any = sys.modules.get(module)
        for attribute in attributes:
            kind = getattr(kind, attribute, None)
        if isinstance(kind, type) and isinstance(value, kind):
            return True
    return False


def columns_of(frame: Any) -> list[Column]:
    """Return the columns of a frame, one of `FRAMES`, in their order."""
    if is_instance(frame, "pandas.DataFrame"):
        return [
            column_of(frame.iloc[:, index], str(name)) for index, name in enumerate(frame.columns)
        ]
    if is_instance(frame, "polars.DataFrame"):
        return [column_of(series) for series in frame.get_columns()]
    names = frame.schema.names
    return [column_of(array, str(name)) for name, array in zip(names, frame.columns, strict=True)]


def column_of(series: Any, name: str | None = None) -> Column:
    """Return a Series or array, one of `SERIES`, as a column."""
    if is_instance(series, "pyarrow.Array", "pyarrow.ChunkedArray"):
        missing = series.is_null().to_numpy(zero_copy_only=False)
        values = _filled(series, str(series.type), missing).to_numpy(zero_copy_only=False)
        return Column(name, values, missing, str(series.type))
    name = name or _name(series)
    if is_instance(series, "pandas.MultiIndex"):
        raise DataError("a pandas.MultiIndex has no single values: pass a Series or an array")
    if is_instance(series, "polars.Series"):
        ordered = series.dtype.categories if type(series.dtype).__name__ == "Enum" else None
        missing = series.is_null().to_numpy()
        categories = None if ordered is None else ordered.to_list()
        values = _filled(series, str(series.dtype), missing).to_numpy()
        return Column(name, values, missing, str(series.dtype), categories)
    categories = getattr(series.dtype, "categories", None)
    missing = np.asarray(series.isna(), bool)
    series = _filled(series, str(series.dtype), missing)
    values = series.to_numpy() if hasattr(series, "to_numpy") else np.asarray(series)
    if categories is not None and values.dtype.kind == "f":  # integers among missing values
        codes = getattr(series, "cat", series).codes
        values = np.array([*categories, None], object)[codes]
    return Column(
        name,
        values,
        missing,
        str(series.dtype),
        None if categories is None else list(categories),
    )


def names_of(columns: Sequence[Column]) -> tuple[str, ...] | None:
    """Return the names of columns; None if they only count the columns, as in an array."""
    names = tuple(str(column.name) for column in columns)
    return None if names == tuple(map(str, range(len(names)))) else names


def all_strings(values: npt.NDArray[Any]) -> bool:
    """Return whether an array, of any shape, holds strings only."""
    if values.dtype.kind in "UT":  # fixed and variable width
        return True
    return values.dtype == object and all(isinstance(value, str) for value in values.flat)


def _filled(series: Any, dtype: str, missing: npt.NDArray[np.bool_]) -> Any:
    """Return a Series with 0 for missing integers, which would make all integers float64."""
    if not missing.any() or not INTEGERS.match(dtype):
        return series
    return series.fillna(0) if hasattr(series, "fillna") else series.fill_null(0)


def _name(series: Any) -> str | None:
    name = getattr(series, "name", None)
    return None if name is None or name == "" else str(name)
