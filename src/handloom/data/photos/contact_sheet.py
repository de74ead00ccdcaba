"""A contact sheet: small images with captions, in one PNG file."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from handloom.files import write_bytes
from handloom.text import printable

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

COLUMNS = 6
TILE = 140
"""The side of an image on the sheet, at most, in pixels."""

_FONT, _LINE, _GAP = 11, 14, 6

_KEPT_AT_FRONT = 1 / 3  # names of photographs differ at their ends


class Caption(NamedTuple):
    """The lines below an image: its name, its class with the percentage, and a remark."""

    name: str
    class_name: str
    percentage: str = ""
    remark: str = ""

    def fitting(self, width: float, measure: Callable[[str], float]) -> list[str]:
        """Return the lines, shortened to a width; the percentage is whole."""
        rest = width - measure(self.percentage)
        lines = [shortened(self.name, width, measure)]
        lines += [shortened(self.class_name, rest, measure) + self.percentage]
        return [*lines, shortened(self.remark, width, measure)] if self.remark else lines


def write_contact_sheet(
    path: Path, images: Sequence[tuple[npt.NDArray[np.uint8], Caption]]
) -> None:
    """Write images, each with a caption, to a PNG file.

    Parameters
    ----------
    path : Path
    images : sequence of (array, Caption)
        Pixels of shape (y, x) or (c, y, x), and the lines below them.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    from PIL import Image, ImageDraw

    font, drawable = _font()
    columns = min(COLUMNS, len(images))
    rows = -(-len(images) // columns)
    lines = 3 if any(caption.remark for _, caption in images) else 2
    wide, high = TILE + _GAP, TILE + lines * _LINE + _GAP
    sheet = Image.new("RGB", (columns * wide + _GAP, rows * high + _GAP), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for index, (pixels, caption) in enumerate(images):
        left, top = (index % columns) * wide + _GAP, (index // columns) * high + _GAP
        tile = Image.fromarray(rgb(pixels))
        scale = min(TILE / tile.width, TILE / tile.height)
        size = tuple(max(1, round(scale * side)) for side in tile.size)
        sheet.paste(tile.resize((size[0], size[1]), Image.Resampling.NEAREST), (left, top))
        captions = caption.fitting(TILE, lambda text: font.getlength(drawable(text)))
        for line, text in enumerate(map(drawable, captions)):
            draw.text((left, top + TILE + line * _LINE), text, fill=(0, 0, 0), font=font)
    file = io.BytesIO()
    sheet.save(file, format="PNG")
    write_bytes(path, file.getvalue())


def _font() -> "tuple[FreeTypeFont | ImageFont, Callable[[str], str]]":
    """Return a font, and a function to text that it can draw.

    The font of Matplotlib has the letters of most languages, that of Pillow ASCII only.
    """
    from PIL import ImageFont

    try:
        import matplotlib

        file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
        return ImageFont.truetype(str(file), _FONT), printable
    except (ImportError, OSError):  # no Matplotlib, no FreeType in Pillow, or no such file
        return ImageFont.load_default(), _ascii


def _ascii(text: str) -> str:
    dots = printable(text).replace("\N{HORIZONTAL ELLIPSIS}", "...")
    return dots.encode("ascii", "backslashreplace").decode()


def rgb(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the pixels of a row, shape (y, x) or (c, y, x), with shape (y, x, 3)."""
    channels = pixels[None] if pixels.ndim == 2 else pixels
    colors = channels[:3] if len(channels) >= 3 else np.repeat(channels[:1], 3, axis=0)
    return np.ascontiguousarray(colors.transpose(1, 2, 0))


def shortened(text: str, width: float, measure: Callable[[str], float] = len) -> str:
    """Return text of at most a width, with an ellipsis in place of its middle."""
    if measure(text) <= width:
        return text
    for kept in range(len(text) - 1, 0, -1):
        front = round(kept * _KEPT_AT_FRONT)
        cut = f"{text[:front]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - kept + front :]}"
        if measure(cut) <= width:
            return cut
    return "\N{HORIZONTAL ELLIPSIS}"
