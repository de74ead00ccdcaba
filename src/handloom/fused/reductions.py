"""Compiled versions of `handloom.reductions`."""

from typing import Any

import numpy as np

from handloom.fused.compiling import compiled

COMPILES = "handloom.reductions"


@compiled
def column_sums(dy, out):  # type: ignore[no-untyped-def]
    """Write the sum of each column of ``dy``, four rows at a time."""
    out[:] = 0
    n = len(dy)
    for row in range(0, n - 3, 4):
        a, b, c, d = dy[row], dy[row + 1], dy[row + 2], dy[row + 3]
        for i in range(len(out)):
            out[i] += (a[i] + b[i]) + (c[i] + d[i])
    for row in range(n - n % 4, n):
        a = dy[row]
        for i in range(len(out)):
            out[i] += a[i]


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the functions compiled for a dtype."""
    column_sums(np.zeros((2, 2), dtype), np.zeros(2, dtype))
