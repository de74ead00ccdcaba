"""Fast sums and maxima over the rows and columns of a matrix in NumPy."""

from functools import lru_cache

import numpy as np

from handloom.operations import Array


def column_sums(dy: Array, out: Array) -> None:
    """Write the sum of each column of ``dy``, shape (n, h), into ``out``, shape (h,)."""
    np.matmul(_ones(len(dy), dy.dtype), dy, out=out)  # faster than a sum along an axis


def row_maxima(x: Array) -> Array:
    """Return the largest entry of each row of ``x``, shape (n, k), as shape (n, 1).

    Rows are short; NumPy is several times faster along the long axis of a transposed copy.
    """
    maxima: Array = np.maximum.reduce(np.ascontiguousarray(x.T), axis=0)
    return maxima[:, None]


def row_sums(x: Array) -> Array:
    """Return the sum of each row of ``x``, shape (n, k), as shape (n, 1), by a matrix product."""
    sums: Array = np.matmul(x, _ones(x.shape[1], x.dtype).reshape(-1, 1))
    return sums


@lru_cache(maxsize=16)  # a training uses the same few sizes at every step
def _ones(size: int, dtype: np.dtype[np.floating]) -> Array:
    """Return an array of ones, shape (size,), shared and not writable."""
    ones: Array = np.ones(size, dtype)
    ones.flags.writeable = False
    return ones
