"""RowStore: flat rows of a table on their way into memory, or into a mapped file."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.data.mapped_rows import MappedRows, OpenFile
from handloom.errors import DataError

IN_MEMORY = 1 << 30
"""The largest number of bytes of flat rows that are kept in memory; more are mapped from a file."""


class RowStore:
    """Flat rows that are written one after another: in memory, or in a file that is mapped.

    The file has no name, and vanishes with the rows.

    Parameters
    ----------
    shape : tuple of two int
        The number of rows and of columns, (n, d).
    cache : Path or None
        The folder of the file; by default that of temporary files.

    Raises
    ------
    DataError
        If the file cannot be written.
    """

    def __init__(self, shape: tuple[int, int], cache: Path | None = None) -> None:
        self._shape, self._end = shape, 0
        self._memory = self._file = None
        self._cache = cache
        if 4 * shape[0] * shape[1] <= IN_MEMORY:
            self._memory = np.empty(shape, np.float32)
        else:
            with _told(cache):
                self._file = tempfile.TemporaryFile(dir=cache, prefix="handloom-rows-")  # noqa: SIM115

    def append(self, rows: npt.NDArray[np.float32]) -> None:
        """Write the next rows, shape (m, d).

        Raises
        ------
        DataError
            If they cannot be written, as the disk is full.
        """
        if self._memory is not None:
            self._memory[self._end : self._end + len(rows)] = rows
            self._end += len(rows)
        elif self._file is not None:
            with _told(self._cache):
                self._file.write(rows.data)

    def rows(self) -> npt.NDArray[Any]:
        """Return all rows, shape (n, d); those of a file are mapped, read-only.

        Raises
        ------
        DataError
            If they cannot be written.
        """
        if self._file is None:
            assert self._memory is not None
            return self._memory
        with _told(self._cache):
            self._file.flush()
        mapped = np.memmap(self._file, np.float32, "r", 0, self._shape).view(MappedRows)
        mapped.file = OpenFile(Path(str(self._file.name)), os.dup(self._file.fileno()))
        return mapped

    def close(self) -> None:
        """Close the file; mapped rows remain."""
        if self._file is not None:
            self._file.close()


@contextmanager
def _told(cache: Path | None) -> Iterator[None]:
    """Raise errors of the system as errors of the folder in which rows are kept."""
    try:
        yield
    except OSError as error:
        folder = cache or tempfile.gettempdir()
        raise DataError(f"{folder}: rows cannot be written: {error.strerror}") from None
