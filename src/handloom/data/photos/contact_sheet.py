"""A contact sheet: small images with captions, in one PNG file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handloom.text import printable

COLUMNS = 6
TILE = 140
"""The side of an image on the sheet, at most, in pixels."""

_LINE, _GAP = 13, 6


def write_contact_sheet(
    path: Path, images: Sequence[tuple[npt.NDArray[np.uint8], str, str]]
) -> None:
    """Write images, each with a name and a caption, to a PNG file.

    Parameters
    ----------
    path : Path
    images : sequence of (array, str, str)
        Pixels of shape (y, x) or (c, y, x), a name and a caption.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    from PIL import Image, ImageDraw

    columns = min(COLUMNS, len(images))
    lines = -(-len(images) // columns)
    wide, high = TILE + _GAP, TILE + 2 * _LINE + _GAP
    sheet = Image.new("RGB", (columns * wide + _GAP, lines * high + _GAP), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for index, (pixels, *captions) in enumerate(images):
        left, top = (index % columns) * wide + _GAP, (index // columns) * high + _GAP
        tile = Image.fromarray(rgb(pixels))
        scale = min(TILE / tile.width, TILE / tile.height)
        size = tuple(max(1, round(scale * side)) for side in tile.size)
        sheet.paste(tile.resize((size[0], size[1]), Image.Resampling.NEAREST), (left, top))
        for line, caption in enumerate(captions):
            text = _shortened(printable(caption)).encode("ascii", "replace").decode()
            draw.text((left, top + TILE + line * _LINE), text, fill=(0, 0, 0))
    sheet.save(path, format="PNG")


def rgb(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the pixels of a row, shape (y, x) or (c, y, x), with shape (y, x, 3)."""
    channels = pixels[None] if pixels.ndim == 2 else pixels
    colors = channels[:3] if len(channels) >= 3 else np.repeat(channels[:1], 3, axis=0)
    return np.ascontiguousarray(colors.transpose(1, 2, 0))


def _shortened(text: str) -> str:
    """Return text that fits below a tile."""
    most = TILE // 6
    return text if len(text) <= most else f"{text[: most - 3]}..."
