"""Photographs: an image of any size and mode, converted to a network's input row."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import numpy.typing as npt

from handloom.data.formats.image_options import Fit
from handloom.data.formats.images import (
    MAX_PIXELS_RESIZED,
    Mode,
    content_of,
    converted,
    draft,
    naming,
    readable_formats,
    require_pillow,
    resized,
    too_many_pixels,
)
from handloom.errors import DataError, HandloomError

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

MAX_PIXELS = MAX_PIXELS_RESIZED
"""The maximum number of pixels of an image."""

MAX_FILE_BYTES = 1 << 30
"""The maximum size of an image file, 1 GiB: more than `MAX_PIXELS` take uncompressed."""

_AT_ONCE = 1 << 20
"""The number of pixels of a deep image that are scaled at once."""


Source = Union[str, "os.PathLike[str]", "PillowImage", npt.NDArray[Any]]
"""An image: the path of a file, a Pillow image, or an array of levels."""


def read_photograph(
    source: Source, shape: tuple[int, ...], fit: Fit = "pad", *, invert: bool = False
) -> npt.NDArray[np.uint8]:
    """Read an image, light on dark, resized to ``shape`` as the images of a folder are.

    The image is turned upright, converted to grayscale for rows of one channel, and resized. A
    margin is black, or white if the image is inverted, and so are transparent pixels in rows
    without transparency; in rows with four channels a margin is transparent.

    Parameters
    ----------
    source : path, Pillow image or array
        A file of any format that Pillow reads; see `opened` for arrays.
    shape : tuple of int
        The shape of the result, ``(y, x)`` or ``(c, y, x)`` with 1, 3 or 4 channels.
    fit : {"pad", "crop", "stretch"}
        See `ImageOptions`.
    invert : bool
        Whether the image is dark on light.

    Returns
    -------
    array of uint8, of shape ``shape``

    Raises
    ------
    DataError
        If the file cannot be read, is not an image, or claims more than `MAX_PIXELS`, or an array
        holds no image.
    MissingExtraError
        If Pillow is not installed.
    """
    require_pillow("reading images")
    from PIL import ImageOps

    background = 255 if invert else 0
    size = shape[-2], shape[-1]
    mode = _MODE_OF[shape[0] if len(shape) == 3 else 1]
    with opened(source) as image:
        if image is not source:  # an image of the caller stays as it is
            draft(image, size)
        upright = ImageOps.exif_transpose(image)
        fitted = resized(in_mode(upright, mode, background), size, fit, background)
    pixels = np.array(fitted, dtype=np.uint8)
    if invert:
        levels = pixels if pixels.ndim == 2 else pixels[..., :3]
        np.subtract(255, levels, out=levels)
    return as_row(pixels, shape)


_MODE_OF: dict[int, Mode] = {1: "L", 3: "RGB", 4: "RGBA"}


def as_row(pixels: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Return pixels of shape (y, x) or (y, x, c) in the shape of a row; missing channels are 255.

    Only a fourth channel, for transparency, may be missing.
    """
    if pixels.ndim == 2:
        return pixels.reshape(shape)
    row = np.full(shape, 255, dtype=np.uint8)
    row[: pixels.shape[2]] = pixels.transpose(2, 0, 1)
    return row


@contextmanager
def opened(source: Source) -> Iterator["PillowImage"]:
    """Open an image until the end of a block; errors in the block name the file.

    Parameters
    ----------
    source : path, Pillow image or array
        Arrays have the shape (y, x), (y, x, c) or (c, y, x) with 1, 3 or 4 channels, of ``uint8``,
        ``uint16``, or finite levels from 0 to 1 or to 255.

    Raises
    ------
    DataError
        As `read_photograph`.
    """
    from PIL import Image

    if isinstance(source, (str, os.PathLike)):
        path = _image_file(source)
        with (
            naming(path, MAX_PIXELS),
            Image.open(content_of(path, MAX_FILE_BYTES), formats=readable_formats()) as file,
        ):
            _check_size(file, f"{path}: ")
            yield file
        return
    try:
        image = source if isinstance(source, Image.Image) else _from_array(source)
        _check_size(image, "the image ")
        yield image
    except (ValueError, OSError) as error:
        if isinstance(error, HandloomError):
            raise
        raise DataError(f"the image cannot be read: {error}") from error


def _image_file(source: "str | os.PathLike[str]") -> Path:
    """Return the path of a file that exists."""
    path, expected = Path(source), "expected an image file"
    if not os.fspath(source):
        raise DataError(f"the path of the image is empty, {expected}")
    if path.is_dir():
        raise DataError(f"{path}: a folder, {expected}; handloom predict takes folders too")
    if not path.exists():
        link = "a link to a file that does not exist" if path.is_symlink() else "does not exist"
        raise DataError(f"{path}: {link}, {expected}")
    return path


def _check_size(image: "PillowImage", subject: str) -> None:
    if image.width * image.height > MAX_PIXELS:
        size = image.height, image.width
        raise DataError(f"{subject}{too_many_pixels(size, MAX_PIXELS)}")


def _from_array(source: object) -> "PillowImage":
    """Return a Pillow image of the levels in an array."""
    from PIL import Image

    levels = np.asarray(source)
    expected = "expected the path of an image, a Pillow image, or an array of levels"
    got = f"an array of {levels.dtype} and shape {levels.shape}"
    if levels.dtype.kind == "b":
        raise DataError(f"{expected}, got {got}: pass array.astype('uint8') * 255")
    if levels.dtype.kind not in "uif" or not levels.ndim:
        raise DataError(f"{expected}, got {type(source).__name__}")
    if levels.ndim == 3 and levels.shape[2] not in (1, 3, 4):
        levels = levels.transpose(1, 2, 0)
    if levels.ndim == 3 and levels.shape[2] == 1:
        levels = levels[..., 0]
    channels = levels.shape[2] if levels.ndim == 3 else 1
    if not levels.size or levels.ndim not in (2, 3) or channels not in _MODE_OF:
        raise DataError(
            f"{expected} of shape (y, x), (y, x, c) or (c, y, x) with 1, 3 or 4 channels, got {got}"
        )
    if levels.dtype == np.uint8:
        return Image.fromarray(np.ascontiguousarray(levels))
    if levels.min() < 0:
        raise DataError(
            f"levels must be from 0 to 1 or from 0 to 255, got {levels.min():.4g} to "
            f"{levels.max():.4g}: scale them first"
        )
    white = 65535.0 if levels.dtype == np.uint16 else None
    return Image.fromarray(_scaled(np.ascontiguousarray(levels), white))


def in_mode(image: "PillowImage", mode: Mode, background: int) -> "PillowImage":
    """Return an image in a mode; without transparency, it shows a background.

    Deep images are scaled to 8 bits.
    """
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        white = 65535.0 if image.mode.startswith("I;16") else None
        image = Image.fromarray(_scaled(np.asarray(image), white))
    return converted(image, mode, background)


def in_color(image: "PillowImage") -> "PillowImage":
    """Return an RGB image; transparent pixels show black behind a light object, or white."""
    from PIL import Image

    background = 0
    if image.has_transparency_data:
        rgba = image if image.mode == "RGBA" else image.convert("RGBA")
        levels = np.asarray(rgba.resize((64, 64), Image.Resampling.BOX), dtype=np.float64)
        opaque = levels[..., 3:]
        mean = (levels[..., :3] * opaque).sum() / max(3.0 * opaque.sum(), 1.0)
        background = 0 if mean > 127.5 else 255
    return in_mode(image, "RGB", background)


def _scaled(levels: npt.NDArray[Any], white: float | None) -> npt.NDArray[np.uint8]:
    """Return the levels of a deep image as bytes, in chunks to save memory.

    The level of white, if it is not known, is the first of 1, 255, 65535 and the highest level that
    no level exceeds.
    """
    highest = float(levels.max(initial=0))
    if not math.isfinite(highest):
        raise ValueError(f"levels must be finite, got {highest}")
    white = white or next(each for each in (1.0, 255.0, 65535.0, highest) if highest <= each)
    scale = 255.0 / white
    pixels = np.empty(levels.shape, dtype=np.uint8)
    flat, out = levels.reshape(-1), pixels.reshape(-1)
    for start in range(0, levels.size, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        out[part] = np.clip(np.rint(flat[part].astype(np.float64) * scale), 0, 255)
    return pixels
