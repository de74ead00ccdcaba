"""Sliding windows over images, for convolution and pooling."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided

from handloom.errors import ConfigurationError, ModelError, require_count
from handloom.parameters import Array

Padding = int | str


@dataclass(frozen=True)
class Windows:
    """Square windows on images of one shape.

    Arrays here have their channels last, ``(n, y, x, c)``.

    Parameters
    ----------
    channels, height, width : int
        The shape of an image.
    size, stride : int
        A window's side, and the distance between windows.
    top, left : int
        Rows and columns of zeros above and left of an image.
    rows, columns : int
        The number of windows along y and along x.
    """

    channels: int
    height: int
    width: int
    size: int
    stride: int
    top: int
    left: int
    rows: int
    columns: int

    @classmethod
    def over(
        cls, kind: str, shape: tuple[int, ...], size: int, stride: int, padding: Padding
    ) -> "Windows":
        """Return the windows over images of a shape ``(c, y, x)``.

        Raises
        ------
        ModelError
            If a row is not an image, or smaller than a window.
        """
        if len(shape) != 3:
            raise ModelError(f"{kind}: an input row must be an image (c, y, x), got shape {shape}")
        channels, height, width = shape
        top, below = _margins(height, size, stride, padding)
        left, right = _margins(width, size, stride, padding)
        if min(height + top + below, width + left + right) < size:
            raise ModelError(
                f"{kind}: a window of {size} x {size} does not fit on an image of "
                f"{height} x {width} with padding {padding!r}"
            )
        rows = (height + top + below - size) // stride + 1
        columns = (width + left + right - size) // stride + 1
        return cls(channels, height, width, size, stride, top, left, rows, columns)

    @property
    def inner(self) -> tuple[slice, slice, slice]:
        """The index of the image within the padded image."""
        return (
            slice(None),
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )

    @property
    def covered(self) -> tuple[int, int]:
        """The numbers of rows and columns of the padded image that windows cover."""
        height = max((self.rows - 1) * self.stride + self.size, self.top + self.height)
        width = max((self.columns - 1) * self.stride + self.size, self.left + self.width)
        return height, width

    @property
    def margins(self) -> tuple[int, int, int, int]:
        """The zeros above, below, left and right of an image, as far as windows reach."""
        height, width = self.covered
        below, right = height - self.top - self.height, width - self.left - self.width
        return self.top, below, self.left, right

    def pad(self, x: Array, out: Array) -> None:
        """Write zero-padded images into ``out``."""
        _, rows, columns = self.inner
        out[:, : rows.start] = 0.0
        out[:, rows.stop :] = 0.0
        out[:, :, : columns.start] = 0.0
        out[:, :, columns.stop :] = 0.0
        out[self.inner] = x

    def of(self, padded: Array) -> Array:
        """Return each window as a view, shape (n, rows, columns, size, size, c)."""
        n, y, x, c = padded.strides
        shape = (len(padded), self.rows, self.columns, self.size, self.size, self.channels)
        return as_strided(padded, shape, (n, self.stride * y, self.stride * x, y, x, c))

    def steps(self) -> list[tuple[slice, slice, slice]]:
        """Return the index of each entry of a window, for all windows at once."""
        return window_steps(self.size, self.stride, self.rows, self.columns)


def window_steps(
    size: int, stride: int, rows: int, columns: int
) -> list[tuple[slice, slice, slice]]:
    """Return the index into images (n, y, x, c) of each window entry, for all windows at once."""
    return [
        (
            slice(None),
            slice(i, i + (rows - 1) * stride + 1, stride),
            slice(j, j + (columns - 1) * stride + 1, stride),
        )
        for i in range(size)
        for j in range(size)
    ]


def channels_last(x: Array) -> Array:
    """Return images ``(n, c, y, x)`` as a view ``(n, y, x, c)``."""
    return x.transpose(0, 2, 3, 1)


def contiguous_rows(x: Array) -> Array:
    """Return images ``(n, y, x, c)`` as a matrix with a row for each pixel, shape (n y x, c)."""
    return np.ascontiguousarray(x).reshape(-1, x.shape[-1])


def require_padding(value: object) -> Padding:
    """Return a valid padding: a whole number of at least 0, ``"same"`` or ``"valid"``.

    Raises
    ------
    ConfigurationError
        If it is none of these.
    """
    if isinstance(value, str):
        if value not in ("same", "valid"):
            raise ConfigurationError(
                f"padding must be 'same', 'valid' or a whole number, got {value!r}"
            )
        return value
    return require_count("padding", value, minimum=0)


def _margins(extent: int, size: int, stride: int, padding: Padding) -> tuple[int, int]:
    """Return the numbers of zeros before and after an image along one axis."""
    if padding == "same":
        total = max(((extent - 1) // stride) * stride + size - extent, 0)
        return total // 2, total - total // 2
    margin = 0 if isinstance(padding, str) else padding
    return margin, margin
