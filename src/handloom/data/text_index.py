"""TextIndex: the index of a category by its text, or by the number that the text holds."""

import math
from collections.abc import Sequence


class TextIndex:
    """The indices of categories or classes.

    A text that no category has, but that is a finite number, is the first category of the same
    number: ``"3.0"`` and ``"03"`` are the category ``"3"``. Each cell is looked up by itself.

    Parameters
    ----------
    categories : sequence of str
    start : int
        The index of the first one.
    """

    def __init__(self, categories: Sequence[str], start: int = 0) -> None:
        self._by_text = {category: index for index, category in enumerate(categories, start)}
        self._by_number: dict[float, int] = {}
        for category, index in self._by_text.items():
            number = finite_number(category)
            if number is not None:
                self._by_number.setdefault(number, index)

    def get(self, text: str) -> int | None:
        """Return the index of the category of a text; None if there is none."""
        index = self._by_text.get(text)
        if index is not None or not self._by_number:
            return index
        number = finite_number(text)
        return None if number is None else self._by_number.get(number)


def finite_number(text: str) -> float | None:
    """Return the finite number that a text holds; None for any other text."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None  # Python takes 1_000
