"""Compiled versions of `handloom.layers.batch_norm`.

Sums are taken over blocks of 64 rows first and then over those sums, which rounds less.
"""

from typing import Any

import numpy as np

from handloom.fused.compiling import compiled, compiled_inner

COMPILES = "handloom.layers.batch_norm"


@compiled
def moments(x, mean, variance):  # type: ignore[no-untyped-def]
    """Write mean and variance of each column."""
    _column_moments(x, 0, mean, variance, np.empty_like(mean))


@compiled_inner
def _column_moments(x, first, mean, variance, part):  # type: ignore[no-untyped-def]
    """Write mean and variance of the columns of ``x``, shape (n, h), from ``first`` on.

    The other arrays have shape (columns,); ``part`` is scratch memory.
    """
    last = first + len(mean)
    part[:] = 0
    mean[:] = 0
    variance[:] = 0
    for row in range(x.shape[0]):
        line = x[row, first:last]
        for k in range(len(mean)):
            part[k] += line[k]
        if row % 64 == 63:  # blockwise summation rounds less
            for k in range(len(mean)):
                mean[k] += part[k]
                part[k] = 0
    for k in range(len(mean)):
        mean[k] = (mean[k] + part[k]) / mean.dtype.type(x.shape[0])
        part[k] = 0
    for row in range(x.shape[0]):
        line = x[row, first:last]
        for k in range(len(mean)):
            centered = line[k] - mean[k]
            part[k] += centered * centered
        if row % 64 == 63:
            for k in range(len(mean)):
                variance[k] += part[k]
                part[k] = 0
    for k in range(len(mean)):
        variance[k] = (variance[k] + part[k]) / mean.dtype.type(x.shape[0])


@compiled
def standardize(x, mean, factor, shift, out):  # type: ignore[no-untyped-def]
    """Write ``(x - mean) factor + shift``, column by column."""
    for row in range(x.shape[0]):
        for k in range(x.shape[1]):
            out[row, k] = (x[row, k] - mean[k]) * factor[k] + shift[k]


@compiled
def standardize_sums(x, dy, mean, sums, inner_products):  # type: ignore[no-untyped-def]
    """Write the sums over rows of ``dy`` and of ``dy (x - mean)``."""
    parts = np.empty((2, len(mean)), mean.dtype)
    _column_products(x, dy, 0, mean, sums, inner_products, parts[0], parts[1])


@compiled_inner
def _column_products(  # type: ignore[no-untyped-def]
    x, dy, first, mean, sums, inner_products, part, part_of_inner_products
):
    """Write the sums of `standardize_sums` for the columns from ``first`` on.

    ``x`` and ``dy`` have shape (n, h), the other arrays (columns,);
    the last two are scratch memory.
    """
    last = first + len(mean)
    part[:] = 0
    part_of_inner_products[:] = 0
    sums[:] = 0
    inner_products[:] = 0
    for row in range(x.shape[0]):
        line, slopes = x[row, first:last], dy[row, first:last]
        for k in range(len(mean)):
            part[k] += slopes[k]
            part_of_inner_products[k] += slopes[k] * (line[k] - mean[k])
        if row % 64 == 63 or row == x.shape[0] - 1:
            for k in range(len(mean)):
                sums[k] += part[k]
                inner_products[k] += part_of_inner_products[k]
                part[k] = 0
                part_of_inner_products[k] = 0


@compiled
def standardize_backward(x, dy, mean, a, b, e, out):  # type: ignore[no-untyped-def]
    """Write ``a dy - b (x - mean) - e``, column by column."""
    for row in range(x.shape[0]):
        for k in range(x.shape[1]):
            out[row, k] = a[k] * dy[row, k] - b[k] * (x[row, k] - mean[k]) - e[k]


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the functions compiled for a dtype."""
    x, (a, b, c, d) = np.zeros((2, 2), dtype), np.zeros((4, 2), dtype)
    moments(x, a, b)
    standardize(x, a, b, c, x.copy())
    standardize_sums(x, x, a, b, c)
    standardize_backward(x, x, a, b, c, d, x.copy())
