"""Photographs: an image of any size and mode, converted to a network's input row."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import numpy.typing as npt

from handloom.data.formats.images import content_of, naming, readable_formats, require_pillow
from handloom.errors import DataError, HandloomError

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

MAX_PIXELS = 89_478_485
"""The maximum number of pixels of an image: the limit above which Pillow warns of bombs."""

MAX_FILE_BYTES = 1 << 30
"""The maximum size of an image file, 1 GiB: more than `MAX_PIXELS` take uncompressed."""

_AT_ONCE = 1 << 20
"""The number of pixels of a deep image that are scaled at once."""


Source = Union[str, "os.PathLike[str]", "PillowImage", npt.NDArray[Any]]
"""An image: the path of a file, a Pillow image, or an array of levels."""


def read_photograph(
    source: Source, shape: tuple[int, ...], *, invert: bool = False
) -> npt.NDArray[np.uint8]:
    """Read an image, light on dark, resized to ``shape``.

    The image is turned upright, converted to grayscale for rows of one channel, resized to fit with
    its aspect ratio, and centered on its background: black, or white if it is inverted. Transparent
    pixels show the background.

    Parameters
    ----------
    source : path, Pillow image or array
        A file of any format that Pillow reads; see `opened` for arrays.
    shape : tuple of int
        The shape of the result, ``(y, x)`` or ``(c, y, x)`` with 1, 3 or 4 channels.
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
    from PIL import Image, ImageOps

    background = 255 if invert else 0
    size = shape[-1], shape[-2]
    colored = len(shape) == 3 and shape[0] >= 3
    with opened(source) as image:
        upright = ImageOps.exif_transpose(image)
        flat = in_color(upright, background) if colored else _grayscale(upright, background)
        margins = (background,) * 3 if colored else background
        canvas = ImageOps.pad(flat, size, Image.Resampling.LANCZOS, color=margins)
    pixels = np.array(canvas, dtype=np.uint8)
    return as_row(255 - pixels if invert else pixels, shape)


def image_suffixes() -> frozenset[str]:
    """Return the suffixes of the files that Pillow reads, such as ``".jpg"``.

    Raises
    ------
    MissingExtraError
        If Pillow is not installed.
    """
    require_pillow("reading images")
    from PIL import Image

    known, readable = Image.registered_extensions(), readable_formats()
    return frozenset(suffix for suffix, kind in known.items() if kind in readable)


def as_row(pixels: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Return pixels of shape (y, x) or (y, x, 3) in the shape of a row; a fourth channel is 255."""
    if pixels.ndim == 2:
        return pixels.reshape(shape)
    row = np.full(shape, 255, dtype=np.uint8)
    row[:3] = pixels.transpose(2, 0, 1)
    return row


@contextmanager
def opened(source: Source) -> Iterator["PillowImage"]:
    """Open an image until the end of a block; errors in the block name the file.

    Parameters
    ----------
    source : path, Pillow image or array
        Arrays have the shape (y, x), (y, x, c) or (c, y, x) with 1, 3 or 4 channels, of ``uint8``;
        grayscale may also have 16 bits, or finite floats from 0 to 1 or to 255.

    Raises
    ------
    DataError
        As `read_photograph`.
    """
    from PIL import Image

    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if not path.exists():
            raise DataError(f"{path}: does not exist, expected an image file")
        with (
            naming(path, MAX_PIXELS),
            Image.open(content_of(path, MAX_FILE_BYTES), formats=readable_formats()) as file,
        ):
            _check_size(file, f"{path}: claims")
            yield file
        return
    try:
        image = source if isinstance(source, Image.Image) else _from_array(source)
        _check_size(image, "the image has")
        yield image
    except (ValueError, OSError) as error:
        if isinstance(error, HandloomError):
            raise
        raise DataError(f"the image cannot be read: {error}") from error


def _check_size(image: "PillowImage", subject: str) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise DataError(
            f"{subject} {image.width} x {image.height} pixels, expected at most {MAX_PIXELS:,} "
            "pixels"
        )


def _from_array(source: object) -> "PillowImage":
    """Return a Pillow image of the levels in an array."""
    from PIL import Image

    levels = np.asarray(source)
    expected = "expected the path of an image, a Pillow image, or an array of levels"
    if levels.dtype.kind not in "uif" or levels.ndim not in (2, 3) or not levels.size:
        raise DataError(f"{expected}, got {type(source).__name__}")
    if levels.ndim == 3 and levels.shape[2] not in (1, 3, 4):
        levels = levels.transpose(1, 2, 0)
    if levels.ndim == 3 and levels.shape[2] == 1:
        levels = levels[..., 0]
    if levels.ndim == 3 and (levels.dtype != np.uint8 or levels.shape[2] not in (3, 4)):
        raise DataError(
            f"{expected}: uint8 of shape (y, x), (y, x, c) or (c, y, x) with 3 or 4 channels, got "
            f"{levels.dtype} of shape {levels.shape}"
        )
    levels = np.ascontiguousarray(levels)
    if levels.dtype in (np.uint8, np.uint16):
        return Image.fromarray(levels)
    return Image.fromarray(levels.astype(np.float32))


def in_color(image: "PillowImage", background: int | None = None) -> "PillowImage":
    """Return an RGB image; transparent pixels show the background.

    Parameters
    ----------
    image : PIL.Image.Image
    background : int, optional
        The level of the background; by default black behind a light object, white behind a dark
        one.
    """
    from PIL import Image

    if not image.has_transparency_data:
        deep = image.mode.startswith("I") or image.mode == "F"
        return (Image.fromarray(_scaled(image)) if deep else image).convert("RGB")
    rgba = image if image.mode == "RGBA" else image.convert("RGBA")
    if background is None:
        levels = np.asarray(rgba.resize((64, 64), Image.Resampling.BOX), dtype=np.float64)
        opaque = levels[..., 3:]
        mean = (levels[..., :3] * opaque).sum() / max(3.0 * opaque.sum(), 1.0)
        background = 0 if mean > 127.5 else 255
    canvas = Image.new("RGBA", image.size, (background, background, background, 255))
    return Image.alpha_composite(canvas, rgba).convert("RGB")


def _grayscale(image: "PillowImage", background: int) -> "PillowImage":
    """Return 8-bit grayscale; deep images are scaled, transparent ones blended with background."""
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_scaled(image))
    if image.has_transparency_data:
        canvas = Image.new("RGBA", image.size, (background, background, background, 255))
        rgba = image if image.mode == "RGBA" else image.convert("RGBA")
        return Image.alpha_composite(canvas, rgba).convert("L")
    return image.convert("L")


def _scaled(image: "PillowImage") -> npt.NDArray[np.uint8]:
    """Return the levels of a deep image as bytes, in chunks to save memory."""
    levels = np.asarray(image)
    highest = float(levels.max(initial=0))
    if not math.isfinite(highest):
        raise ValueError(f"levels must be finite, got {highest}")
    scale = 255.0 / _white(image.mode, highest)
    gray = np.empty(levels.shape, dtype=np.uint8)
    flat, out = levels.reshape(-1), gray.reshape(-1)
    for start in range(0, levels.size, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        out[part] = np.clip(flat[part].astype(np.float64) * scale, 0, 255).astype(np.uint8)
    return gray


def _white(mode: str, highest: float) -> float:
    """Return the white level of an image of 16 bits, 32 bits, or floats."""
    if mode.startswith("I;16"):
        return 65535.0
    return next(level for level in (1.0, 255.0, 65535.0, highest) if highest <= level)
