"""A picture of any size and kind, made into a row like those that a network has learned from."""

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
"""The most pixels that a picture may claim: where Pillow itself begins to warn of bombs."""

MAX_FILE_BYTES = 1 << 30
"""The largest file of one picture, 1 GiB: more than that many pixels take, uncompressed."""

_AT_ONCE = 1 << 20
"""How many pixels of a deep image are scaled at once."""


def read_photograph(
    path: str | Path, shape: tuple[int, int], *, invert: bool = False
) -> npt.NDArray[np.uint8]:
    """Read a picture as grey levels, light on dark, in the size that is wanted.

    The picture is turned upright, made grey, scaled to fit with its proportions kept, and centred
    on its background: black, or white for one to be inverted. What is transparent shows the
    background.

    Parameters
    ----------
    path : path
        Any format that Pillow reads.
    shape : tuple of int
        The size wanted, ``(y, x)``.
    invert : bool
        Whether the picture is dark on light.

    Returns
    -------
    array of uint8, shape (y, x)

    Raises
    ------
    DataError
        If the file cannot be read, is no image, or claims more than `MAX_PIXELS`.
    MissingExtraError
        If Pillow is not installed.
    """
    require_pillow("reading images")
    from PIL import Image, ImageOps

    background = 255 if invert else 0
    size = shape[1], shape[0]
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: there is no such file")
    with (
        naming(path, MAX_PIXELS),
        Image.open(content_of(path, MAX_FILE_BYTES), formats=readable_formats()) as image,
    ):
        if image.width * image.height > MAX_PIXELS:
            raise DataError(
                f"{path}: claims {image.width} x {image.height} pixels, "
                f"at most {MAX_PIXELS:,} are read"
            )
        grey = _grey(ImageOps.exif_transpose(image), background)
        canvas = ImageOps.pad(grey, size, Image.Resampling.LANCZOS, color=background)
    pixels = np.array(canvas, dtype=np.uint8)
    return 255 - pixels if invert else pixels


def _grey(image: "PillowImage", background: int) -> "PillowImage":
    """Return 8-bit grey; deeper images are scaled, transparent ones laid on the background."""
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_scaled(image))
    if image.has_transparency_data:
        canvas = Image.new("RGBA", image.size, (background, background, background, 255))
        rgba = image if image.mode == "RGBA" else image.convert("RGBA")
        return Image.alpha_composite(canvas, rgba).convert("L")
    return image.convert("L")


def _scaled(image: "PillowImage") -> npt.NDArray[np.uint8]:
    """Return the levels of a deep image as bytes, made a part at a time to save memory."""
    levels = np.asarray(image)
    highest = float(levels.max(initial=0))
    if not math.isfinite(highest):
        raise ValueError("a level is not a finite number")
    scale = 255.0 / _white(image.mode, highest)
    grey = np.empty(levels.shape, dtype=np.uint8)
    flat, out = levels.reshape(-1), grey.reshape(-1)
    for start in range(0, levels.size, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        out[part] = np.clip(flat[part].astype(np.float64) * scale, 0, 255).astype(np.uint8)
    return grey


def _white(mode: str, highest: float) -> float:
    """Return the level that means white in an image of 16 bits, of 32, or of real numbers."""
    if mode.startswith("I;16"):
        return 65535.0
    return next(level for level in (1.0, 255.0, 65535.0, highest) if highest <= level)
