"""Row labels: the lines of a table's file that test rows are, where they are known."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset

HEAD_LINES = 2
"""The line of the first row of a file: counted from 1, after the line of the names."""

NOTE = (
    " A line is that of the file of the table: line 1 has the names of the columns; blank lines, "
    "and further lines of a cell, do not count."
)
"""A sentence for a table whose rows are named by lines."""


def lines_of(data: Dataset, rows: Sequence[int] | npt.NDArray[np.integer]) -> list[int] | None:
    """Return the lines of some rows of a dataset in the file of its table, counted from 1.

    None if the dataset is of no file, or does not know where its rows were.
    """
    if data.row_numbers is None:
        return None
    lines: list[int] = (data.row_numbers[np.asarray(rows)] + HEAD_LINES).tolist()
    return lines


def row_labels(data: Dataset, rows: Sequence[int]) -> list[str]:
    """Return ``"line 184"`` for rows whose line is known, or else ``"row 182"`` of the dataset."""
    lines = lines_of(data, rows)
    return [f"row {row}" for row in rows] if lines is None else [f"line {line}" for line in lines]
