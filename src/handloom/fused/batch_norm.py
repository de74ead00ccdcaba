"""Compiled versions of `handloom.layers.batch_norm`.

Sums are taken over blocks of 64 rows first and then over those sums, which rounds less.
"""

from typing import Any

import numpy as np

from handloom.fused.compiling import compiled

COMPILES = "handloom.layers.batch_norm"


@compiled
def moments(x, mean, variance):  # type: ignore[no-untyped-def]
    """Write mean and variance of each column."""
    part = np.zeros_like(mean)
    mean[:] = 0
    variance[:] = 0
    for row in range(x.shape[0]):
        for k in range(x.shape[1]):
            part[k] += x[row, k]
        if row % 64 == 63:  # blockwise summation rounds less
            for k in range(x.shape[1]):
                mean[k] += part[k]
                part[k] = 0
    for k in range(x.shape[1]):
        mean[k] = (mean[k] + part[k]) / mean.dtype.type(x.shape[0])
        part[k] = 0
    for row in range(x.shape[0]):
        for k in range(x.shape[1]):
            centered = x[row, k] - mean[k]
            part[k] += centered * centered
        if row % 64 == 63:
            for k in range(x.shape[1]):
                variance[k] += part[k]
                part[k] = 0
    for k in range(x.shape[1]):
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
    part, part_of_inner_products = np.zeros_like(mean), np.zeros_like(mean)
    sums[:] = 0
    inner_products[:] = 0
    for row in range(x.shape[0]):
        for k in range(x.shape[1]):
            part[k] += dy[row, k]
            part_of_inner_products[k] += dy[row, k] * (x[row, k] - mean[k])
        if row % 64 == 63 or row == x.shape[0] - 1:
            for k in range(x.shape[1]):
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
