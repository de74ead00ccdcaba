"""Previews: small images in the terminal, in half blocks."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from rich.cells import cell_len
from rich.color import Color
from rich.columns import Columns
from rich.console import Console
from rich.padding import Padding
from rich.style import Style
from rich.text import Text

from handloom.data.photos.contact_sheet import Caption, rgb
from handloom.text import printable

IMAGE_COLUMNS = 36
"""The number of columns of the terminal that an image takes, at most: two fit in 80 columns."""

CAPTION_COLUMNS = 24
"""The number of columns of the terminal that a caption may take below a smaller image."""


def show_images(images: Sequence[tuple[npt.NDArray[np.uint8], Caption]], title: str) -> None:
    """Show a title and images with captions, side by side, if standard output is a terminal.

    A character shows two pixels, one above the other: the upper half block, in the color of one on
    the background of the other. Images are reduced to `IMAGE_COLUMNS`.
    """
    console = Console(highlight=False)
    if not console.is_terminal or console.color_system is None:
        return
    frames = []
    for pixels, caption in images:
        colors = _reduced(rgb(pixels))
        picture = _half_blocks(colors)
        width = min(max(colors.shape[1], CAPTION_COLUMNS), console.width)
        for line in Caption(*map(printable, caption)).fitting(width, cell_len):
            picture.append(f"\n{line}")
        frames.append(picture)
    console.print(Padding(Text(printable(title)), (1, 0, 1, 0)))
    console.print(Columns(frames, padding=(0, 2)))


def _reduced(colors: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return every n-th pixel of an image that is wider than `IMAGE_COLUMNS`."""
    step = -(-colors.shape[1] // IMAGE_COLUMNS)
    return colors[::step, ::step]


def _half_blocks(colors: npt.NDArray[np.uint8]) -> Text:
    """Return pixels, shape (y, x, 3), as text of upper half blocks."""
    if len(colors) % 2:
        colors = np.concatenate([colors, np.zeros_like(colors[:1])])
    picture = Text(no_wrap=True)
    for line, (upper, lower) in enumerate(zip(colors[::2], colors[1::2], strict=True)):
        picture.append("\n" * bool(line))
        for above, below in zip(upper.tolist(), lower.tolist(), strict=True):
            picture.append(
                "\N{UPPER HALF BLOCK}", Style(color=_color(above), bgcolor=_color(below))
            )
    return picture


def _color(channels: Sequence[int]) -> Color:
    return Color.from_rgb(*channels)
