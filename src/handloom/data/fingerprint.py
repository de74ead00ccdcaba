"""The fingerprint of a dataset: name, shape and checksum, to recognize it."""

import hashlib

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.data.row_reader import RowReader

CHUNK = 1 << 22
"""The number of bytes that are hashed at once."""


def fingerprint(data: Dataset) -> dict[str, object]:
    """Return name, shape, dtype, class names and SHA-256 of all rows of a dataset, for JSON.

    Rows of a mapped file, and rows that are loaded on demand, are read a few at a time.
    """
    digest = hashlib.sha256(np.ascontiguousarray(data.targets).data)
    at_once = max(1, CHUNK * len(data) // max(1, data.inputs.nbytes))
    reader = RowReader(data.inputs)
    for start in range(0, len(data), at_once):
        rows = reader.rows(slice(start, start + at_once))
        digest.update(np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data)
    return {
        "name": data.name,
        "rows": len(data),
        "row_shape": list(data.input_shape),
        "dtype": str(data.inputs.dtype),
        "class_names": list(data.class_names),
        "sha256": digest.hexdigest(),
    }


def checksum(array: npt.NDArray[np.generic]) -> str:
    """Return the SHA-256 of an array's values."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
