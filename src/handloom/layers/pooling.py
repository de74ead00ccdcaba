"""Pooling: each window of an image becomes one pixel, channel by channel."""

from __future__ import annotations  # numpy.random is loaded when it is used

from abc import abstractmethod

import numpy as np

from handloom.backend import Backend
from handloom.errors import ModelError, require_count
from handloom.layers.base import Layer
from handloom.layers.windows import Windows, channels_last, window_steps
from handloom.parameters import Array


class Pool2D(Layer):
    """What the two kinds of pooling have in common.

    Parameters
    ----------
    size : int
        The side of a window, ``k``.
    stride : int, optional
        How many pixels windows stand apart; by default ``k``, so that they do not overlap. What is
        left over at the right and below is not looked at.

    Raises
    ------
    ConfigurationError
        If a size means nothing.
    """

    def __init__(self, size: int, *, stride: int | None = None) -> None:
        super().__init__()
        self.size = require_count("size", size)
        self.stride = self.size if stride is None else require_count("stride", stride)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``(c, rows, columns)``: a pixel for every place of the window.

        Raises
        ------
        ModelError
            If an input row is no image, or smaller than a window.
        """
        windows = self._windows(input_shape)
        return (windows.channels, windows.rows, windows.columns)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {"size": self.size, "stride": self.stride}

    def forward(
        self,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Pool images (n, c, y, x) to shape (n, c, rows, columns).

        Raises
        ------
        ModelError
            If ``x`` is not made of images, or they are smaller than a window.
        """
        if x.ndim != 4:
            raise ModelError(f"{self.kind}: expected images (n, c, y, x), got shape {x.shape}")
        y = self._buffer("y", (len(x), *self.output_shape(x.shape[1:])), x.dtype)
        self.pool_windows(channels_last(x), out=channels_last(y))
        self._remember(x, training)
        if training:
            self._pooled = y
        return y

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Hand ``dy`` back to the pixels that made the output."""
        if not need_dx:
            return None
        x = self._recall()
        dx = self._buffer("dx", x.shape, x.dtype)
        self.pool_backward(channels_last(x), channels_last(dy), out=channels_last(dx))
        return dx

    @abstractmethod
    def pool_windows(self, x: Array, out: Array) -> None:
        """Pool ``x``, shape (n, y, x, c), into ``out``, shape (n, rows, columns, c)."""

    @abstractmethod
    def pool_backward(self, x: Array, dy: Array, out: Array) -> None:
        """Write ``dx``; shapes as in `pool_windows`."""

    def _windows(self, shape: tuple[int, ...]) -> Windows:
        return Windows.over(self.kind, shape, self.size, self.stride, "valid")


class MaxPool2D(Pool2D):
    """Keeps the largest number of each window.

    Forward and, given ``dy``, backward, with ``s`` the stride and ``i``, ``j`` from 0 to ``k - 1``,
    for every row and channel::

        y[u, v]  = max over i, j of x[s u + i, s v + j]
        dx[p, q] = sum of dy[u, v] over the windows whose maximum stands at (p, q)

    Where a window has its maximum several times, the first place counts, line by line. ``x`` and
    ``dx`` have shape ``(n, c, y, x)``, ``y`` and ``dy`` shape
    ``(n, c, (y - k) // s + 1, (x - k) // s + 1)``.

    Parameters
    ----------
    size : int
        The side of a window, ``k``.
    stride : int, optional
        How many pixels windows stand apart; by default ``k``.

    Raises
    ------
    ConfigurationError
        If a size means nothing.

    References
    ----------
    Ranzato, Huang, Boureau, LeCun, "Unsupervised Learning of Invariant Feature Hierarchies", CVPR
    2007.
    """

    kind = "max_pool2d"

    def pool_windows(self, x: Array, out: Array) -> None:
        """Write the maxima."""
        self._max_pool(x, self.size, self.stride, out)

    def pool_backward(self, x: Array, dy: Array, out: Array) -> None:
        """Write ``dx``."""
        y = channels_last(self._pooled)
        self._max_pool_backward(x, y, dy, self.size, self.stride, out)

    def fetch(self, backend: Backend) -> None:
        """Take the backend's versions of both functions."""
        self._max_pool = backend.fetch(max_pool)
        self._max_pool_backward = backend.fetch(max_pool_backward)


def max_pool(x: Array, size: int, stride: int, out: Array) -> None:
    """Write the maximum of each window and channel; a NaN stays one.

    Parameters
    ----------
    x : array, shape (n, y, x, c)
    size, stride : int
        The side of a window, and how far apart windows are.
    out : array, shape (n, rows, columns, c)
    """
    first, *others = window_steps(size, stride, *out.shape[1:3])
    np.copyto(out, x[first])
    for step in others:
        np.maximum(out, x[step], out=out)


def max_pool_backward(x: Array, y: Array, dy: Array, size: int, stride: int, out: Array) -> None:
    """Write ``dy`` where each maximum ``y`` of ``x`` came from, the first place of several.

    Parameters
    ----------
    x : array, shape (n, y, x, c)
    y, dy : array, shape (n, rows, columns, c)
    size, stride : int
        As in `max_pool`.
    out : array, shape (n, y, x, c)
        Takes the sum over all windows that an entry belongs to.
    """
    out.fill(0.0)
    free = np.ones(y.shape, np.bool_)  # windows whose maximum has not been found yet
    for step in window_steps(size, stride, *y.shape[1:3]):
        here = (x[step] == y) & free
        free ^= here
        out[step] += dy * here


class AveragePool2D(Pool2D):
    """Takes the mean of each window.

    Forward and, given ``dy``, backward, with ``s`` the stride and ``i``, ``j`` from 0 to ``k - 1``,
    for every row and channel::

        y[u, v]  = sum over i, j of x[s u + i, s v + j] / k^2
        dx[p, q] = sum of dy[u, v] / k^2 over the windows that hold (p, q)

    Shapes are those of `MaxPool2D`. A window as large as the image leaves one number a channel.

    Parameters
    ----------
    size : int
        The side of a window, ``k``.
    stride : int, optional
        How many pixels windows stand apart; by default ``k``.

    Raises
    ------
    ConfigurationError
        If a size means nothing.

    References
    ----------
    LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition",
    Proceedings of the IEEE 86, 1998.
    """

    kind = "average_pool2d"

    def pool_windows(self, x: Array, out: Array) -> None:
        """Write the means."""
        out.fill(0.0)
        for step in self._windows_of(x).steps():
            out += x[step]
        out *= 1.0 / self.size**2

    def pool_backward(self, x: Array, dy: Array, out: Array) -> None:
        """Write ``dx``."""
        share = dy * (1.0 / self.size**2)
        out.fill(0.0)
        for step in self._windows_of(x).steps():
            out[step] += share

    def _windows_of(self, x: Array) -> Windows:
        return self._windows((x.shape[3], *x.shape[1:3]))
