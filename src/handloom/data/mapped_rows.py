"""Memory-mapped arrays, and `MappedRows`, whose file is left open to read rows without the map."""

import os
from pathlib import Path

import numpy as np


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


def is_mapped(array: object) -> bool:
    """Return whether an array is memory-mapped; a copy of a mapped array is not."""
    return isinstance(array, np.memmap) and getattr(array, "_mmap", None) is not None
