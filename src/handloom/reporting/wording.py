"""Wording: values and counts as text, and texts without the paths of a machine."""

import math
import re
from collections.abc import Mapping
from typing import TypeVar

Key = TypeVar("Key")

MOST_DECIMALS = 6
"""The largest number of decimals of a column."""

LARGE = 1e12
"""The size from which a value has an exponent: more digits than that are hard to count."""

_PATH = re.compile(r"(?<![\w.<])(?:~|[A-Za-z]:)?(?:[\\/][\w.@+~ -]*\w)*[\\/](?P<name>[\w.@+~-]+)")
"""An absolute path: one that begins with a separator, a drive, or a home folder."""


def without_paths(text: str) -> str:
    """Return text with only the last part of each absolute path, which may hold a user's name."""
    return _PATH.sub(lambda match: match["name"], text)


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun: ``1 epoch``, ``3 epochs``."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def percent(fraction: float, digits: int = 1) -> str:
    """Return a fraction in percent."""
    return f"{100 * fraction:z.{digits}f}\u00a0%" if math.isfinite(fraction) else "not finite"


def number(value: float | None, digits: int = 4) -> str:
    """Return a measurement with some significant digits."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return "not finite"
    return f"{value:.{digits}g}"


def amount(value: float, digits: int = 4) -> str:
    """Return a value in the units of a table: 128,600, not 1.286e+05."""
    if not value or not math.isfinite(value) or not 1e-4 <= abs(value) < LARGE:
        return number(value, digits)
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    text = f"{round(value, decimals):,.{max(0, decimals)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def decimal(value: float, decimals: int) -> str:
    """Return a value with fixed decimals, a huge one with an exponent.

    One that rounds to zero has no sign: 0.00, not -0.00.
    """
    if not math.isfinite(value) or abs(value) >= LARGE:
        return number(value)
    return f"{value:z.{decimals}f}"


def aligned(values: Mapping[Key, float | None], digits: int = 4) -> dict[Key, str]:
    """Return measurements of one column with equal decimals.

    The largest has some significant digits, the smallest at least two; where that would take too
    many decimals, or the largest is huge, all are written with an exponent.
    """
    sizes = [abs(value) for value in values.values() if value and math.isfinite(value)]
    form = "z.0f"
    if sizes:
        decimals = max(
            digits - 1 - math.floor(math.log10(max(sizes))), 1 - math.floor(math.log10(min(sizes)))
        )
        long = decimals > MOST_DECIMALS or max(sizes) >= LARGE
        form = f".{digits - 2}e" if long else f"z.{max(decimals, 0)}f"
    return {
        key: number(value) if value is None or not math.isfinite(value) else f"{value:{form}}"
        for key, value in values.items()
    }


def seconds(value: float) -> str:
    """Return a time in the unit that suits it."""
    if value < 120:
        return f"{value:.1f} s"
    return f"{value / 60:.0f} minutes" if value < 7200 else f"{value / 3600:.1f} hours"
