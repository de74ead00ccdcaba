"""Fonts for names of any language, and text that fits a width."""

import re
from collections.abc import Iterable
from functools import cache

import numpy as np
import numpy.typing as npt

from handloom.text import escaped, printable

FONT = "DejaVu Sans"
"""The font of all figures, which matplotlib contains."""

PLACEHOLDERS = ("Last Resort", "LastResort")
"""Fonts with a box for every character."""

ELLIPSIS = "..."
LONGEST_LINE = 200
"""The largest number of characters of a line that `fitted` considers."""

_ASCII = re.compile(r"[ -~]")
_OTHERS = re.compile(r"[^ -~]")


def families(texts: Iterable[str]) -> list[str]:
    """Return the fonts to draw texts with: `FONT`, and others for the characters that it lacks."""
    fonts = map(_font_with, sorted(set().union(*map(printable, texts))))
    return list(dict.fromkeys([FONT, *(font for font in fonts if font is not None)]))


def legible(text: str) -> str:
    r"""Return text as it is drawn: characters in no font of the machine are escaped: ``\u65e5``.

    Control characters are escaped as by `printable`.
    """
    return _OTHERS.sub(
        lambda match: match[0] if _font_with(match[0]) else escaped(match[0]), printable(text)
    )


def width(text: str, size: float) -> float:
    """Return the width of one line of text in inches; ``size`` is that of the font in points."""
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=rcParams["font.family"], size=size)
    points: float = text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]
    return points / 72


def fitted(text: str, inches: float, size: float) -> str:
    """Return one line of text, cut in the middle if it is wider: both of its ends tell it apart."""
    text = shortened(text, LONGEST_LINE)
    longest = len(text)
    while width(shown := shortened(text, longest), size) > inches and longest > len(ELLIPSIS) + 2:
        longest -= 1
    return shown


def shortened(text: str, longest: int) -> str:
    """Return text of at most ``longest`` characters, cut in the middle."""
    if len(text) <= longest:
        return text
    kept = longest - len(ELLIPSIS)
    return f"{text[: kept - kept // 2]}{ELLIPSIS}{text[len(text) - kept // 2 :]}"


@cache
def _font_with(character: str) -> str | None:
    """Return the first font of the machine with a character, `FONT` before all others."""
    if _ASCII.fullmatch(character):
        return FONT
    code = ord(character)
    return next((name for name, path in _fonts() if (_codes(path) == code).any()), None)


@cache
def _fonts() -> list[tuple[str, str]]:
    """Return the name and the file of each upright font of normal weight."""
    from matplotlib.font_manager import fontManager

    entries = [
        (each.name, each.fname)
        for each in fontManager.ttflist
        if each.style == "normal" and each.weight in (400, "normal", "regular")
    ]
    named = [each for each in entries if not each[0].startswith(PLACEHOLDERS)]
    return sorted(named, key=lambda each: (each[0] != FONT, "Sans" not in each[0], *each))


@cache
def _codes(path: str) -> npt.NDArray[np.uint32]:
    """Return the characters of a font that matplotlib can draw; none if it cannot be read."""
    from matplotlib.font_manager import get_font

    try:
        font = get_font(path)
        codes = [code for code, glyph in font.get_charmap().items() if glyph]
        return np.array(codes if font.scalable else [], np.uint32)
    except (OSError, RuntimeError):
        return np.empty(0, np.uint32)
