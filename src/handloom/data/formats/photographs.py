"""Photographs: an image of any size and mode, converted to a network's input row."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from handloom.data.formats.images import content_of, naming, readable_formats, require_pillow
from handloom.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

MAX_PIXELS = 89_478_485
"""The maximum number of pixels of an image: the limit above which Pillow warns of bombs."""

MAX_FILE_BYTES = 1 << 30
"""The maximum size of an image file, 1 GiB: more than `MAX_PIXELS` take uncompressed."""

_AT_ONCE = 1 << 20
"""The number of pixels of a deep image that are scaled at once."""


def read_photograph(
    path: str | Path, shape: tuple[int, int], *, invert: bool = False
) -> npt.NDArray[np.uint8]:
    """Read an image as grayscale, light on dark, resized to ``shape``.

    The image is turned upright, converted to grayscale, resized to fit with its aspect ratio, and
    centered on its background: black, or white if it is inverted. Transparent pixels show the
    background.

    Parameters
    ----------
    path : path
        Any format that Pillow reads.
    shape : tuple of int
        The size of the result, ``(y, x)``.
    invert : bool
        Whether the image is dark on light.

    Returns
    -------
    array of uint8, shape (y, x)

    Raises
    ------
    DataError
        If the file cannot be read, is not an image, or claims more than `MAX_PIXELS`.
    MissingExtraError
        If Pillow is not installed.
    """
    require_pillow("reading images")
    from PIL import Image, ImageOps

    background = 255 if invert else 0
    size = shape[1], shape[0]
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: does not exist, expected an image file")
    with (
        naming(path, MAX_PIXELS),
        Image.open(content_of(path, MAX_FILE_BYTES), formats=readable_formats()) as image,
    ):
        if image.width * image.height > MAX_PIXELS:
            raise DataError(
                f"{path}: claims {image.width} x {image.height} pixels, "
                f"expected at most {MAX_PIXELS:,} pixels"
            )
        gray = _grayscale(ImageOps.exif_transpose(image), background)
        canvas = ImageOps.pad(gray, size, Image.Resampling.LANCZOS, color=background)
    pixels = np.array(canvas, dtype=np.uint8)
    return 255 - pixels if invert else pixels


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
