"""Statistics of a column of a table, from chunks of its rows, and the encoding they decide on."""

import math
import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from handloom.data.cells import BOOLEANS, Cells, cells_of, is_date
from handloom.data.column_encoding import ColumnEncoding
from handloom.data.frames import Column
from handloom.data.notes import Tell
from handloom.data.table import Chunk
from handloom.errors import DataError

MAX_ONE_HOT = 50
"""The largest number of categories of a column that become columns of 0 and 1."""

MAX_DISTINCT = 100_000
"""The largest number of different values that are counted, and so of categories."""

ALL_DIFFERENT = 0.9
"""The fraction of different values from which texts are no categories."""

FEW = 10
"""The number of different texts that are categories, even if all differ or most are numbers."""

SEVERAL = 20
"""The least number of rows of an identifier."""

_WITH_SIGNS = re.compile(
    r"[+-]?([$€£¥₹])?\s?(?:\d{1,3}(?:[.,'\s]\d{3})+|\d+)(?:[.,]\d+)?"
    r"(\s?[%‰°$€£¥₹]|\s?(?!(?:st|nd|rd|th)$)[a-zµ]{2,3}[²³]?|\s[a-zA-Z]{1,3})?"
)
"""A number with a currency or a unit; ordinals such as ``4th``, and codes, are none."""

_WITH_SPACES = re.compile(r"[+-]?\d{1,3}(?:['\s]\d{3})+[.,]\d+")
"""A number with spaces or apostrophes between thousands; without decimals it may be a code."""


@dataclass(frozen=True)
class Remedies:
    """Advice in errors and notes about a column; ``{0}`` is its name, ``{1}`` the same for a shell.

    The defaults are for tables; callers with other options write their own.
    """

    leave_out: str = "leave it out with drop=[{0!r}] (--drop {1})"
    categorical: str = "make it categories with categorical=[{0!r}] (--categorical {1})"
    embed: str = "pass embed=[{0!r}] (--embed {1})"


@dataclass
class ColumnStatistics:
    """The statistics of one column; `add` takes its rows chunk by chunk.

    Parameters
    ----------
    name : str
    where : str
        The beginning of error messages; see `Table`.
    categorical : bool
        Whether numbers are categories.
    remedies : Remedies
        The advice in errors and notes.
    """

    name: str
    where: str = ""
    categorical: bool = False
    remedies: Remedies = field(default_factory=Remedies)
    rows: int = 0
    missing: int = 0
    mean: float = 0.0
    squares: float = 0.0  # the sum of the squared deviations from the mean
    low: float = math.inf
    high: float = -math.inf
    whole: bool = True
    contents: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    declared: tuple[str, ...] = ()
    not_a_number: str = ""
    _booleans: dict[str, str] = field(default_factory=dict)

    def add(self, chunk: Chunk) -> None:
        """Add the rows of a chunk.

        Raises
        ------
        DataError
            If the column holds infinity, dates, or something else than numbers and texts.
        """
        column = chunk.columns[self.name]
        cells = cells_of(column)
        self.rows += len(cells.missing)
        self.missing += int(cells.missing.sum())
        if column.categories is not None:
            own = _written(column, column.categories)  # may differ between chunks
            self.declared = tuple(dict.fromkeys((*self.declared, *own)))
        if cells.content == "nothing":
            return
        if cells.content == "date":
            raise self._date(str(cells.texts[~cells.missing][0]))
        text = self.categorical or column.categories is not None
        self.contents.add("text" if text else cells.content)
        if cells.content == "text" or text:
            self._count(cells)
            if cells.not_a_number is not None and not self.not_a_number:
                bad = cells.not_a_number
                self.not_a_number = f"{str(cells.texts[bad])!r} in {chunk.row(bad)}"
            return
        require_finite(cells, self.name, chunk, self.where)
        self.whole &= cells.whole
        self._add_numbers(cells.values[~cells.missing])
        if len(self.counts) <= MAX_DISTINCT:
            self._count(cells)  # in case that a later row holds a text

    def _count(self, cells: Cells) -> None:
        for text, rows in Counter(cells.texts[~cells.missing].tolist()).items():
            lower = text.lower()
            boolean = lower in BOOLEANS  # counted in the case of the first row
            self.counts[self._booleans.setdefault(lower, text) if boolean else text] += rows

    def _add_numbers(self, values: npt.NDArray[np.float64]) -> None:
        """Merge mean and squared deviations.

        Source: Chan, Golub, LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing
        Sample Variances", Technical Report STAN-CS-79-773, Stanford, 1979.
        """
        earlier, count = self.rows - self.missing - len(values), len(values)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(values.mean())
            difference = mean - self.mean
            squares = float(((values - mean) ** 2).sum())
            share = earlier * count / (earlier + count)
            self.squares += squares + difference * difference * share  # may be infinite
            self.mean += difference * count / (earlier + count)
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))

    @property
    def present(self) -> int:
        """The number of rows with a value."""
        return self.rows - self.missing

    @property
    def kind(self) -> str:
        """The kind of the column: number, boolean or category, or nothing without a value."""
        if not self.contents:
            return "nothing"
        if self.contents == {"boolean"}:
            return "boolean"
        mixed = len(self.contents) > 1  # as `true` and 3 in one chunk, which are texts
        return "category" if mixed or "text" in self.contents else "number"

    @property
    def scale(self) -> float:
        """The standard deviation; 0 if all numbers are equal, as their mean is rounded."""
        return 0.0 if self.low == self.high else math.sqrt(self.squares / self.present)

    def encoding(self, *, embedded: bool, tell: Tell) -> ColumnEncoding | None:
        """Return the encoding of the column; None if it is constant.

        Raises
        ------
        DataError
            If it holds dates, free text, or more categories than can be columns.
        """
        if self.kind == "nothing":
            return None
        if self.kind == "category":
            return self._categories(embedded=embedded, tell=tell)
        if embedded:
            raise DataError(
                f"{self.where}embed names the column {self.name!r}, which holds numbers: name it "
                f"in categorical= (--categorical) too, or leave it out of embed= (--embed)"
            )
        scale = self.scale
        if not scale and not self.missing:
            return None
        if not math.isfinite(scale) or not math.isfinite(self.mean):
            raise DataError(
                f"{self.where}column {self.name!r} holds numbers that are too large to be "
                f"standardized, up to {max(abs(self.low), abs(self.high)):g}: divide them, or "
                f"{self._leave_out}"
            )
        if self._may_identify:
            tell(
                f"{self.where}column {self.name!r} may be an identifier: all its {self.rows:,} "
                f"integers differ; if so, {self._leave_out}"
            )
        return ColumnEncoding(
            self.name,
            "boolean" if self.kind == "boolean" else "number",
            self.missing,
            self.mean,
            scale,
            low=self.low,
            high=self.high,
        )

    @property
    def constancy(self) -> str:
        """The reason why a column has no encoding."""
        if self.kind == "nothing":
            return "no training row has a value"
        if self.low < self.high:  # the square of a difference is 0
            return "the numbers of the training rows hardly differ"
        if self.whole and abs(self.low) >= 2**53 and len(self.counts) > 1:
            return (
                "the integers of the training rows differ only in digits that are lost from 2^53 "
                f"on; if they are identifiers, {self._remedy(self.remedies.categorical)}"
            )
        return "all training rows have the same value"

    @property
    def _leave_out(self) -> str:
        return self._remedy(self.remedies.leave_out)

    def _remedy(self, text: str) -> str:
        """Return a remedy with the name of the column, also as the shell takes it."""
        return text.format(self.name, shlex.quote(self.name))

    @property
    def _may_identify(self) -> bool:
        """Whether all rows hold different integers, which are dense or named as identifiers."""
        different = self.whole and SEVERAL <= self.rows == self.present == len(self.counts)
        named = re.search(r"(^|[^a-z])id$|Id$|ID$", self.name) is not None
        return different and (named or self.high - self.low < 2 * self.rows)

    def _categories(self, *, embedded: bool, tell: Tell) -> ColumnEncoding | None:
        distinct, column = len(self.counts), f"{self.where}column {self.name!r}"
        first = next(iter(self.counts))
        if sum(map(is_date, self.counts)) > ALL_DIFFERENT * distinct:
            raise self._date(first)
        remedy = self._leave_out
        if distinct > FEW and self.mostly_numbers():
            if self.not_a_number:
                raise DataError(
                    f"{column} holds numbers and texts, the first is {self.not_a_number}: mend "
                    f"such cells, empty those without a value, "
                    f"{self._remedy(self.remedies.categorical)}, or {remedy}"
                )
            raise DataError(
                f"{column} holds numbers as texts, such as {_shown(first)}: convert them, for "
                f"instance with pandas.to_numeric, or {remedy}"
            )
        if distinct > FEW and distinct >= ALL_DIFFERENT * self.present and not self.declared:
            raise DataError(
                f"{column} holds free text or an identifier: {distinct:,} different texts in "
                f"{self.present:,} rows, such as {_shown(first)}: {remedy}"
            )
        if distinct > MAX_DISTINCT:
            raise DataError(
                f"{column} holds more than {MAX_DISTINCT:,} categories, such as {_shown(first)}: "
                f"merge rare ones, or {remedy}"
            )
        if distinct > MAX_ONE_HOT and not embedded:
            raise DataError(
                f"{column} holds {distinct:,} categories, more than the {MAX_ONE_HOT} that become "
                f"columns of 0 and 1: {self._remedy(self.remedies.embed)} to learn a vector "
                f"for each, merge rare ones, or {remedy}"
            )
        if distinct == 1 and not self.missing:
            return None
        if number := self._number_with_signs():
            tell(
                f"{column} holds numbers such as {_shown(number)}, which are read as categories: "
                "to have them read as numbers, write them as in 1234.5; if they are categories, "
                f"{self._remedy(self.remedies.categorical)}"
            )
        return ColumnEncoding(
            self.name, "category", self.missing, categories=self.order(), embedded=embedded
        )

    def order(self) -> tuple[str, ...]:
        """Return the categories that occur: in their declared order, or sorted."""
        if self.declared:
            return tuple(name for name in self.declared if name in self.counts)
        try:
            return tuple(sorted(self.counts, key=float))
        except ValueError:
            return tuple(sorted(self.counts))

    def mostly_numbers(self) -> bool:
        """Return whether most of the different texts are numbers."""
        return sum(map(_is_number, self.counts)) > 0.5 * len(self.counts) and not self.categorical

    def _number_with_signs(self) -> str:
        """Return a number, such as ``12%``, if nearly all texts are some with the same signs."""
        if self.categorical or self.declared or self.mostly_numbers():
            return ""
        signed = {text: signs for text in self.counts if (signs := _signs(text))}
        several = max(Counter(signed.values()).values(), default=0)
        return next(iter(signed)) if several > ALL_DIFFERENT * len(self.counts) else ""

    def _date(self, example: str) -> DataError:
        return DataError(
            f"{self.where}column {self.name!r} holds dates or times, such as {_shown(example)}: "
            f"turn them into numbers, such as the days since a date, the month or the hour, or "
            f"{self._leave_out}"
        )


def _signs(text: str) -> tuple[str, ...]:
    """Return the signs of a number that float does not read, or an empty tuple."""
    if _WITH_SPACES.fullmatch(text):
        return (" ",)
    match = _WITH_SIGNS.fullmatch(text)
    return () if match is None or not any(match.groups()) else match.groups("")


def require_finite(cells: Cells, name: str, chunk: Chunk, where: str = "") -> None:
    """Refuse infinity.

    Raises
    ------
    DataError
        Naming column and row.
    """
    bad = np.isinf(cells.values)
    if bad.any():
        row = int(bad.argmax())
        raise DataError(
            f"{where}column {name!r} must hold finite numbers, got {cells.values[row]} in "
            f"{chunk.row(row)}"
        )


def _written(column: Column, categories: Sequence[object]) -> tuple[str, ...]:
    """Return declared categories as they are written in cells: 1 for 1.0, without outer spaces."""
    values = np.asarray(categories)
    missing = np.zeros(len(values), bool)
    texts = cells_of(replace(column, values=values, missing=missing)).texts
    return tuple(dict.fromkeys(texts.tolist()))


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
