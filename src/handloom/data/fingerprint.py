"""A dataset's fingerprint: enough to know it again, without keeping it."""

import hashlib

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset

READ_AT_MOST = 1 << 28
"""Bytes of inputs that go into a fingerprint; of larger ones, rows at even distances do."""

CHUNK = 1 << 22
"""Bytes that are looked at at once."""


def fingerprint(data: Dataset) -> dict[str, object]:
    """Return name, size and checksum of a dataset, as JSON can hold them."""
    digest = hashlib.sha256(np.ascontiguousarray(data.targets).data)
    stride = max(1, -(-data.inputs.nbytes // READ_AT_MOST))
    at_once = max(1, CHUNK * len(data) // max(1, data.inputs.nbytes)) * stride
    for start in range(0, len(data), at_once):
        rows = data.inputs[start : start + at_once : stride]
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
