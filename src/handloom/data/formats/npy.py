"""Memory-mapped datasets in ``.npy`` files, which may be larger than memory."""

import io
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.data.formats.class_names import number_classes
from handloom.data.formats.joined_rows import JoinedRows
from handloom.data.formats.npy_names import Paths, files_of
from handloom.data.mapped_rows import MappedRows, OpenFile
from handloom.errors import DataError
from handloom.files import size_of

MAX_HEADER_BYTES = 1 << 14
"""The bytes that are read for the header; NumPy evaluates 10,000 characters at most."""

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_npy(
    inputs: Paths,
    targets: Paths,
    class_names: Sequence[str] | None = None,
    *,
    name: str | None = None,
) -> Dataset:
    """Open a dataset in ``.npy`` files; the inputs are memory-mapped and read on demand.

    Inputs, and targets, are in one file, or in several whose rows follow one another: in the order
    of a sequence of paths, or sorted by name if a pattern names them, such as ``"train-*.npy"``;
    ``train-2.npy`` is before ``train-10.npy``.

    Parameters
    ----------
    inputs : path, pattern or sequence of path
        ``uint8`` images of shape (n, y, x), or floating-point features of shape (n, d).
    targets : path, pattern or sequence of path
        Integer classes of shape (n,).
    class_names : sequence of str, optional
        The names of the classes, counted from 0; by default the classes from the lowest to the
        highest in the files: ``"1"`` to ``"26"`` if they are counted from 1.
    name : str, optional
        The name of the dataset; by default the name of the inputs' file, or that of the folder of
        several.

    Returns
    -------
    Dataset
        Training on it reads rows without caching them, also after ``split``, ``shuffled`` and
        ``take``. Its inputs are a memory-mapped array, or of several files and of some of the rows
        an object that reads rows when it is indexed: ``inputs[:]`` is an array of all of them.

    Raises
    ------
    DataError
        If a file cannot be read, is truncated, holds Python objects, or differs from the first in
        the shape of its rows or in dtype, if no file matches a pattern, or inputs and targets do
        not match.
    """
    rows, labels = open_files(files_of(inputs)), open_files(files_of(targets))
    classes = read_classes(labels)
    if class_names is None:
        first, class_names = number_classes({path_of(labels[0]): classes}, None)
        classes -= first
    require_same_rows(rows, labels)
    path = path_of(rows[0])
    default = path.stem if len(rows) == 1 else path.resolve().parent.name
    return Dataset(join_rows(rows), classes, tuple(class_names), name or default)


def open_files(paths: Sequence[Path]) -> list[MappedRows]:
    """Map ``.npy`` files whose rows have one shape and dtype.

    Raises
    ------
    DataError
        If one is invalid, or differs from the first.
    """
    arrays = [_open(path) for path in paths]
    first = arrays[0]
    for path, array in zip(paths, arrays, strict=True):
        if array.shape[1:] != first.shape[1:]:
            raise DataError(
                f"{path}: holds rows of shape {array.shape[1:]}, expected {first.shape[1:]}, as in "
                f"{paths[0].name}"
            )
        if array.dtype != first.dtype:
            raise DataError(
                f"{path}: holds {array.dtype}, expected {first.dtype}, as in {paths[0].name}"
            )
    return arrays


def read_classes(labels: Sequence[MappedRows]) -> npt.NDArray[np.int64]:
    """Return the classes in files of targets as one array, shape (n,).

    Raises
    ------
    DataError
        If they are not integers.
    """
    if labels[0].dtype.kind not in "iu":
        raise DataError(f"{path_of(labels[0])}: targets must be integers, got {labels[0].dtype}")
    return np.concatenate(labels, dtype=np.int64, casting="unsafe")


def require_same_rows(inputs: Sequence[MappedRows], labels: Sequence[MappedRows]) -> None:
    """Check that files of inputs and of targets have as many rows.

    Raises
    ------
    DataError
        If they have not: in a pair of files, if there are as many files of either, or in all.
    """
    pairs = [(inputs, labels)]
    if len(inputs) == len(labels):
        pairs = [([rows], [classes]) for rows, classes in zip(inputs, labels, strict=True)]
    for rows, classes in pairs:
        expected, count = sum(map(len, rows)), sum(map(len, classes))
        if count != expected:
            raise DataError(
                f"inputs and targets must have one row each per sample, got {expected} rows in "
                f"{_listed(rows)} and {count} in {_listed(classes)}"
            )


def join_rows(files: Sequence[MappedRows]) -> npt.NDArray[Any]:
    """Return the rows of mapped files: the array of a single one, else `JoinedRows`."""
    return files[0] if len(files) == 1 else JoinedRows(files)  # type: ignore[return-value]


def path_of(rows: MappedRows) -> Path:
    """Return the path of the file of mapped rows."""
    assert rows.file is not None  # those of `open_files` have one
    return rows.file.path


def _listed(files: Sequence[MappedRows]) -> str:
    """Return the path of a file, or the number of several with the first and the last."""
    if len(files) == 1:
        return str(path_of(files[0]))
    return f"{len(files)} files, {path_of(files[0])} to {path_of(files[-1]).name},"


def _open(path: Path) -> MappedRows:
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
