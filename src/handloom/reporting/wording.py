"""Wording: values and counts as text, and texts without the paths of a machine."""

import math
import re

_PATH = re.compile(r"(?<![\w.<])(?:~|[A-Za-z]:)?(?:[\\/][\w.@+~ -]*\w)*[\\/](?P<name>[\w.@+~-]+)")
"""An absolute path: one that begins with a separator, a drive, or a home folder."""


def without_paths(text: str) -> str:
    """Return text with only the last part of each absolute path, which may hold a user's name."""
    return _PATH.sub(lambda match: match["name"], text)


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 epoch``, ``3 epochs``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def percent(fraction: float, digits: int = 1) -> str:
    """Return a fraction in percent."""
    return f"{100 * fraction:.{digits}f}\u00a0%" if math.isfinite(fraction) else "not finite"


def number(value: float | None, digits: int = 4) -> str:
    """Return a measurement with some significant digits."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return "not finite"
    return f"{value:.{digits}g}"


def seconds(value: float) -> str:
    """Return a time in the unit that suits it."""
    if value < 120:
        return f"{value:.1f} s"
    return f"{value / 60:.0f} minutes" if value < 7200 else f"{value / 3600:.1f} hours"
