"""Memory-mapped datasets in ``.npy`` files, which may be larger than memory."""

import io
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from handloom.data.dataset import Dataset
from handloom.errors import DataError
from handloom.files import size_of

MAX_HEADER_BYTES = 1 << 14
"""The bytes that are read for the header; NumPy evaluates 10,000 characters at most."""

MAX_CLASSES = 1 << 16
"""The maximum number of classes without names."""

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_npy(
    inputs: str | os.PathLike[str],
    targets: str | os.PathLike[str],
    class_names: Sequence[str] | None = None,
    *,
    name: str | None = None,
) -> Dataset:
    """Open a dataset in two ``.npy`` files; the inputs are memory-mapped and read on demand.

    Parameters
    ----------
    inputs : path
        ``uint8`` images of shape (n, y, x), or floating-point features of shape (n, d).
    targets : path
        Integer classes of shape (n,).
    class_names : sequence of str, optional
        The names of the classes, counted from 0; by default the classes from the lowest to the
        highest in the file: ``"1"`` to ``"26"`` if they are counted from 1.
    name : str, optional
        The name of the dataset; by default the name of the inputs' file.

    Returns
    -------
    Dataset
        Training on it reads rows without caching them. Methods that return a new dataset
        (``split``, ``shuffled``, ``take``) copy rows into memory.

    Raises
    ------
    DataError
        If a file cannot be read, is truncated, holds Python objects, or inputs and targets do not
        match.
    """
    labels = _open(Path(targets))
    if labels.dtype.kind not in "iu":
        raise DataError(f"{targets}: targets must be integers, got {labels.dtype}")
    classes = np.array(labels, np.int64)
    if class_names is None:
        lowest = max(0, int(classes.min()))  # a Dataset refuses classes below 0
        class_names = _default_names(lowest, int(classes.max()), Path(targets))
        classes -= lowest
    stored = _open(Path(inputs))
    return Dataset(stored, classes, tuple(class_names or ()), name or Path(inputs).stem)


def _default_names(lowest: int, highest: int, path: Path) -> list[str]:
    """Return the default class names: the lowest to the highest label."""
    if highest >= MAX_CLASSES:
        raise DataError(
            f"{path}: holds the class {highest}, expected classes numbered from 0 to at most "
            f"{MAX_CLASSES - 1}; give class_names if there are more"
        )
    return [str(label) for label in range(lowest, highest + 1)]


def _open(path: Path) -> "MappedRows":
    try:
        size_of(path)  # refuses a pipe, which would block when opened
        with path.open("rb") as file:
            start = io.BytesIO(file.read(MAX_HEADER_BYTES))
            shape, in_columns, dtype = _read_header(start)
            held = os.fstat(file.fileno()).st_size - start.tell()
            claimed = math.prod(shape) * dtype.itemsize
            if claimed > held:
                raise ValueError(
                    f"expected {claimed} bytes of {dtype} in shape {shape}, got {held}"
                )
            order: Literal["F", "C"] = "F" if in_columns else "C"
            mapped = np.memmap(file, dtype, "r", start.tell(), shape, order).view(MappedRows)
            mapped.file = OpenFile(path, os.dup(file.fileno()))
        return mapped
    except Exception as error:
        # NumPy reads the header as a Python literal and may raise nearly any error: ValueError,
        # TypeError, OverflowError, SyntaxError, TokenError. Only system errors have an errno.
        if isinstance(error, OSError) and error.errno is not None:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from None
        raise DataError(f"{path}: not a complete .npy file of numbers: {error}") from None


def _read_header(file: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Return shape, whether the order is column-major, and dtype."""
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"version {version} of the format, expected one of {list(_HEADERS)}")
    shape, in_columns, dtype = _HEADERS[version](file)
    if dtype.kind not in "iuf":  # refuses Python objects, too
        raise ValueError(f"it holds {dtype}, expected integers or floating-point numbers")
    if min(shape, default=0) < 1:
        raise ValueError(f"it has the shape {shape}, expected sizes of at least 1")
    return shape, in_columns, dtype


class MappedRows(np.memmap):
    """A memory-mapped array with its file left open, so that rows can be read without the map.

    Attributes
    ----------
    file : OpenFile or None
        The mapped file, even if its path has been replaced since.
    """

    file: "OpenFile | None" = None

    def __array_finalize__(self, obj: object) -> None:
        super().__array_finalize__(obj)
        self.file = getattr(obj, "file", None)


class OpenFile:
    """An open file, closed when the last array that reads from it is deleted."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self.descriptor = path, descriptor

    def __del__(self) -> None:
        os.close(self.descriptor)
