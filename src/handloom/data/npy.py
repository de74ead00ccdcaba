"""Datasets in NumPy's own files, mapped into memory instead of read: they may be larger than it."""

import mmap
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.errors import DataError

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
        `shuffled`, `take`) copies rows into memory.

    Raises
    ------
    DataError
        If a file cannot be read, is cut off, holds Python objects, or the two do not belong
        together.
    """
    classes = np.array(_open(Path(targets)))
    if class_names is None and np.issubdtype(classes.dtype, np.integer) and classes.size:
        class_names = [str(label) for label in range(int(classes.max()) + 1)]
    stored = _open(Path(inputs))
    if np.issubdtype(classes.dtype, np.integer):
        classes = classes.astype(np.int64, copy=False)
    return Dataset(stored, classes, tuple(class_names or ()), name or Path(inputs).stem)


def _open(path: Path) -> npt.NDArray[np.generic]:
    try:
        array: npt.NDArray[np.generic] = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, SyntaxError) as error:
        raise DataError(f"{path}: not a whole .npy file of numbers: {error}") from None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: holds several arrays, expected a .npy file with one")
    return array


class Reading:
    """Keeps count of what is read from mapped inputs, and gives memory back now and then.

    The pages of a mapped file that were read count as memory of the process until it gives them
    back. They stay in the system's cache, so reading them again is cheap. Rows that lie apart bring
    their surroundings with them, which are not counted: then most of the file may be held for a
    while, as pages that the system takes back whenever it needs them.

    Parameters
    ----------
    inputs : array, shape (n, ...)
        Mapped, or in memory: then there is nothing to do.
    """

    def __init__(self, inputs: npt.NDArray[np.generic]) -> None:
        base: object = inputs
        while isinstance(base, np.ndarray):
            base = base.base
        can_release = isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED")
        self._map = base if can_release and isinstance(base, mmap.mmap) else None
        self._read = 0

    def note(self, bytes_read: int) -> None:
        """Count bytes that were read, and release all that were if they have become many."""
        if self._map is None:
            return
        self._read += bytes_read
        if self._read >= RELEASE_AFTER:
            self._map.madvise(mmap.MADV_DONTNEED)
            self._read = 0
