"""Stored images as pictures: gray or RGB, of at most a size, alone or side by side."""

import io
from base64 import b64encode
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from handloom.errors import DataError, has_channels_last

Images = npt.NDArray[np.uint8]
Shape = tuple[int, ...]

GRAYSCALE, RGB, RGBA = 1, 3, 4
"""The numbers of channels of the images that are drawn."""

WHITE, SHADED = 255, 204
"""The two grays of the checkerboard behind transparent pixels."""


def channels_of(shape: Shape) -> int | None:
    """Return the channels of an image of shape (y, x) or (c, y, x): 1, 3 or 4; else None."""
    channels = {2: (GRAYSCALE,), 3: shape[:1]}.get(len(shape), ())
    return channels[0] if channels and channels[0] in (GRAYSCALE, RGB, RGBA) else None


def require_pictures(inputs: npt.NDArray[np.generic]) -> None:
    """Check that inputs are images that can be drawn.

    Raises
    ------
    DataError
        If they are not uint8 of shape (n, y, x), or (n, c, y, x) with 1, 3 or 4 channels.
    """
    if inputs.dtype == np.uint8 and channels_of(inputs.shape[1:]):
        return
    last = has_channels_last(inputs.shape[1:])
    raise DataError(
        "images must be uint8 of shape (n, y, x), or (n, c, y, x) with 1 channel (gray), 3 (RGB) "
        f"or 4 (RGBA), got {inputs.dtype} of shape {inputs.shape}"
        + (": pass channels_last=True to Dataset" if last else "")
    )


def picture(image: npt.NDArray[np.generic], largest: int) -> Images:
    """Return a stored image as a picture, RGBA on a checkerboard.

    Parameters
    ----------
    image : array of uint8, shape (y, x) or (c, y, x)
        With 1, 3 or 4 channels.
    largest : int
        The largest side of the picture. A larger image is reduced: each pixel is the mean of a
        square block.

    Returns
    -------
    array of uint8, shape (y, x) or (y, x, 3)
    """
    pixels = image.view(np.uint8)
    channels = channels_of(pixels.shape)
    if channels == GRAYSCALE:
        return _reduced(pixels.reshape(pixels.shape[-2:]), largest)
    pixels = np.moveaxis(pixels, 0, -1)
    return _reduced(_on_checkerboard(pixels) if channels == RGBA else pixels, largest)


def _on_checkerboard(pixels: Images) -> Images:
    """Return RGBA pixels, shape (y, x, 4), as RGB on a checkerboard of eight squares a side."""
    y, x = pixels.shape[:2]
    square = max(1, max(y, x) // 8)
    odd = np.add.outer(np.arange(y) // square, np.arange(x) // square) % 2
    board = np.where(odd, SHADED, WHITE)[..., None]
    alpha = pixels[..., 3:] / 255.0
    return np.rint(alpha * pixels[..., :3] + (1.0 - alpha) * board).astype(np.uint8)


def _reduced(pixels: Images, largest: int) -> Images:
    """Return pixels, shape (y, x, ...), reduced by a whole factor until they fit."""
    factor = -(-max(pixels.shape[:2]) // largest)
    if factor <= 1:
        return pixels
    sums, area = pixels.astype(np.float64), np.ones(())
    for axis in (0, 1):
        starts = np.arange(0, pixels.shape[axis], factor)
        sums = np.add.reduceat(sums, starts, axis=axis)
        sizes = np.diff(starts, append=pixels.shape[axis])
        area = np.multiply.outer(area, sizes)
    return np.rint(sums / area.reshape(*area.shape, *(1,) * (pixels.ndim - 2))).astype(np.uint8)


class Sheet:
    """Pictures of one shape side by side, in cells of a grid on white.

    Parameters
    ----------
    pictures : mapping of (row, column) to array, shape (y, x) or (y, x, 3)
        At least one; the other cells are white.
    rows, columns : int
    captions : bool
        Whether there is space below each row for a line of text.

    Attributes
    ----------
    pixels : array, shape (height, width) or (height, width, 3)
        Of floating-point pictures, NaN between the pictures.
    pitch : array of int, shape (2,)
        The distance between the rows and between the columns in pixels.
    middles : list of float
        The vertical position of the middle of each row in pixels.
    """

    def __init__(
        self,
        pictures: Mapping[tuple[int, int], npt.NDArray[np.generic]],
        rows: int,
        columns: int,
        *,
        captions: bool = False,
    ) -> None:
        first = next(iter(pictures.values()))
        shape = np.array(first.shape[:2])
        gap = max(1, int(shape.max()) // 14)
        below = max(1, round(0.3 * shape.max())) if captions else gap
        # at least a quarter as wide as high and as high as wide, so that text fits
        cell = np.maximum(shape, shape.max() // 4)
        self._cell, self._below = cell, below
        self.pitch = cell + np.array((below, gap))
        size = self.pitch * (rows, columns) - (0 if captions else gap, gap)
        white = WHITE if first.dtype == np.uint8 else np.nan
        self.pixels = np.full((*size, *first.shape[2:]), white, first.dtype)
        margin = (cell - shape) // 2
        for index, each in pictures.items():
            y, x = self.pitch * index + margin
            self.pixels[y : y + shape[0], x : x + shape[1]] = each
        self.middles = list((cell[0] - 1) / 2 + self.pitch[0] * np.arange(rows))

    def caption_at(self, row: int, column: int) -> tuple[float, float]:
        """Return x and y of the middle of the caption of a cell in pixels."""
        y, x = self.pitch * (row, column)
        return float(x + (self._cell[1] - 1) / 2), float(y + self._cell[0] + (self._below - 1) / 2)

    @property
    def unit(self) -> float:
        """The pixels of the longer side of a cell."""
        return float(self.pitch.max())


def png(pixels: Images, palette: Images | None = None) -> str:
    """Return an image as a data URI.

    Parameters
    ----------
    pixels : array of uint8, shape (y, x) or (y, x, 3)
    palette : array of uint8, shape (n, 3), optional
        The colors of pixels of shape (y, x), which are then indices.
    """
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(pixels))
    if palette is not None:
        picture.putpalette(palette.tobytes())
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"
