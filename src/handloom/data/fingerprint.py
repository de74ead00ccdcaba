"""The fingerprint of a dataset: name, shape and checksum, to recognize it."""

import hashlib

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset

READ_AT_MOST = 1 << 28
"""The maximum bytes of inputs in a fingerprint; of larger inputs, equally spaced rows count."""

CHUNK = 1 << 22
"""The number of bytes that are hashed at once."""


def fingerprint(data: Dataset) -> dict[str, object]:
    """Return name, shape, dtype, class names and SHA-256 of a dataset, for JSON."""
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
