"""RowsOnDemand: rows that are read when they are indexed, and the indices that are accepted."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.errors import DataError

Array = npt.NDArray[Any]


class RowsOnDemand(ABC):
    """Rows that are read when they are indexed: the base of this library's own `StoredRows`.

    They are indexed along the first axis only, by an integer, a slice, indices or a mask.
    ``rows[:]`` is an array of all of them.

    Parameters
    ----------
    shape : tuple of int
        The shape ``(N, ...)`` of all rows.
    dtype : dtype
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype, self.ndim = shape, dtype, len(shape)

    @property
    def size(self) -> int:
        """The number of entries."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """The number of bytes of all rows."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Array:
        """Return rows as an array, in the order of the indices; a row for an integer.

        Raises
        ------
        IndexError
            If an integer is out of range.
        DataError
            If other indices are invalid.
        """
        if isinstance(rows, int | np.integer):
            if not -len(self) <= rows < len(self):
                raise IndexError(f"row {rows} is out of range: there are {len(self)} rows")
            row: Array = self._scattered(np.array([rows % len(self)]))[0]
            return row
        if isinstance(rows, tuple):
            raise DataError(
                f"rows on demand are indexed along the first axis only, got {rows}: first take an "
                "array, of all rows inputs[:]"
            )
        if not isinstance(rows, slice):
            return self._scattered(checked_rows(rows, len(self)))
        start, stop, step = rows.indices(len(self))
        if step == 1:
            return self._consecutive(start, max(start, stop))
        return self._scattered(np.arange(start, stop, step))

    def __reduce__(self) -> tuple[Any, ...]:
        """Have copies and pickles made as arrays in memory, as those of mapped arrays are."""
        return np.asarray, (self[:],)

    @abstractmethod
    def _consecutive(self, start: int, stop: int) -> Array:
        """Return consecutive rows; the range is valid."""

    @abstractmethod
    def _scattered(self, rows: npt.NDArray[np.int64]) -> Array:
        """Return rows by their indices, which are valid and not negative."""


def checked_rows(rows: object, count: int) -> npt.NDArray[np.int64]:
    """Return indices of rows, or those of a mask, as indices from 0 to ``count - 1``.

    Raises
    ------
    DataError
        If they do not fit this number of rows.
    """
    indices = np.asarray(rows)
    if not indices.size and indices.ndim == 1:
        return indices.astype(np.int64)
    if indices.dtype == np.bool_ and indices.shape == (count,):
        return np.flatnonzero(indices)
    whole = np.issubdtype(indices.dtype, np.integer) and indices.ndim == 1
    if not whole:
        raise DataError(
            f"rows must be a slice, a mask of {count} rows, or an array of whole numbers, got "
            f"{indices.dtype} of shape {indices.shape}"
        )
    if indices.min() < -count or indices.max() >= count:
        raise DataError(
            f"rows must be at least {-count} and below {count}, the number of rows, got "
            f"{indices.min()} to {indices.max()}"
        )
    indices = indices.astype(np.int64, copy=False)
    return indices + count * (indices < 0) if indices.min() < 0 else indices
