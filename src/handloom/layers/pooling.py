"""Pooling: each window of an image becomes one pixel, channel by channel."""

from __future__ import annotations  # so that naming np.random.Generator does not load it

from abc import abstractmethod

import numpy as np

from handloom.backend import Backend
from handloom.errors import ModelError, require_count
from handloom.layers.base import Layer
from handloom.layers.windows import Windows, channels_last, window_steps
from handloom.parameters import Array


class Pool2D(Layer):
    """What the two kinds of pooling have in common: square windows on images, without padding.

    Parameters
    ----------
    size : int
        The side of a window, ``k``.
    stride : int, optional
        How many pixels windows stand apart; by default ``k``, so that they do not overlap. Pixels
        that no window covers, at the right, below or between windows, do not count: their ``dx`` is
        zero.

    Raises
    ------
    ConfigurationError
        If ``size`` or ``stride`` is no whole number of at least 1.
    """

    def __init__(self, size: int, *, stride: int | None = None) -> None:
        super().__init__()
        self.size = require_count("size", size)
        self.stride = self.size if stride is None else require_count("stride", stride)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``(c, rows, columns)``: a pixel for every window on an image ``(c, y, x)``.

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

        A training pass keeps ``x`` and the result by reference; neither may change before
        `backward`. ``rng`` is for layers that draw.

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
        """Return ``dx``, the gradient of the pixels; None if it is not needed.

        Parameters
        ----------
        dy : array, shape (n, c, rows, columns)
        need_dx : bool
            False where no layer before this one learns.

        Returns
        -------
        dx : array, shape (n, c, y, x), or None

        Raises
        ------
        ModelError
            If there was no training pass.
        """
        if not need_dx:
            return None
        x = self._recall()
        dx = self._buffer("dx", x.shape, x.dtype)
        self.pool_backward(channels_last(x), channels_last(dy), out=channels_last(dx))
        return dx

    @abstractmethod
    def pool_windows(self, x: Array, out: Array) -> None:
        """Pool ``x``, shape (n, y, x, c), and overwrite ``out``, shape (n, rows, columns, c).

        Both are views of the images with the channels as the last axis.
        """

    @abstractmethod
    def pool_backward(self, x: Array, dy: Array, out: Array) -> None:
        """Overwrite ``out`` with ``dx``.

        ``x`` and ``out`` have shape (n, y, x, c), ``dy`` shape (n, rows, columns, c).
        """

    def _windows(self, shape: tuple[int, ...]) -> Windows:
        return Windows.over(self.kind, shape, self.size, self.stride, "valid")


class MaxPool2D(Pool2D):
    """Keeps the largest number of each window.

    Forward and, given ``dy``, backward, for every image and channel, with ``s`` the stride and
    ``i``, ``j`` from 0 to ``k - 1``::

        y[u, v]  = max over i, j of x[s u + i, s v + j]
        dx[p, q] = sum of dy[u, v] over the windows (u, v) whose first maximum is x[p, q]

    The first of equal ones is the first line by line. A window that holds a NaN gives NaN, and its
    ``dy`` goes nowhere. ``dy`` is finite. ``x`` and
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
        If ``size`` or ``stride`` is no whole number of at least 1.

    References
    ----------
    Ranzato, Huang, Boureau, LeCun, "Unsupervised Learning of Invariant Feature Hierarchies", CVPR
    2007.
    """

    kind = "max_pool2d"

    def pool_windows(self, x: Array, out: Array) -> None:
        """Overwrite ``out`` with the maxima."""
        self._max_pool(x, self.size, self.stride, out)

    def pool_backward(self, x: Array, dy: Array, out: Array) -> None:
        """Overwrite ``out`` with ``dx``; maxima are found by comparing them with ``x``."""
        y = channels_last(self._pooled)
        self._max_pool_backward(x, y, dy, self.size, self.stride, out)

    def use(self, backend: Backend) -> None:
        """Take the backend's versions of `max_pool` and `max_pool_backward`; at first NumPy's."""
        self._max_pool = backend.fetch(max_pool)
        self._max_pool_backward = backend.fetch(max_pool_backward)


def max_pool(x: Array, size: int, stride: int, out: Array) -> None:
    """Overwrite ``out`` with the maximum of each window and channel, NaN where a window holds one.

    Parameters
    ----------
    x : array, shape (n, y, x, c)
    size, stride : int
        The side of a window, and how far apart windows are.
    out : array, shape (n, rows, columns, c)
    """
    rows, columns = out.shape[1:3]
    # for each entry of a window, line by line: the index of that entry of all windows at once
    first, *others = window_steps(size, stride, rows, columns)
    np.copyto(out, x[first])
    for entry in others:
        np.maximum(out, x[entry], out=out)


def max_pool_backward(x: Array, y: Array, dy: Array, size: int, stride: int, out: Array) -> None:
    """Add up ``dy`` where each maximum ``y`` of ``x`` came from, the first of equal ones.

    Parameters
    ----------
    x : array, shape (n, y, x, c)
    y, dy : array, shape (n, rows, columns, c)
        The maxima, entries of ``x`` to the bit, and their gradient, which is finite.
    size, stride : int
        As in `max_pool`.
    out : array, shape (n, y, x, c)
        Overwritten: for each entry, the sum over the windows whose first maximum it is.
    """
    out.fill(0.0)
    rows, columns = y.shape[1:3]
    open_windows = np.ones(y.shape, np.bool_)  # those whose maximum has not been found yet
    for entry in window_steps(size, stride, rows, columns):
        found = (x[entry] == y) & open_windows
        open_windows &= ~found
        out[entry] += dy * found  # the same entry of two windows is never the same pixel


class AveragePool2D(Pool2D):
    """Takes the mean of each window.

    Forward and, given ``dy``, backward, with ``s`` the stride and ``i``, ``j`` from 0 to ``k - 1``,
    for every image and channel::

        y[u, v]  = sum over i, j of x[s u + i, s v + j] / k^2
        dx[p, q] = sum of dy[u, v] / k^2 over the windows that hold (p, q)

    Shapes are those of `MaxPool2D`. A window as large as a square image leaves one number for each
    channel.

    Parameters
    ----------
    size : int
        The side of a window, ``k``.
    stride : int, optional
        How many pixels windows stand apart; by default ``k``.

    Raises
    ------
    ConfigurationError
        If ``size`` or ``stride`` is no whole number of at least 1.

    References
    ----------
    LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition",
    Proceedings of the IEEE 86, 1998.
    """

    kind = "average_pool2d"

    def pool_windows(self, x: Array, out: Array) -> None:
        """Overwrite ``out`` with the means."""
        out.fill(0.0)
        for entry in window_steps(self.size, self.stride, *out.shape[1:3]):
            out += x[entry]
        out *= 1.0 / self.size**2

    def pool_backward(self, x: Array, dy: Array, out: Array) -> None:
        """Overwrite ``out`` with ``dx``."""
        share = dy * (1.0 / self.size**2)
        out.fill(0.0)
        for entry in window_steps(self.size, self.stride, *dy.shape[1:3]):
            out[entry] += share
