"""Loops over every pixel, written without a thought of speed: references for image layers."""

import numpy as np

from handloom.parameters import Array


def draw(*shape: int, seed: int = 0) -> Array:
    """Return normal draws in float64."""
    return np.random.default_rng(seed).standard_normal(shape)


def convolved(x: Array, w: Array, b: Array, stride: int, margins: tuple[int, int]) -> Array:
    """Return ``b[f] + sum x W`` for every entry of the window, one at a time.

    ``x``: (n, c, y, x); ``w``: (k, k, c, f); zeros go ``margins[0]`` before and ``margins[1]``
    after each side.
    """
    k, _, channels, filters = w.shape
    before, after = margins
    n, _, height, width = x.shape
    down = (height + before + after - k) // stride + 1
    across = (width + before + after - k) // stride + 1
    y = np.zeros((n, filters, down, across))
    for row, f, u, v in np.ndindex(y.shape):
        total = b[f]
        for i, j, c in np.ndindex(k, k, channels):
            p, q = u * stride + i - before, v * stride + j - before
            if 0 <= p < height and 0 <= q < width:
                total += x[row, c, p, q] * w[i, j, c, f]
        y[row, f, u, v] = total
    return y


def pooled(x: Array, size: int, stride: int, largest: bool) -> Array:
    """Return the largest number, or the mean, of every window."""
    n, c, height, width = x.shape
    y = np.zeros((n, c, (height - size) // stride + 1, (width - size) // stride + 1))
    for row, channel, u, v in np.ndindex(y.shape):
        window = [
            x[row, channel, u * stride + i, v * stride + j]
            for i in range(size)
            for j in range(size)
        ]
        y[row, channel, u, v] = max(window) if largest else sum(window) / len(window)
    return y


def normalized(x: Array, epsilon: float = 1e-5) -> Array:
    """Return ``x`` with mean zero and variance one."""
    mean = sum(x.reshape(-1)) / x.size
    variance = sum((x.reshape(-1) - mean) ** 2) / x.size
    return np.asarray((x - mean) / (variance + epsilon) ** 0.5)
