"""Cells: the values of a column of a table as numbers or texts, and which of them are missing."""

import datetime
import math
import numbers
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from handloom.data.frames import Column
from handloom.errors import DataError

Content = Literal["nothing", "number", "boolean", "text", "date"]

TEXT = "text of a file"
"""The dtype of a column of a CSV file, whose cells may be numbers."""

MISSING_TEXTS = frozenset(
    {"", "?", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "-nan"}
    | {"NULL", "null", "None", "none"}
)
"""Cells of a CSV file without a value."""

BOOLEANS = {"true": 1.0, "false": 0.0}
"""Cells of a CSV file that are booleans, in any case."""

_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DATE = re.compile(
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{1,2}[-/]\d{1,2}[-/]\d{2}"
    rf"|\d{{1,2}}[ -]({_MONTHS})[a-z]*[ -]\d{{2,4}}|({_MONTHS})[a-z]*\.? \d{{1,2}},? \d{{4}})"
    r"([T ].*)?|\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Cells:
    """The cells of a column.

    Attributes
    ----------
    content : {"nothing", "number", "boolean", "text", "date"}
        The kind of the values that are not missing; nothing if all are.
    missing : array of bool, shape (n,)
    values : array of float64, shape (n,)
        The values, NaN where they are missing or no numbers; booleans are 0 and 1, in a file also
        among numbers, which are texts together.
    whole : bool
        Whether all numbers are integers, by their dtype or as they are written.
    not_a_number : int or None
        The first row of texts that is neither a number nor a boolean, or else the first boolean;
        only where a column of a file, or of objects, may hold numbers too.
    """

    content: Content
    missing: npt.NDArray[np.bool_]
    values: npt.NDArray[np.float64]
    whole: bool
    not_a_number: int | None
    _text: Callable[[], Sequence[str]]

    @cached_property
    def texts(self) -> npt.NDArray[np.object_]:
        """The values as texts, shape (n,), ``""`` where they are missing."""
        array = np.empty(len(self.missing), object)
        array[:] = list(self._text())
        array[self.missing] = ""
        return array


def cells_of(column: Column, categories: Collection[str] = ()) -> Cells:
    """Return the cells of a column.

    Parameters
    ----------
    column : Column
    categories : collection of str
        The known categories of a learned column, which are no missing values in a file either.

    Raises
    ------
    DataError
        If it holds something else than numbers, booleans, texts and dates; naming the column.
    """
    values, missing = column.values, np.asarray(column.missing, bool)
    if values.ndim != 1:
        raise _refused(column, column.dtype)
    if column.dtype == TEXT:
        return _of_file(values.tolist(), MISSING_TEXTS.difference(categories))
    kind = values.dtype.kind
    if kind == "f":
        missing = missing | np.isnan(values)
    if kind in "iu":
        return _of_integers(values.astype(np.float64), missing, values)
    if kind in "bf":
        boolean = kind == "b"
        return _of_numbers(values.astype(np.float64), missing, boolean=boolean, whole=boolean)
    if kind in "mM":
        return _cells("nothing" if missing.all() else "date", missing, values.astype(str).tolist())
    return _of_objects(column, values, missing)


def _of_objects(column: Column, values: npt.NDArray[Any], missing: npt.NDArray[np.bool_]) -> Cells:
    """Return the cells of strings, or of Python objects."""
    objects = values.astype(object)
    missing = missing | np.array([_is_missing(value) for value in objects], bool)
    present = objects[~missing]
    if not len(present):
        return _cells("nothing", missing, [""] * len(objects))
    kinds = set(map(type, present.tolist()))
    if all(issubclass(kind, str) for kind in kinds):
        texts = [str(value).strip() for value in objects]
        missing = missing | np.array([not text for text in texts], bool)
        return _cells("nothing" if missing.all() else "text", missing, texts)
    if all(issubclass(kind, bool | np.bool_) for kind in kinds):
        return _of_numbers(_filled(objects, missing), missing, boolean=True, whole=True)
    if all(issubclass(kind, numbers.Integral) for kind in kinds):
        return _of_integers(_filled(objects, missing), missing, objects)
    if all(issubclass(kind, numbers.Real | Decimal) for kind in kinds):
        values = _filled(objects, missing)
        return _of_numbers(values, missing | np.isnan(values), boolean=False, whole=False)
    return _of_other_objects(column, objects, missing, kinds)


def _of_other_objects(
    column: Column,
    objects: npt.NDArray[np.object_],
    missing: npt.NDArray[np.bool_],
    kinds: set[type],
) -> Cells:
    """Return the cells of dates, of numbers among texts, or of categories of any type."""
    if all(issubclass(kind, datetime.date | datetime.time | datetime.timedelta) for kind in kinds):
        return _cells("date", missing, list(map(str, objects)))
    if all(issubclass(kind, str | numbers.Real | Decimal | np.bool_) for kind in kinds):
        return _of_numbers_and_texts(objects, missing)
    if column.categories is not None:  # intervals, say, which their text tells apart
        return _cells("text", missing, list(map(str, objects)))
    raise _refused(column, " and ".join(sorted(kind.__name__ for kind in kinds)))


def _of_numbers_and_texts(
    objects: npt.NDArray[np.object_], missing: npt.NDArray[np.bool_]
) -> Cells:
    """Return numbers and texts as texts, with the first that is not a number."""
    texts = [_as_text(value) for value in objects]
    missing = missing | np.array([not text for text in texts], bool)
    rows = np.flatnonzero(~missing).tolist()
    bad = next((row for row in rows if not _is_number(texts[row])), None)
    return replace(_cells("text", missing, texts), not_a_number=bad)


def _of_numbers(
    values: npt.NDArray[np.float64], missing: npt.NDArray[np.bool_], *, boolean: bool, whole: bool
) -> Cells:
    values = np.where(missing, np.nan, values)
    content: Content = "nothing" if missing.all() else "boolean" if boolean else "number"

    def texts() -> list[str]:
        return [_written(value, boolean=boolean) for value in values.tolist()]

    return Cells(content, missing, values, whole, None, texts)


def _of_integers(
    values: npt.NDArray[np.float64], missing: npt.NDArray[np.bool_], integers: npt.NDArray[Any]
) -> Cells:
    """Return integers with all their digits as texts: float64 merges those from 2**53 on."""

    def texts() -> list[str]:
        pairs = zip(integers.tolist(), missing.tolist(), strict=True)
        return ["" if absent else str(int(integer)) for integer, absent in pairs]

    return replace(_of_numbers(values, missing, boolean=False, whole=True), _text=texts)


def _of_file(cells: list[str], missing_texts: Collection[str]) -> Cells:
    """Return the cells of a column of a CSV file, which are texts that may be numbers."""
    if (values := _all_numbers(cells)) is not None:
        missing = np.zeros(len(cells), bool)
        return Cells(
            "number", missing, values, _whole(values, cells), None, partial(_stripped, cells)
        )
    texts = _stripped(cells)
    missing = np.array([text in missing_texts for text in texts], bool)
    if missing.all():
        return _cells("nothing", missing, texts)
    present = [text for text in texts if text not in missing_texts]
    values = np.full(len(texts), np.nan)
    if all(text.lower() in BOOLEANS for text in present):
        values[~missing] = [BOOLEANS[text.lower()] for text in present]
        return Cells("boolean", missing, values, True, None, lambda: texts)
    try:
        values[~missing] = list(map(_number, present))
    except ValueError:
        return _mixed(missing, texts, present)
    return Cells("number", missing, values, _whole(values, present), None, lambda: texts)


def _mixed(missing: npt.NDArray[np.bool_], texts: list[str], present: list[str]) -> Cells:
    """Return texts of a file; if all are numbers or booleans, with their values."""
    values = np.full(len(texts), np.nan)
    boolean = {text for text in set(present) if text.lower() in BOOLEANS}
    bad = next((each for each in present if each not in boolean and not _is_number(each)), None)
    if bad is None:
        bad = next(text for text in present if text in boolean)
        values[~missing] = [
            BOOLEANS[text.lower()] if text in boolean else _number(text) for text in present
        ]
    return Cells("text", missing, values, False, texts.index(bad), lambda: texts)


def _all_numbers(cells: list[str]) -> npt.NDArray[np.float64] | None:
    """Return the numbers of cells if each holds one, in a single pass."""
    try:
        values = np.array(list(map(float, cells)))
    except ValueError:
        return None
    return None if np.isnan(values).any() or "_" in "".join(cells) else values


def _whole(values: npt.NDArray[np.float64], texts: Sequence[str]) -> bool:
    """Return whether numbers, of which some may be missing, are written as integers."""
    integers = bool((np.isnan(values) | (values == np.floor(values))).all())
    return integers and all(text.strip().lstrip("+-").isdigit() for text in texts)


def _stripped(cells: list[str]) -> list[str]:
    return [cell.strip() for cell in cells]


def _cells(content: Content, missing: npt.NDArray[np.bool_], texts: Sequence[str]) -> Cells:
    values = np.full(len(missing), np.nan)
    return Cells(content, missing, values, False, None, lambda: texts)


def is_date(text: str) -> bool:
    """Return whether a text is a date, a time or both, as they are usually written."""
    return _DATE.fullmatch(text) is not None


def _number(text: str) -> float:
    """Return the number that a text holds, which may be infinite."""
    number = float(text)
    if math.isnan(number) or "_" in text:  # Python takes 1_000
        raise ValueError
    return number


def _is_number(text: str) -> bool:
    try:
        _number(text)
    except ValueError:
        return False
    return True


def _written(value: float, *, boolean: bool) -> str:
    """Return a number as text: 3, not 3.0."""
    if boolean:
        return str(value == 1.0)
    return str(int(value)) if value.is_integer() else repr(value)


def _as_text(value: object) -> str:
    if isinstance(value, float | np.floating):
        return _written(float(value), boolean=False)
    return str(value).strip()


def _filled(objects: npt.NDArray[Any], missing: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    values = np.full(len(objects), np.nan)
    try:
        values[~missing] = [float(value) for value in objects[~missing]]
    except OverflowError:
        values[~missing] = np.inf  # an integer above all floats, refused as such
    return values


def _is_missing(value: object) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _refused(column: Column, kind: str) -> DataError:
    return DataError(
        f"column {column.name!r} must hold numbers, booleans or texts, got {kind}: convert it, or "
        f"leave it out"
    )
