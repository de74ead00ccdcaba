"""Datasets in NumPy's own files, mapped into memory instead of read: they may be larger than it."""

import io
import math
import mmap
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.errors import DataError
from handloom.files import size_of

MAX_HEADER_BYTES = 1 << 14
"""The most that is read of a file to find its header; NumPy evaluates 10,000 characters at most."""

MAX_CLASSES = 1 << 16
"""The most classes that labels may number, where they have no names."""

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

RELEASE_AFTER = 1 << 24
"""How many bytes of a mapped file are read before they are given back."""


def read_npy(
    inputs: str | os.PathLike[str],
    targets: str | os.PathLike[str],
    class_names: Sequence[str] | None = None,
    *,
    name: str | None = None,
) -> Dataset:
    """Open a dataset in two ``.npy`` files; the inputs stay on disk and are read as they are used.

    Parameters
    ----------
    inputs : path
        ``uint8`` images of shape (n, y, x), or floating-point features of shape (n, d).
    targets : path
        Integer classes of shape (n,).
    class_names : sequence of str, optional
        What the classes are called; by default ``"0"`` to the largest.
    name : str, optional
        What the dataset is called; by default like the file of the inputs.

    Returns
    -------
    Dataset
        Training on it reads rows without keeping them. What makes a new dataset of it (`split`,
        ``shuffled``, ``take``) copies rows into memory.

    Raises
    ------
    DataError
        If a file cannot be read, is cut off, holds Python objects, or the two do not belong
        together.
    """
    labels = _open(Path(targets))
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{targets}: targets must be integers, got {labels.dtype}")
    classes = np.array(labels, np.int64)
    if class_names is None:
        class_names = _numbers(int(classes.max()), Path(targets))
    stored = _open(Path(inputs))
    return Dataset(stored, classes, tuple(class_names or ()), name or Path(inputs).stem)


def _numbers(highest: int, path: Path) -> list[str]:
    """Return the names of classes that have none: ``"0"`` to the highest label."""
    if highest >= MAX_CLASSES:
        raise DataError(
            f"{path}: holds the class {highest}, expected classes numbered from 0 to at most "
            f"{MAX_CLASSES - 1}; give class_names if there are more"
        )
    return [str(label) for label in range(highest + 1)]


def _open(path: Path) -> "MappedRows":
    try:
        size_of(path)  # no pipe, which would keep whoever opens it waiting
        with path.open("rb") as file:
            start = io.BytesIO(file.read(MAX_HEADER_BYTES))
            shape, in_columns, dtype = _read_header(start)
            held = os.fstat(file.fileno()).st_size - start.tell()
            claimed = math.prod(shape) * dtype.itemsize
            if claimed > held:
                raise ValueError(f"{claimed} bytes of {dtype} in shape {shape}, found {held}")
            order: Literal["F", "C"] = "F" if in_columns else "C"
            mapped = np.memmap(file, dtype, "r", start.tell(), shape, order).view(MappedRows)
            mapped.file = _OpenFile(path, os.dup(file.fileno()))
        return mapped
    except Exception as error:
        # NumPy reads the header as a Python literal and may raise nearly anything on the way:
        # ValueError, TypeError, OverflowError, SyntaxError, TokenError. Only errors of the system
        # carry a number.
        if isinstance(error, OSError) and error.errno is not None:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from None
        raise DataError(f"{path}: not a whole .npy file of numbers: {error}") from None


def _read_header(file: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Return shape, whether columns come first, and dtype."""
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"version {version} of the format, expected one of {list(_HEADERS)}")
    shape, in_columns, dtype = _HEADERS[version](file)
    if dtype.kind not in "iuf":  # what holds Python objects among them
        raise ValueError(f"it holds {dtype}")
    if min(shape, default=0) < 1:
        raise ValueError(f"it has the shape {shape}, expected sizes of at least 1")
    return shape, in_columns, dtype


class MappedRows(np.memmap):
    """A mapped array that keeps its file open, so that rows can also be read without the map.

    Attributes
    ----------
    file : _OpenFile or None
        The file that is mapped, whatever has its name by now.
    """

    file: "_OpenFile | None" = None

    def __array_finalize__(self, obj: object) -> None:
        super().__array_finalize__(obj)
        self.file = getattr(obj, "file", None)


class _OpenFile:
    """An open file, closed when the last array that reads from it is gone."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self.descriptor = path, descriptor

    def __del__(self) -> None:
        os.close(self.descriptor)


class Reading:
    """Takes stored rows for a batch, and keeps little of a mapped file in memory.

    Pages of a mapped file that were looked at count as memory of the process until it gives them
    back. Rows in order are looked at through the map, and their pages are given back now and then.
    A row that lies apart would bring its surroundings with it, hundreds of kilobytes where the
    system caches files in large pages, so such rows are read from the file one by one.

    Parameters
    ----------
    inputs : array, shape (N, ...)
        Mapped, or in memory.
    """

    def __init__(self, inputs: npt.NDArray[np.generic]) -> None:
        self.inputs = inputs
        base: object = inputs
        while isinstance(base, np.ndarray):
            base = base.base
        self._map = base if isinstance(base, mmap.mmap) else None
        self._is_array = isinstance(inputs, np.ndarray)  # or what makes rows when asked
        self._since_release = 0
        self._file: _OpenFile | None = None
        if isinstance(inputs, MappedRows) and len(inputs) and inputs[0].flags.c_contiguous:
            self._file = inputs.file if hasattr(os, "preadv") else None
            self._start = _position_in_file(inputs)

    def rows(self, rows: slice) -> npt.NDArray[np.generic]:
        """Return a view of rows that lie together."""
        taken = self.inputs[rows]
        if self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._since_release += taken.nbytes
            if self._since_release >= RELEASE_AFTER:
                self._map.madvise(mmap.MADV_DONTNEED)
                self._since_release = 0
        return taken

    def copy(
        self,
        rows: npt.NDArray[np.integer],
        out: npt.NDArray[np.generic],
        gather: Callable[..., None],
    ) -> None:
        """Copy rows that lie apart into ``out``, shape (n, ...), which is contiguous.

        Parameters
        ----------
        rows : integer array, shape (n,)
            They are known to be there.
        out : array, shape (n, ...)
        gather : callable
            Does so in memory: `handloom.data.batches.gather_rows`, or its compiled version.

        Raises
        ------
        DataError
            If the file has become shorter since it was opened.
        """
        if not self._is_array:
            out[...] = self.inputs[rows]
            return
        if self._file is None:
            gather(self.inputs, rows, out)
            return
        into, size = out.data.cast("B"), out[0].nbytes
        for place, row in enumerate(rows.tolist()):
            position = self._start + row * self.inputs.strides[0]
            part = into[place * size : (place + 1) * size]
            if os.preadv(self._file.descriptor, [part], position) < size:
                raise DataError(f"{self._file.path}: row {row} is cut off")


def _position_in_file(inputs: MappedRows) -> int:
    """Return where in the file the first row of mapped inputs, or of a view of them, begins."""
    whole: np.memmap[Any, Any] = inputs
    while isinstance(whole.base, np.memmap):
        whole = whole.base
    return whole.offset + inputs.ctypes.data - whole.ctypes.data
