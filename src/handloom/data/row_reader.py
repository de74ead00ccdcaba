"""RowReader: reads the stored rows of a batch, from memory, from a mapped file or on demand."""

import mmap
import os
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from handloom.data.mapped_rows import MappedRows, OpenFile
from handloom.errors import DataError

RELEASE_AFTER = 1 << 24
"""The number of bytes of a mapped file that are read before their pages are released."""


class StoredRows(Protocol):
    """Inputs that load rows on demand, as an alternative to an array in a `Dataset`.

    Attributes
    ----------
    shape : tuple of int
        The shape ``(N, ...)`` of all rows.
    dtype : dtype
        ``uint8`` for images, or a floating-point dtype.
    ndim, size : int
        The number of axes, and of entries.
    nbytes : int
        The number of bytes of all rows; only checkpoints need it, which read every row once.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    ndim: int

    @property
    def size(self) -> int:
        """The number of entries."""
        ...

    @property
    def nbytes(self) -> int:
        """The number of bytes of all rows."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice | npt.NDArray[np.integer]) -> npt.NDArray[Any]:
        """Return rows as an array, shape (n, ...), in the order of the indices.

        Indices may be unsorted and may occur twice. Threads may call this at the same time.
        """
        ...


class RowReader:
    """Reads stored rows for a batch, from an array, a mapped file or an object that loads rows.

    Pages of a mapped file count as memory of the process from their first access until they are
    released. Consecutive rows are read through the map, and their pages are released from time to
    time. A scattered row would load its whole page, hundreds of kilobytes if the system caches
    files in large pages, so scattered rows are read from the file one by one.

    Parameters
    ----------
    inputs : array, shape (N, ...), or StoredRows
        In memory, memory-mapped, or an object that loads rows when it is indexed.
    """

    def __init__(self, inputs: npt.NDArray[np.generic]) -> None:
        self.inputs = inputs
        base: object = inputs
        while isinstance(base, np.ndarray):
            base = base.base
        self._map = base if isinstance(base, mmap.mmap) else None
        self._is_array = isinstance(inputs, np.ndarray)  # else `StoredRows`
        self._since_release = 0
        self._file: OpenFile | None = None
        if isinstance(inputs, MappedRows) and len(inputs) and inputs[0].flags.c_contiguous:
            self._file = inputs.file if hasattr(os, "preadv") else None
            self._start = _file_offset(inputs)

    def rows(self, rows: slice) -> npt.NDArray[Any]:
        """Return a view of consecutive rows."""
        taken = self.inputs[rows]
        if self._map is not None:
            self._since_release += taken.nbytes
            if self._since_release >= RELEASE_AFTER:
                self.release()
        return taken

    def release(self) -> None:
        """Release the pages of a mapped file; those that are read again are loaded again."""
        if self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)
        self._since_release = 0

    def copy(
        self,
        rows: npt.NDArray[np.integer],
        out: npt.NDArray[np.generic],
        gather: Callable[..., None] | None = None,
    ) -> None:
        """Copy scattered rows into ``out``, shape (n, ...), which is contiguous.

        Parameters
        ----------
        rows : integer array, shape (n,)
            Must be in range; not checked.
        out : array, shape (n, ...)
        gather : callable, optional
            Copies rows in memory: `handloom.data.batches.gather_rows`, or its compiled version.

        Raises
        ------
        DataError
            If the file was truncated since it was opened.
        """
        if self._file is None:
            if self._is_array and gather is not None:
                gather(self.inputs, rows, out)
            else:
                out[...] = self.inputs[rows]
            return
        into, size = out.data.cast("B"), out[0].nbytes
        for index, row in enumerate(rows.tolist()):
            offset = self._start + row * self.inputs.strides[0]
            part = into[index * size : (index + 1) * size]
            if (received := os.preadv(self._file.descriptor, [part], offset)) < size:
                raise DataError(
                    f"{self._file.path}: row {row} is truncated: expected {size} bytes, "
                    f"got {received}"
                )


def _file_offset(inputs: MappedRows) -> int:
    """Return the file offset of the first row of mapped inputs, or of a view of them."""
    whole: np.memmap[Any, Any] = inputs
    while isinstance(whole.base, np.memmap):
        whole = whole.base
    return whole.offset + inputs.ctypes.data - whole.ctypes.data
