"""Compiled versions of `handloom.reductions`."""

from typing import Any

import numpy as np

from handloom.fused.compiling import compiled

COMPILES = "handloom.reductions"


@compiled
def column_sums(dy, out):  # type: ignore[no-untyped-def]
    """Write the sum of each column of ``dy``."""
    out[:] = 0
    for row in range(dy.shape[0]):
        for column in range(dy.shape[1]):
            out[column] += dy[row, column]


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the functions compiled for a dtype."""
    column_sums(np.zeros((2, 2), dtype), np.zeros(2, dtype))
