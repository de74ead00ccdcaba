"""JoinedRows: the rows of several files, one after another, as the inputs of one dataset."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.data.row_reader import RowReader
from handloom.data.rows_on_demand import RowsOnDemand

Array = npt.NDArray[Any]


class JoinedRows(RowsOnDemand):
    """The rows of several mapped files in their order; a read touches the files that hold its rows.

    Rows are copied from a file's pages, which are released at once: there may be many files.

    Parameters
    ----------
    files : sequence of array, shape (N_i, ...)
        Rows of one shape and dtype.
    """

    def __init__(self, files: Sequence[Array]) -> None:
        ends = np.cumsum([len(file) for file in files])
        super().__init__((int(ends[-1]), *files[0].shape[1:]), files[0].dtype)
        self.files = tuple(files)
        self._ends, self._starts = ends, ends - [len(file) for file in files]
        self._readers = [RowReader(file) for file in files]

    def _consecutive(self, start: int, stop: int) -> Array:
        out = np.empty((stop - start, *self.shape[1:]), self.dtype)
        first = np.searchsorted(self._ends, start, "right")
        for file in range(first, np.searchsorted(self._starts, stop)):
            begin, finish = max(start, self._starts[file]), min(stop, self._ends[file])
            own = slice(begin - self._starts[file], finish - self._starts[file])
            out[begin - start : finish - start] = self._readers[file].rows(own)
            self._readers[file].release()
        return out

    def _scattered(self, rows: npt.NDArray[np.int64]) -> Array:
        out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        file_of_row = np.searchsorted(self._ends, rows, "right")
        for file in np.unique(file_of_row):
            chosen = np.flatnonzero(file_of_row == file)
            part = np.empty((len(chosen), *self.shape[1:]), self.dtype)
            self._readers[file].copy(rows[chosen] - self._starts[file], part)
            out[chosen] = part
        return out
