"""Compiled versions of `handloom.layers.pooling`."""

import math
from typing import Any

import numpy as np

from handloom.fused.compiling import compiled
from handloom.operations import Array

COMPILES = "handloom.layers.pooling"


def max_pool(x: Array, size: int, stride: int, out: Array) -> None:
    """Write the maximum of each window and channel; a NaN stays one."""
    if (size, stride) == (2, 2):
        _max_pool_pairs(x, out)
    else:
        _max_pool(x, size, stride, out)


def max_pool_backward(x: Array, y: Array, dy: Array, size: int, stride: int, out: Array) -> None:
    """Write ``dy`` where each maximum came from, the first entry of several equal ones."""
    if (size, stride) == (2, 2):
        _max_pool_pairs_backward(x, y, dy, out)
    else:
        _max_pool_backward(x, y, dy, size, stride, out)


@compiled
def _max_pool(x, size, stride, out):  # type: ignore[no-untyped-def]
    for n in range(out.shape[0]):
        for row in range(out.shape[1]):
            for column in range(out.shape[2]):
                y = out[n, row, column]
                y[:] = x[n, row * stride, column * stride]
                for i in range(size):
                    for j in range(size):
                        seen = x[n, row * stride + i, column * stride + j]
                        for k in range(len(y)):
                            y[k] = y[k] if seen[k] <= y[k] or y[k] != y[k] else seen[k]


@compiled
def _max_pool_backward(x, y, dy, size, stride, out):  # type: ignore[no-untyped-def]
    out[:] = 0
    free = np.empty(y.shape[3], y.dtype)  # 1 until the maximum is found, then 0
    for n in range(y.shape[0]):
        for row in range(y.shape[1]):
            for column in range(y.shape[2]):
                highest, slope = y[n, row, column], dy[n, row, column]
                free[:] = 1
                for i in range(size):
                    for j in range(size):
                        seen = x[n, row * stride + i, column * stride + j]
                        dx = out[n, row * stride + i, column * stride + j]
                        for k in range(len(seen)):
                            here = free[k] if seen[k] == highest[k] else free.dtype.type(0)
                            dx[k] += here * slope[k]
                            free[k] -= here


@compiled
def _max_pool_pairs(x, out):  # type: ignore[no-untyped-def]
    """Compute `_max_pool` for adjacent windows of 2 x 2, in one pass."""
    for n in range(out.shape[0]):
        for row in range(out.shape[1]):
            for column in range(out.shape[2]):
                y, i, j = out[n, row, column], 2 * row, 2 * column
                x00, x01 = x[n, i, j], x[n, i, j + 1]
                x10, x11 = x[n, i + 1, j], x[n, i + 1, j + 1]
                for k in range(len(y)):
                    upper = x00[k] if x01[k] <= x00[k] or math.isnan(x00[k]) else x01[k]
                    lower = x10[k] if x11[k] <= x10[k] or math.isnan(x10[k]) else x11[k]
                    y[k] = upper if lower <= upper or math.isnan(upper) else lower


@compiled
def _max_pool_pairs_backward(x, y, dy, out):  # type: ignore[no-untyped-def]
    """Compute `_max_pool_backward` for adjacent windows of 2 x 2, in one pass."""
    zero = y.dtype.type(0)
    if out.shape[1] > 2 * y.shape[1] or out.shape[2] > 2 * y.shape[2]:
        out[:] = 0
    for n in range(y.shape[0]):
        for row in range(y.shape[1]):
            for column in range(y.shape[2]):
                highest, slope, i, j = y[n, row, column], dy[n, row, column], 2 * row, 2 * column
                x00, x01, x10 = x[n, i, j], x[n, i, j + 1], x[n, i + 1, j]
                x11 = x[n, i + 1, j + 1]
                dx00, dx01 = out[n, i, j], out[n, i, j + 1]
                dx10, dx11 = out[n, i + 1, j], out[n, i + 1, j + 1]
                for k in range(len(slope)):
                    h, left = highest[k], slope[k]  # the slope left for the entries that follow
                    dx00[k] = left if x00[k] == h else zero
                    left = zero if x00[k] == h else left
                    dx01[k] = left if x01[k] == h else zero
                    left = zero if x01[k] == h else left
                    dx10[k] = left if x10[k] == h else zero
                    left = zero if x10[k] == h else left
                    dx11[k] = left if x11[k] == h else zero


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the functions compiled for a dtype."""
    x, y = np.zeros((1, 4, 4, 2), dtype), np.zeros((1, 2, 2, 2), dtype)
    for stride in (1, 2):
        max_pool(x, 2, stride, y)
        max_pool_backward(x, y, y, 2, stride, x.copy())
