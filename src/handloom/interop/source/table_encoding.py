"""The encoding of raw rows of a table, in plain Python: it is written into exported files.

It is `handloom.data.columns.Columns.encode` for the cells of a CSV file, which are texts, and for
Python values. Texts are read as the cells of a CSV file.
"""

import warnings
from collections.abc import Sequence
from typing import Any

from handloom.data.cells import MISSING_TEXTS

Cells = Sequence[Any]
"""The cells of one column."""

Flat = list[list[float]]
"""Columns of flat rows, one list for each."""


def read_table(table: Any, names: Sequence[str]) -> dict[str, list[Any]]:
    """Return the columns with these names, of a dict of columns or a list of rows (dicts)."""
    if not hasattr(table, "keys"):
        rows = list(table)
        if not all(isinstance(row, dict) for row in rows):
            raise ValueError("expected a dict of columns, or a list of dicts, one for each row")
        rows = [named(row, names, f" in row {number}") for number, row in enumerate(rows)]
        table = {name: [row[name] for row in rows] for name in names}
    table = named(table, names)
    for name in names:
        if isinstance(table[name], str) or not hasattr(table[name], "__iter__"):
            raise ValueError(f"column {name!r} is {table[name]!r}: of a single row, pass [row]")
    columns = {name: list(table[name]) for name in names}
    sizes = [len(cells) for cells in columns.values()]
    for name, size in zip(names, sizes, strict=True):
        if size != max(sizes):
            raise ValueError(f"column {name!r} has {size} cells, others have {max(sizes)}")
    if not max(sizes):
        raise ValueError("expected at least one row, got none")
    return columns


def named(table: Any, names: Sequence[str], where: str = "") -> dict[str, Any]:
    """Return the columns of a table, or the cells of a row; spaces around their names are cut."""
    keys = list(table.keys())
    known = {**{str(key).strip(): key for key in keys}, **{key: key for key in keys}}
    for name in names:
        if name not in known:
            raise ValueError(
                f"column {name!r} is missing{where}, got {', '.join(map(repr, keys))}"
                f"{advice_on_file(name, keys)}"
            )
    return {name: table[known[name]] for name in names}


def advice_on_file(name: str, keys: Sequence[Any]) -> str:
    """Return how to read the CSV file of a table with these names, in which one is missing."""
    if any(str(key).startswith("\ufeff") for key in keys):
        return "; open the file with encoding='utf-8-sig'"
    for delimiter in ";\t|":
        if any(name in map(str.strip, str(key).split(delimiter)) for key in keys):
            return f"; read the file with csv.DictReader(file, delimiter={delimiter!r})"
    return ""


def with_decimal_points(table: dict[str, list[Any]], names: Sequence[str]) -> dict[str, list[Any]]:
    """Return columns in which texts such as "1.458,28" are written "1458.28", and others as is."""
    read = [[with_point(cell) for cell in table[name]] for name in names]
    return {**table, **dict(zip(names, read, strict=True))}


def with_point(cell: Any) -> Any:
    """Return a number with a decimal comma with a point; other cells unchanged."""
    if not isinstance(cell, str):
        return cell
    whole, comma, fraction = cell.strip().partition(",")
    first, *thousands = whole.split(".")
    digits = first.lstrip("+-")
    grouped = digits[:1] in set("123456789") and len(digits) <= 3
    if grouped and all(len(each) == 3 and each.isdigit() for each in thousands):
        whole = first + "".join(thousands)
    number = f"{whole}.{fraction}" if comma and digits and fraction else whole
    return cell if str(read_number(number)) == "nan" else number


def encode_numbers(
    table: dict[str, list[Any]], name: str, *, mean: float, scale: float, missing: bool = False
) -> Flat:
    """Return the standardized column (x - mean) / scale, 0 where a value is missing.

    With `missing`, a second column is 1 where the value is missing, and else 0. A scale of 0
    stands for a constant column, of which only the second one remains.
    """
    values = read_numbers(name, table[name])
    if not missing:
        warn_of_missing(name, values.count(None))
    flat = []
    if scale:
        flat.append([0.0 if x is None else (x - mean) / scale for x in values])
        if max(map(abs, flat[0])) > 3.4e38:  # the largest float32
            raise ValueError(f"column {name!r} must hold numbers like {mean:g}, got larger ones")
    if missing:
        flat.append([1.0 if x is None else 0.0 for x in values])
    return flat


def encode_categories(
    table: dict[str, list[Any]], name: str, categories: Sequence[str], *, missing: bool = False
) -> Flat:
    """Return a column for each category: 1 in the rows of this category, and else 0.

    With `missing`, a further column is 1 where the value is missing. A category that is none of
    these has 0 in all columns.
    """
    indices = read_categories(name, table[name], categories)
    if not missing:
        warn_of_missing(name, indices.count(0))
    columns = [*range(2, 2 + len(categories)), *([0] if missing else [])]
    return [[1.0 if index == column else 0.0 for index in indices] for column in columns]


def encode_indices(
    table: dict[str, list[Any]], name: str, categories: Sequence[str], *, missing: bool = False
) -> Flat:
    """Return a column of indices: 0 for a missing value, 1 for an unknown one, 2, 3, ..."""
    indices = read_categories(name, table[name], categories)
    if not missing:
        warn_of_missing(name, indices.count(0))
    return [list(map(float, indices))]


def read_numbers(name: str, cells: Cells) -> list[float | None]:
    """Return the numbers of a column, None where they are missing; true and false are 1 and 0."""
    read = []
    for row, value in enumerate(read_values(cells)):
        boolean = {"true": 1.0, "false": 0.0}.get(str(value).lower())
        number = read_number(value) if boolean is None and value is not None else boolean
        if number is not None and not abs(number) < float("inf"):
            text = isinstance(value, str) and "," in value
            hint = ": write it as Python's float reads it, such as 1234.5" if text else ""
            raise ValueError(
                f"column {name!r} must hold numbers, got {cells[row]!r} in row {row}{hint}"
            )
        read.append(number)
    return read


def read_categories(name: str, cells: Cells, categories: Sequence[str]) -> list[int]:
    """Return the indices of categories: 0 for a missing value, 1 for an unknown one, 2, 3, ...

    A number that is no category as it is written, such as "3.0", is the category "3", and a boolean
    may be written in any case.
    """
    by_text = {category: index for index, category in enumerate(categories, 2)}
    booleans = {"true", "false"}
    by_case = {each.lower(): by_text[each] for each in reversed(categories)}
    by_number = {category_number(each): by_text[each] for each in reversed(categories)}
    values, indices = read_values(cells, categories), []
    for value in values:
        number = float("nan") if isinstance(value, bool) else category_number(value)
        known = by_number.get(number, 1) if abs(number) < float("inf") else 1
        text = "" if value is None else text_of(value)
        if text.lower() in booleans:
            known = by_case.get(text.lower(), 1)
        indices.append(0 if value is None else by_text.get(text, known))
    warn_of_unseen(name, [text_of(values[row]) for row, index in enumerate(indices) if index == 1])
    return indices


def warn_of_unseen(name: str, texts: Sequence[str]) -> None:
    """Warn of the rows of a column with categories that the training rows lack."""
    counts: dict[str, int] = {}
    for text in texts:
        counts[text] = counts.get(text, 0) + 1
    if counts:
        rows, several = len(texts), "ies" if len(counts) > 1 else "y"
        warnings.warn(
            f"column {name!r}: {rows:,} row{'s' * (rows > 1)} with {len(counts):,} "
            f"categor{several} that the training rows lack, such as "
            f"{max(counts, key=lambda text: counts[text])!r:.60}; treated as unseen",
            stacklevel=6,  # where predict is called
        )


def warn_of_missing(name: str, rows: int) -> None:
    """Warn of rows without a value in a column without missing ones in the training rows."""
    if rows:
        warnings.warn(
            f"column {name!r}: {rows:,} row{'s' * (rows > 1)} without a value, of which "
            "the training rows had none; treated as an average row",
            stacklevel=5,  # where predict is called
        )


def read_values(cells: Cells, categories: Sequence[str] = ()) -> list[Any]:
    """Return texts without spaces around them, other values unchanged, None for missing ones.

    None, NaN and the texts of `MISSING_TEXTS` are missing values, unless they name a category.
    """
    values = [cell.item() if hasattr(cell, "item") else cell for cell in cells]  # of NumPy
    values = [value.strip() if isinstance(value, str) else value for value in values]
    texts = set(MISSING_TEXTS) - set(categories)
    values = [None if isinstance(each, float) and str(each) == "nan" else each for each in values]
    return [None if value is None or str(value) in texts else value for value in values]


def text_of(value: Any) -> str:
    """Return a cell as text: of whole numbers "3", not "3.0"."""
    if isinstance(value, str | int):
        return str(value)
    number = read_number(value)
    return str(int(number)) if number.is_integer() else repr(number)


def category_number(value: Any) -> float:
    """Return the number of a category that may be written in several ways; NaN for other texts.

    Integers from 2**53 on are identifiers, and "12e3" is a code.
    """
    number = read_number(value)
    _, exponent, power = str(value).lower().partition("e")
    code = exponent and power[:1] not in set("+-")
    return float("nan") if code or abs(number) >= 2**53 else number


def read_number(value: Any) -> float:
    """Return a number, or a text that holds one, as a float; NaN for any other text."""
    try:
        return float("nan") if "_" in str(value) else float(value)  # Python reads 1_000
    except (TypeError, ValueError):
        return float("nan")
    except OverflowError:
        return float("inf")
