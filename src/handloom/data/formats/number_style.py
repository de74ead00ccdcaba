"""Numbers as CSV files write them: with a decimal comma, and points or commas between thousands."""

import re
from collections.abc import Iterable, Mapping, Sequence

from handloom.data.notes import Tell
from handloom.errors import DataError

_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+([eE][+-]?[0-9]+)?")
_DECIMAL_POINT = re.compile(r"[+-]?[0-9]*\.[0-9]+([eE][+-]?[0-9]+)?")
_WITH_POINTS = re.compile(r"[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})+(,[0-9]+)?")
_WITH_COMMAS = re.compile(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]+)?")


class NumberStyle:
    """How the numbers of a file are written, as the first lines show it.

    With a decimal comma somewhere in the file, a column may have points between thousands, as in
    ``13.429,2`` and ``1.201``: if all its numbers with a point have them there. Without one, commas
    may be between thousands, as in ``1,234.5``.

    Parameters
    ----------
    sample : mapping of str to sequence of str
        The cells of each column in the first lines.
    commas_separate : bool
        Whether commas separate the cells, so that no number has a decimal comma.
    where : str
        The beginning of messages.
    tell : callable
        Called with a note about each style.
    """

    def __init__(
        self,
        sample: Mapping[str, Sequence[str]],
        *,
        commas_separate: bool,
        where: str,
        tell: Tell,
    ) -> None:
        self._where, self._tell = where, tell
        self._examples: dict[str, str] = {}
        """A number with points or commas between thousands in each column that has one."""
        self._decimal_points: set[str] = set()
        cells = [cell.strip() for column in sample.values() for cell in column]
        self._decimal_comma = not commas_separate and self._has_decimal_comma(cells)
        if not self._decimal_comma and not commas_separate:
            self._tell_of_thousands(sample)
        if self._decimal_comma:
            for name, column in sample.items():
                if any(map(_has_decimal_point, column)):
                    self._decimal_points.add(name)

    def unified(self, name: str, cells: Sequence[str], lines: Sequence[int]) -> Sequence[str]:
        """Return the cells of a column with numbers as ``1234.5``, and other cells unchanged.

        Raises
        ------
        DataError
            If one number of a column has a point between thousands, and another a decimal point.
        """
        if not self._decimal_comma:
            if not any("," in cell for cell in cells):
                return cells
            return [self._without(",", _WITH_COMMAS, name, cell) for cell in cells]
        if name in self._decimal_points:
            return list(map(_with_point, cells))
        unified = []
        for cell, line in zip(cells, lines, strict=True):
            if _has_decimal_point(cell):
                self._refuse_two_meanings(name, cell, line)
            unified.append(_with_point(self._without(".", _WITH_POINTS, name, cell)))
        return unified

    def _has_decimal_comma(self, cells: Iterable[str]) -> bool:
        """Return whether numbers of a file have a decimal comma, and tell it with an example."""
        ambiguous = ""
        for cell in cells:
            grouped = _WITH_COMMAS.fullmatch(cell)
            if grouped and ("." in cell or cell.count(",") > 1):
                return False
            if _DECIMAL_COMMA.fullmatch(cell) or ("," in cell and _WITH_POINTS.fullmatch(cell)):
                ambiguous = ambiguous or cell
                if not grouped:
                    ambiguous = cell
                    break
        if ambiguous:
            self._tell(f"{self._where}numbers such as {ambiguous!r} have a decimal comma")
        return bool(ambiguous)

    def _tell_of_thousands(self, sample: Mapping[str, Sequence[str]]) -> None:
        """Tell columns whose points may all be between thousands, as in ``4.050`` for 4050."""
        for name, column in sample.items():
            pointed = [cell.strip() for cell in column if "." in cell]
            if len(pointed) > 1 and all(map(_WITH_POINTS.fullmatch, pointed)):
                self._tell(
                    f"{self._where}column {name!r}: numbers such as {pointed[0]!r} are read with a "
                    "decimal point; if it is between thousands, write them without it"
                )

    def _without(self, mark: str, pattern: re.Pattern[str], name: str, cell: str) -> str:
        """Return a number without the marks between thousands, told once for each column."""
        stripped = cell.strip()
        if not pattern.fullmatch(stripped):
            return cell
        if name not in self._examples:
            self._examples[name] = stripped
            spelled = {".": "points", ",": "commas"}[mark]
            self._tell(
                f"{self._where}column {name!r}: numbers such as {stripped!r} have {spelled} "
                "between thousands"
            )
        return stripped.replace(mark, "")

    def _refuse_two_meanings(self, name: str, cell: str, line: int) -> None:
        if example := self._examples.get(name):
            raise DataError(
                f"{self._where}column {name!r}: {example!r} has a point between thousands, as the "
                f"file has decimal commas, but {cell.strip()!r} in line {line} a decimal point: "
                "write all numbers of the file in one way"
            )


def _has_decimal_point(cell: str) -> bool:
    stripped = cell.strip()
    return bool(_DECIMAL_POINT.fullmatch(stripped)) and not _WITH_POINTS.fullmatch(stripped)


def _with_point(cell: str) -> str:
    """Return a number with a decimal comma with a point; other cells unchanged."""
    stripped = cell.strip()
    return stripped.replace(",", ".") if _DECIMAL_COMMA.fullmatch(stripped) else cell
