"""Sums and maxima along the rows and columns of a matrix, in the forms that NumPy does quickest."""

from functools import lru_cache

import numpy as np

from handloom.operations import Array


def sum_rows(dy: Array, out: Array) -> None:
    """Write the sum of the rows of ``dy``, shape (n, h), into ``out``, shape (h,)."""
    np.matmul(_ones(len(dy), dy.dtype), dy, out=out)  # quicker than a sum along an axis


def row_maxima(x: Array) -> Array:
    """Return the largest entry of each row of ``x``, shape (n, k), as shape (n, 1).

    Rows are short; NumPy is several times quicker along the long axis of a transposed copy.
    """
    maxima: Array = np.maximum.reduce(np.ascontiguousarray(x.T), axis=0)
    return maxima[:, None]


def row_sums(x: Array) -> Array:
    """Return the sum of each row of ``x``, shape (n, k), as shape (n, 1): a product is quicker."""
    sums: Array = np.matmul(x, _ones(x.shape[1], x.dtype).reshape(-1, 1))
    return sums


@lru_cache(maxsize=16)  # a training asks for the same few lengths at every step
def _ones(length: int, dtype: np.dtype[np.floating]) -> Array:
    """Return ones to sum with, shape (length,), which are shared and not writable."""
    ones: Array = np.ones(length, dtype)
    ones.flags.writeable = False
    return ones
