"""SelectedRows: some rows of a file, read on demand, as a part of a dataset."""

from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.data.mapped_rows import is_mapped
from handloom.data.row_reader import RowReader
from handloom.data.rows_on_demand import RowsOnDemand

Array = npt.NDArray[Any]

Rows = range | npt.NDArray[np.int64]
"""Indices of rows: consecutive ones, a range of step 1, or any."""


class SelectedRows(RowsOnDemand):
    """Some of the rows of a mapped file, or of an object that loads rows, in any order.

    Parameters
    ----------
    base : array, shape (N, ...), or StoredRows
        All rows.
    rows : range of step 1, or int64 array, shape (n,)
        The indices of the selected rows.
    """

    def __init__(self, base: Array, rows: Rows) -> None:
        super().__init__((len(rows), *base.shape[1:]), base.dtype)
        self.base, self.rows = base, rows
        self._reader = RowReader(base)

    def _consecutive(self, start: int, stop: int) -> Array:
        rows = self.rows[start:stop]
        if isinstance(rows, range):
            return self._reader.rows(slice(rows.start, rows.stop))
        return self._copied(rows)

    def _scattered(self, rows: npt.NDArray[np.int64]) -> Array:
        return self._copied(np.asarray(_looked_up(self.rows, rows)))

    def _copied(self, rows: npt.NDArray[np.int64]) -> Array:
        out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        self._reader.copy(rows, out)
        return out


def select_rows(inputs: Any, rows: slice | npt.NDArray[np.int64]) -> Array:
    """Return some rows of stored inputs: a copy in memory, or a view of rows read on demand.

    The view is a slice of a mapped array, or else `SelectedRows`. A selection from a selection has
    the same base.

    Parameters
    ----------
    inputs : array, shape (N, ...), or StoredRows
    rows : slice, or int64 array, shape (n,)
        Indices from 0 to N - 1.
    """
    if isinstance(inputs, np.ndarray) and (isinstance(rows, slice) or not is_mapped(inputs)):
        return inputs[rows]
    selected: Rows = _indices(rows, len(inputs)) if isinstance(rows, slice) else rows.copy()
    if isinstance(inputs, SelectedRows):
        inputs, selected = inputs.base, _looked_up(inputs.rows, selected)
    return SelectedRows(inputs, selected)  # type: ignore[return-value]  # StoredRows


def have_rows_in_common(first: Array, second: Array) -> bool:
    """Return whether inputs are rows that are read on demand of one base, some of them the same."""
    (base, rows), (other_base, other_rows) = _selection(first), _selection(second)
    if base is not other_base:
        return False
    selected = np.zeros(len(base), bool)
    selected[rows] = True
    return bool(selected[other_rows].any())


def _selection(inputs: Any) -> tuple[Array, slice | npt.NDArray[np.int64]]:
    """Return the base of inputs, and the rows that they are of it."""
    if not isinstance(inputs, SelectedRows):
        return inputs, slice(None)
    rows = inputs.rows
    return inputs.base, slice(rows.start, rows.stop) if isinstance(rows, range) else rows


def _indices(rows: slice, count: int) -> Rows:
    """Return the indices of a slice of ``count`` rows, as a range if they are consecutive."""
    start, stop, step = rows.indices(count)
    return range(start, max(start, stop)) if step == 1 else np.arange(start, stop, step)


def _looked_up(rows: Rows, chosen: Rows) -> Rows:
    """Return ``rows[chosen]``."""
    if isinstance(chosen, range):
        return rows[chosen.start : chosen.stop]
    return rows.start + chosen if isinstance(rows, range) else rows[chosen]
