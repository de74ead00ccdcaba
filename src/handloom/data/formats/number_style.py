"""Numbers as CSV files write them: with a decimal comma, and points or commas between thousands."""

import re
from collections.abc import Mapping, Sequence

from handloom.data.cells import MISSING_TEXTS
from handloom.data.decimal_mark import DecimalMark, tell_of_other_mark
from handloom.data.notes import Tell
from handloom.errors import DataError

_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+([eE][+-]?[0-9]+)?")
_DECIMAL_POINT = re.compile(r"[+-]?[0-9]*\.[0-9]+([eE][+-]?[0-9]+)?")
_WITH_POINTS = re.compile(r"[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})+(,[0-9]+)?")
_WITH_COMMAS = re.compile(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]+)?")


_MARKED = re.compile(r"[+-]?[0-9.,]*[0-9][0-9.,]*([eE][+-]?[0-9]+)?")
"""A number with any marks."""


class NumberStyle:
    """How the numbers of a file are written, as its lines, or the first ones, show it.

    With a decimal comma somewhere in the file, a column may have points between thousands, as in
    ``13.429,2`` and ``1.201``: if all its numbers with a point have them there. Without one, commas
    may be between thousands, as in ``1,234.5``. Where these lines do not show it, the style is
    that of the training rows.

    Parameters
    ----------
    sample : mapping of str to sequence of str
        The cells of each column in these lines.
    commas_separate : bool
        Whether commas separate the cells, so that no number has a decimal comma.
    where : str
        The beginning of messages.
    tell : callable
        Called with a note about each style.
    known : DecimalMark, optional
        The mark of the training rows.
    """

    def __init__(
        self,
        sample: Mapping[str, Sequence[str]],
        *,
        commas_separate: bool,
        where: str,
        tell: Tell,
        known: DecimalMark | None = None,
    ) -> None:
        self._where, self._tell, self._known = where, tell, known
        self._examples: dict[str, str] = {}
        """A number with points or commas between thousands in each column that has one."""
        self._later_points: dict[str, tuple[str, int]] = {}
        """A number with a decimal point after the sample in each column that has one, its line."""
        self._decimal_points: set[str] = set()
        self._decimal_comma = not commas_separate and self._has_decimal_comma(sample)
        if commas_separate:
            self._tell_of_lost_thousands(sample)
        elif not self._decimal_comma:
            self._tell_of_thousands(sample)
        if self._decimal_comma:
            kept = () if known is None or known.mark == "." else known.with_points
            for name, column in sample.items():
                own = any(map(_has_decimal_point, column))
                if own or (name in kept and not any(map(_has_comma, column))):
                    self._decimal_points.add(name)
        self.mark = self._shown_mark(sample)
        """The decimal mark, as far as it is known."""

    def _shown_mark(self, sample: Mapping[str, Sequence[str]]) -> DecimalMark | None:
        """Return the decimal mark; None if no number has a comma or a point."""
        if self._decimal_comma:
            return DecimalMark(",", tuple(name for name in sample if name in self._decimal_points))
        cells = (cell.strip() for column in sample.values() for cell in column)
        shown = any(
            _DECIMAL_POINT.fullmatch(cell) or _WITH_COMMAS.fullmatch(cell)
            for cell in cells
            if "." in cell or "," in cell
        )
        return DecimalMark(".") if shown else self._known

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
                self._later_points.setdefault(name, (cell.strip(), line))
            unified.append(_with_point(self._without(".", _WITH_POINTS, name, cell)))
            self._refuse_two_meanings(name)
        return unified

    def _has_decimal_comma(self, sample: Mapping[str, Sequence[str]]) -> bool:
        """Return whether numbers of a file have a decimal comma, and tell it with an example."""
        ambiguous = ""
        columns = filter(_mostly_numbers, sample.values())  # one note among texts is no proof
        cells = (cell for column in columns for cell in column if "," in cell)
        for cell in map(str.strip, cells):
            grouped = _WITH_COMMAS.fullmatch(cell)
            if grouped and ("." in cell or cell.count(",") > 1):
                tell_of_other_mark(".", cell, self._known, self._where, self._tell)
                return False
            if _has_comma(cell):
                ambiguous = ambiguous or cell
                if not grouped:
                    self._tell(f"{self._where}numbers such as {cell!r} have a decimal comma")
                    tell_of_other_mark(",", cell, self._known, self._where, self._tell)
                    return True
        if self._known is not None:
            return self._known.mark == "," and not self._has_points(sample, self._known)
        if ambiguous:
            self._tell(f"{self._where}numbers such as {ambiguous!r} have a decimal comma")
        return bool(ambiguous)

    def _has_points(self, sample: Mapping[str, Sequence[str]], known: DecimalMark) -> bool:
        """Return whether columns have decimal points that had commas before, and tell it."""
        for name, column in sample.items():
            example = next(filter(_has_decimal_point, column), None)
            if known.is_comma(name) and example is not None:
                tell_of_other_mark(".", example.strip(), known, self._where, self._tell)
                return True
        return False

    def _tell_of_lost_thousands(self, sample: Mapping[str, Sequence[str]]) -> None:
        """Tell columns that have decimal points where the training rows had them in thousands."""
        for name, column in sample.items():
            pointed = [cell.strip() for cell in column if "." in cell]
            ambiguous = pointed and all(map(_WITH_POINTS.fullmatch, pointed))
            if ambiguous and self._known is not None and self._known.is_comma(name):
                tell_of_other_mark(".", pointed[0], self._known, self._where, self._tell)
                return

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

    def _refuse_two_meanings(self, name: str) -> None:
        """Refuse a column that has points of both meanings, in any order."""
        if name in self._examples and name in self._later_points:
            cell, line = self._later_points[name]
            raise DataError(
                f"{self._where}column {name!r}: {self._examples[name]!r} has a point between "
                f"thousands, as the file has decimal commas, but {cell!r} in line {line} a decimal "
                "point: write all numbers of the file in one way"
            )


def _mostly_numbers(column: Sequence[str]) -> bool:
    """Return whether most cells with a value are numbers, whatever their marks mean."""
    present = [cell for cell in map(str.strip, column) if cell not in MISSING_TEXTS]
    return 2 * sum(_MARKED.fullmatch(cell) is not None for cell in present) > len(present)


def _has_decimal_point(cell: str) -> bool:
    if "." not in cell:
        return False
    stripped = cell.strip()
    return bool(_DECIMAL_POINT.fullmatch(stripped)) and not _WITH_POINTS.fullmatch(stripped)


def _has_comma(cell: str) -> bool:
    """Return whether a cell is a number with a decimal comma, as in ``48,8`` and ``1.458,28``."""
    stripped = cell.strip()
    points = "," in stripped and _WITH_POINTS.fullmatch(stripped)
    return bool(points or _DECIMAL_COMMA.fullmatch(stripped))


def _with_point(cell: str) -> str:
    """Return a number with a decimal comma with a point; other cells unchanged."""
    stripped = cell.strip()
    return stripped.replace(",", ".") if _DECIMAL_COMMA.fullmatch(stripped) else cell
