"""Example tables: made-up raw rows for the columns that a model knows."""

import numpy as np
import numpy.typing as npt

from handloom.data.column_encoding import ColumnEncoding
from handloom.data.columns import Columns
from handloom.data.frames import Column
from handloom.data.table import Chunk, MemoryTable

LEAST_ROWS, MOST_ROWS = 64, 1024
"""The number of rows, where a column with many categories does not ask for more, and at most."""

MISSING_FRACTION = 0.1
"""The fraction of numbers and booleans without a value."""


def example_table(columns: Columns, seed: int = 0) -> MemoryTable:
    """Return made-up raw rows: each category, unseen ones, numbers around the mean, missing values.

    Parameters
    ----------
    columns : Columns
    seed : int
        The same seed makes the same rows.

    Returns
    -------
    MemoryTable
        The input columns. Of a column with more than `MOST_ROWS` categories it has some.
    """
    rng = np.random.default_rng(seed)
    most = max(len(each.categories) for each in columns.inputs)
    rows = min(max(LEAST_ROWS, most + 2), MOST_ROWS)  # and a missing and an unseen value
    made = {each.name: _column(each, rows, rng) for each in columns.inputs}
    return MemoryTable(Chunk(made, np.arange(rows)), tuple(made), "example rows")


def _column(encoding: ColumnEncoding, rows: int, rng: np.random.Generator) -> Column:
    if encoding.kind == "category":
        texts = np.array(_texts(encoding.categories), object)
        values = texts[rng.permutation(np.resize(rng.permutation(len(texts)), rows))]
        return Column(encoding.name, values, values == "", "object")
    missing = rng.random(rows) < MISSING_FRACTION
    missing[rng.integers(rows)] = True
    return Column(encoding.name, _values(encoding, rows, rng), missing, "float64")


def _texts(categories: tuple[str, ...]) -> list[str]:
    """Return all categories, one that is unseen, and a missing one."""
    return [*categories, f"{max(categories, key=len)}?", ""]


def _values(
    encoding: ColumnEncoding, rows: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    if encoding.kind == "boolean":
        return rng.integers(2, size=rows).astype(np.float64)
    return encoding.mean + encoding.scale * rng.standard_normal(rows)
