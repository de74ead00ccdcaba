"""TextIndex: the index of a category by its text, or by the number that the text holds."""

import math
from collections.abc import Sequence

from handloom.data.cells import BOOLEANS

LARGEST_INTEGER = 2**53 - 1
"""The largest integer that no other one is rounded to in float64."""


class TextIndex:
    """The indices of categories or classes.

    A text that no category has, but that is a number, is the first category of the same number:
    ``"3.0"`` and ``"03"`` are the category ``"3"``; see `category_number`. A boolean may be written
    in any case. Each cell is looked up by itself.

    Parameters
    ----------
    categories : sequence of str
    start : int
        The index of the first one.
    """

    def __init__(self, categories: Sequence[str], start: int = 0) -> None:
        self._by_text = {category: index for index, category in enumerate(categories, start)}
        self._by_number: dict[float, int] = {}
        self._booleans: dict[str, int] = {}
        for category, index in self._by_text.items():
            number = category_number(category)
            if number is not None:
                self._by_number.setdefault(number, index)
            if category.lower() in BOOLEANS:
                self._booleans.setdefault(category.lower(), index)

    def get(self, text: str) -> int | None:
        """Return the index of the category of a text; None if there is none."""
        index = self._by_text.get(text)
        if index is None and self._booleans:
            index = self._booleans.get(text.lower())
        if index is not None or not self._by_number:
            return index
        number = category_number(text)
        return None if number is None else self._by_number.get(number)


def category_number(text: str) -> float | None:
    """Return the number of a category that may be written in several ways; None for other texts.

    An integer from 2**53 on is an identifier, which all its digits tell apart. A text with an
    exponent without a sign, as in ``"12e3"``, is rather a code than a number.
    """
    number = finite_number(text)
    _, exponent, power = text.lower().partition("e")
    code = exponent and not power.startswith(("+", "-"))
    return None if number is None or code or abs(number) > LARGEST_INTEGER else number


def finite_number(text: str) -> float | None:
    """Return the finite number that a text holds; None for any other text."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None  # Python takes 1_000
