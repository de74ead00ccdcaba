"""Functions that exported files have beside those of the layers: weights as text, and checks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


def decode(
    text: str, shapes: Mapping[str, Mapping[str, tuple[int, ...]]], dtype: str
) -> dict[str, dict[str, npt.NDArray[Any]]]:
    """Return the arrays of each layer, from the hexadecimal digits of their bytes, in order."""
    values = np.frombuffer(bytes.fromhex(text), dtype).astype(dtype.replace("<", "="))
    weights: dict[str, dict[str, npt.NDArray[Any]]] = {}
    start = 0
    for layer, arrays in shapes.items():
        weights[layer] = {}
        for name, shape in arrays.items():
            stop = start + int(np.prod(shape))
            weights[layer][name] = values[start:stop].reshape(shape)
            start = stop
    return weights


def check_rows(rows: Any, shape: tuple[int, ...], kind: str) -> npt.NDArray[Any]:
    """Return rows as an array, after a check that it has the shape (n, *shape) and its numbers."""
    array = np.asarray(rows)
    if array.shape == shape:
        raise ValueError(f"expected rows of shape {shape}, got a single one: pass rows[None]")
    if array.shape[1:] != shape or array.ndim == 0:
        raise ValueError(f"expected rows of shape {shape}, got an array of shape {array.shape}")
    if (array.dtype == np.uint8) != (kind == "uint8") or array.dtype.kind not in "biuf":
        raise ValueError(f"expected rows of {kind}, as in the training, got {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError("expected finite numbers, got NaN or infinity")
    return array
