"""Max pooling and average pooling: each window of an image becomes one pixel, per channel."""

from __future__ import annotations  # so that naming np.random.Generator does not load it

from abc import abstractmethod

import numpy as np

from handloom.backend import Backend
from handloom.errors import ModelError, require_count
from handloom.layers.base import Layer
from handloom.layers.windows import Windows, channels_last, window_steps
from handloom.parameters import Array


class Pool2D(Layer):
    """Base class of the pooling layers: square windows on images, without padding.

    Parameters
    ----------
    size : int
        The side of a window, ``K``.
    stride : int, optional
        The distance between windows in pixels; by default ``K``, so that they do not overlap.
        Pixels that no window covers, at the right, below or between windows, are ignored: their
        ``dx`` is zero.

    Raises
    ------
    ConfigurationError
        If ``size`` or ``stride`` is not a whole number of at least 1.
    """

    takes_images = True

    def __init__(self, size: int, *, stride: int | None = None) -> None:
        super().__init__()
        self.size = require_count("size", size)
        self.stride = self.size if stride is None else require_count("stride", stride)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``(c, rows, columns)``: a pixel for every window on an image ``(c, y, x)``.

        Raises
        ------
        ModelError
            If an input row is not an image, or smaller than a window.
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
            If ``x`` is not an array of images, or they are smaller than a window.
        """
        if x.ndim != 4:
            raise ModelError(f"{self.kind}: expected images (n, c, y, x), got shape {x.shape}")
        y = self._buffer("y", (len(x), *self.output_shape(x.shape[1:])), x.dtype)
        self.pool_windows(channels_last(x), out=channels_last(y))
        self._save_for_backward(x, training, y)
        return y

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Return ``dx``, the gradient of the input images; None if it is not needed.

        Parameters
        ----------
        dy : array, shape (n, c, rows, columns)
        need_dx : bool
            False if no layer before this one is trained.

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
        x = self._saved_array()
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
    """Max pooling: the largest entry of each window.

    Forward and, given ``dy``, backward, for every image and channel, with ``s`` the stride and
    ``i``, ``j`` from 0 to ``K - 1``::

        y[u, v]  = max over i, j of x[s u + i, s v + j]
        dx[p, q] = sum of dy[u, v] over the windows (u, v) whose first maximum is x[p, q]

    Of equal entries the first in row-major order counts. A window that holds a NaN gives NaN, and
    its ``dy`` is dropped. ``dy`` is finite. ``x`` and ``dx`` have shape ``(n, c, y, x)``, ``y`` and
    ``dy`` shape ``(n, c, (y - K) // s + 1, (x - K) // s + 1)``.

    Parameters
    ----------
    size : int
        The side of a window, ``K``.
    stride : int, optional
        The distance between windows in pixels; by default ``K``.

    Raises
    ------
    ConfigurationError
        If ``size`` or ``stride`` is not a whole number of at least 1.

    References
    ----------
    Ranzato, Huang, Boureau, LeCun, "Unsupervised Learning of Invariant Feature Hierarchies with
    Applications to Object Recognition", CVPR 2007.
    """

    kind = "max_pool2d"

    def pool_windows(self, x: Array, out: Array) -> None:
        """Overwrite ``out`` with the maxima."""
        self._max_pool(x, self.size, self.stride, out)

    def pool_backward(self, x: Array, dy: Array, out: Array) -> None:
        """Overwrite ``out`` with ``dx``; maxima are located by comparison with ``x``."""
        _, y = self._saved_arrays()
        self._max_pool_backward(x, channels_last(y), dy, self.size, self.stride, out)

    def set_backend(self, backend: Backend) -> None:
        """Use the backend's versions of `max_pool` and `max_pool_backward`; NumPy's by default."""
        self._max_pool = backend.version_of(max_pool)
        self._max_pool_backward = backend.version_of(max_pool_backward)


def max_pool(x: Array, size: int, stride: int, out: Array) -> None:
    """Overwrite ``out`` with the maximum of each window and channel, NaN where a window holds one.

    Parameters
    ----------
    x : array, shape (n, y, x, c)
    size, stride : int
        The side of a window, and the distance between windows.
    out : array, shape (n, rows, columns, c)
    """
    rows, columns = out.shape[1:3]
    # for each entry of a window, in row-major order: the index of that entry in all windows
    first, *others = window_steps(size, stride, rows, columns)
    np.copyto(out, x[first])
    for entry in others:
        np.maximum(out, x[entry], out=out)


def max_pool_backward(x: Array, y: Array, dy: Array, size: int, stride: int, out: Array) -> None:
    """Add ``dy`` to the pixel of each maximum ``y`` of ``x``, the first one of equal entries.

    Parameters
    ----------
    x : array, shape (n, y, x, c)
    y, dy : array, shape (n, rows, columns, c)
        The maxima, bitwise equal to entries of ``x``, and their gradient, which is finite.
    size, stride : int
        As in `max_pool`.
    out : array, shape (n, y, x, c)
        Overwritten: for each entry, the sum over the windows whose first maximum it is.
    """
    out.fill(0.0)
    rows, columns = y.shape[1:3]
    open_windows = np.ones(y.shape, np.bool_)  # those whose maximum has not been found yet
    for entry in window_steps(size, stride, rows, columns):
        is_maximum = (x[entry] == y) & open_windows
        open_windows &= ~is_maximum
        out[entry] += dy * is_maximum  # the same entry of two windows is never the same pixel


class AveragePool2D(Pool2D):
    """Average pooling: the mean of each window.

    Forward and, given ``dy``, backward, with ``s`` the stride and ``i``, ``j`` from 0 to ``K - 1``,
    for every image and channel::

        y[u, v]  = sum over i, j of x[s u + i, s v + j] / K^2
        dx[p, q] = sum of dy[u, v] / K^2 over the windows that hold (p, q)

    Shapes are those of `MaxPool2D`. `GlobalAveragePool2D` has one window, the whole image.

    Parameters
    ----------
    size : int
        The side of a window, ``K``.
    stride : int, optional
        The distance between windows in pixels; by default ``K``.

    Raises
    ------
    ConfigurationError
        If ``size`` or ``stride`` is not a whole number of at least 1.

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
