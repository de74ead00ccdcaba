"""Compiled versions of `handloom.data.transforms`."""

from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.fused.compiling import compiled
from handloom.operations import Array

COMPILES = "handloom.data.transforms"

COMPILED_DTYPES = (np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float64))
"""Stored dtypes with a compiled version; others are converted first."""


def scale_rows(inputs: npt.NDArray[np.generic], shift: float, divisor: float, out: Array) -> None:
    """Write ``(inputs - shift) / divisor``, in the dtype of ``out``."""
    real = out.dtype.type
    if inputs.dtype not in COMPILED_DTYPES:
        inputs = inputs.astype(out.dtype)
    result = out if out.flags.c_contiguous else np.empty(out.shape, out.dtype)
    flat = np.ascontiguousarray(inputs).reshape(-1)
    _scale(flat, real(shift), real(1.0 / divisor), result.reshape(-1))
    if result is not out:
        np.copyto(out, result)


@compiled
def _scale(inputs, shift, factor, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        out[i] = (out.dtype.type(inputs[i]) - shift) * factor


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the functions compiled for bytes, and for rows of a dtype."""
    for stored in (np.dtype(np.uint8), dtype):
        scale_rows(np.zeros((2, 2), stored), 0.0, 1.0, np.zeros((2, 2), dtype))
