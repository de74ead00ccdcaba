"""Columns: the learned encoding of a table's columns, and the comparison of column names."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from handloom.data.cells import Cells, cells_of
from handloom.data.column_encoding import (
    UNSEEN,
    ColumnEncoding,
    closed_object,
    text_list,
)
from handloom.data.decimal_mark import DecimalMark
from handloom.data.notes import Tell, warn
from handloom.data.table import Chunk, Table, table_of
from handloom.data.table_target import TableTarget, require_numbers
from handloom.errors import ConfigurationError, DataError, did_you_mean, require_count
from handloom.text import listed

VERSION = 1

MAX_COLUMNS = 100_000
"""The largest number of columns of flat rows."""

FEW_ROWS = 5
"""The number of rows below which one column of numbers shows nothing about their units."""

ENTRIES = ("version", "rows", "inputs", "left_out", "target", "decimal_mark")


@dataclass(frozen=True)
class Columns:
    """The learned encoding of a table's columns: how its rows become flat rows of numbers.

    `handloom.Dataset.from_frame` and `handloom.open_table` learn it from the training rows, and a
    model keeps it, so that `handloom.Model.predict` takes raw rows.

    Parameters
    ----------
    inputs : tuple of ColumnEncoding
        The input columns in their order.
    left_out : tuple of str
        Columns of the training table that are no inputs: constant ones, and those of ``drop``.
    target : TableTarget or None
        The target column.
    rows : int
        The number of training rows.
    decimal_mark : DecimalMark or None
        The decimal mark of the CSV file of the training rows; None if it is unknown.

    Raises
    ------
    ConfigurationError
        If a value is invalid.
    """

    inputs: tuple[ColumnEncoding, ...]
    left_out: tuple[str, ...] = ()
    target: TableTarget | None = None
    rows: int = 1
    decimal_mark: DecimalMark | None = None

    def __post_init__(self) -> None:
        require_count("rows of the columns", self.rows)
        names = [each.name for each in self.inputs]
        names += [*self.left_out, *([] if self.target is None else [self.target.name])]
        if not self.inputs:
            raise ConfigurationError("the columns must have at least one input, got none")
        if len(set(names)) < len(names):
            raise ConfigurationError("the names of columns must differ")
        if len(self.names) > MAX_COLUMNS:
            raise ConfigurationError(
                f"flat rows must have at most {MAX_COLUMNS:,} columns, got {len(self.names):,}"
            )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the flat columns: ``"age"``, ``"age is missing"``, ``"sex=male"``."""
        return tuple(name for each in self.inputs for name in each.names)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes of the target, or of the only output; empty without a target."""
        return () if self.target is None else self.target.class_names

    @cached_property
    def embedded(self) -> dict[int, int]:
        """The columns of flat rows that hold indices, each with the number of its categories.

        `handloom.Embedding` takes it. Index 0 stands for a missing value, 1 for an unseen one, and
        from 2 on the categories.
        """
        ends = np.cumsum([len(each.names) for each in self.inputs]).tolist()
        pairs = zip(self.inputs, ends, strict=True)
        return {end - 1: len(each.categories) for each, end in pairs if each.embedded}

    def transform(self, frame: object, *, tell: Tell = warn) -> npt.NDArray[np.float32]:
        """Return the flat rows of a raw frame, shape (n, columns).

        Columns are matched by name, in any order. Unseen categories, numbers that are farther
        outside of the range of the training rows than it is wide, missing values in a column that
        had none in the training rows, and further columns, which are ignored, are told.

        Parameters
        ----------
        frame : DataFrame or pyarrow table
            With the input columns of the training table; the target may be missing.
        tell : callable, optional
            Called with each note; by default it is a `DataWarning`.

        Raises
        ------
        DataError
            If a column is missing, holds texts instead of numbers, or infinity.
        """
        table = table_of(frame)
        (rows,) = self.encoded(table, tell=tell)
        return rows

    def warn_of_raw_rows(self, rows: object) -> None:
        """Warn if an array of flat rows, shape (n, columns), looks like raw rows.

        In one of its columns most numbers are then far outside of the range of the training rows;
        of few rows, in most of its columns.
        """
        if not isinstance(rows, np.ndarray) or rows.shape[1:] != (len(self.names),):
            return
        at, low, high = self._flat_limits
        if not len(rows) or not len(at):
            return
        standardized = rows[:, at]
        far = ((standardized < low) | (standardized > high)).mean(axis=0) > 0.5
        if not far.any() or (len(rows) < FEW_ROWS and far.mean() <= 0.5):
            return
        first = int(far.argmax())
        names = ", ".join(own.name for own in self.inputs[:5])
        warn(
            f"the inputs look like raw rows, not flat ones, which are standardized: most numbers "
            f"of {self.names[at[first]]!r} are outside of {low[first]:.3g} to {high[first]:.3g}; "
            f"pass raw rows as a DataFrame with the columns {names}"
            f"{', ...' * (len(self.inputs) > 5)}"
        )

    @cached_property
    def _flat_limits(
        self,
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The flat columns of numbers, and the limits beyond which a number is far outside."""
        at, limits, start = [], [], 0
        for each in self.inputs:
            if each.scale:
                at.append(start)
                limits.append([(limit - each.mean) / each.scale for limit in each.limits])
            start += len(each.names)
        low, high = np.array(limits, np.float64).reshape(-1, 2).T
        return np.array(at, np.intp), low, high

    def encoded(self, table: Table, *, tell: Tell) -> Iterator[npt.NDArray[np.float32]]:
        """Yield the flat rows of a table, chunk by chunk; see `transform`."""
        self.check_names(table, tell=tell)
        remarks = Remarks(self)
        for chunk in table.chunks([each.name for each in self.inputs]):
            yield self.encode(chunk, remarks, table.where)
        remarks.tell(tell)

    def check_names(self, table: Table, *, tell: Tell) -> None:
        """Refuse a table that lacks an input column, and tell of further ones.

        Raises
        ------
        DataError
            With the nearest name.
        """
        inputs = [each.name for each in self.inputs]
        for name in inputs:
            if name not in table.names:
                near = did_you_mean(name, [each for each in table.names if each not in inputs])
                raise DataError(
                    f"{table.where}the column {name!r} of the training rows is missing.{near}"
                )
        known = {*inputs, *self.left_out, *([] if self.target is None else [self.target.name])}
        if extra := [name for name in table.names if name not in known]:
            shown = listed(map(repr, extra), 5)
            tell(
                f"{table.where}{len(extra)} column{'s' * (len(extra) > 1)} that the training rows "
                f"lack {'are' if len(extra) > 1 else 'is'} ignored: {shown}"
            )

    def encode(self, chunk: Chunk, remarks: "Remarks", where: str = "") -> npt.NDArray[np.float32]:
        """Return the flat rows of a chunk, shape (n, columns).

        Raises
        ------
        DataError
            As `transform`.
        """
        out = np.zeros((len(chunk), len(self.names)), np.float32)
        start = 0
        for each in self.inputs:
            cells = cells_of(chunk.columns[each.name], each.categories)
            stop = start + len(each.names)
            write_column(each, cells, out[:, start:stop], chunk, where)
            remarks.add(each, cells)
            start = stop
        return out

    def to_json(self) -> dict[str, Any]:
        """Return the columns as a JSON object."""
        return {
            "version": VERSION,
            "rows": self.rows,
            "inputs": [each.to_json() for each in self.inputs],
            "left_out": list(self.left_out),
            "target": None if self.target is None else self.target.to_json(),
            "decimal_mark": None if self.decimal_mark is None else self.decimal_mark.to_json(),
        }

    @classmethod
    def from_json(cls, values: object) -> Self:
        """Return the columns that `to_json` described.

        Raises
        ------
        ConfigurationError
            If a value is missing, unknown or invalid, or the version is another one.
        """
        if isinstance(values, dict):  # columns that were saved before had no mark
            values = {"decimal_mark": None, **values}
        described = closed_object("columns", values, ENTRIES)
        if described["version"] != VERSION:
            raise ConfigurationError(
                f"columns must have version {VERSION}, got {described['version']!r:.100}"
            )
        if not isinstance(described["inputs"], list):
            raise ConfigurationError("inputs of columns must be a list")
        target, mark = described["target"], described["decimal_mark"]
        return cls(
            tuple(ColumnEncoding.from_json(each) for each in described["inputs"]),
            text_list("left_out", described["left_out"]),
            None if target is None else TableTarget.from_json(target),
            described["rows"],
            None if mark is None else DecimalMark.from_json(mark),
        )


def write_column(
    encoding: ColumnEncoding,
    cells: Cells,
    out: npt.NDArray[np.float32],
    chunk: Chunk,
    where: str = "",
) -> None:
    """Write the flat columns of a raw column of a chunk into ``out``, shape (n, columns).

    Raises
    ------
    DataError
        If the column holds texts instead of numbers, infinity, or numbers that are infinite in
        float32 once they are standardized; naming column and row.
    """
    if encoding.kind != "category":
        require_numbers(cells, encoding.name, chunk, where)
    encoding.write(cells, out)
    finite = np.isfinite(out).all(axis=1)
    if not finite.all():
        row = int(finite.argmin())
        raise DataError(
            f"{where}column {encoding.name!r} must hold numbers like the training rows, whose "
            f"mean is {encoding.mean:g}, got {cells.values[row]:g} in {chunk.row(row)}"
        )


class Remarks:
    """Notes about rows that are unlike the training rows, counted over the chunks of a table."""

    def __init__(self, columns: Columns) -> None:
        self._unseen: dict[str, Counter[str]] = {each.name: Counter() for each in columns.inputs}
        self._missing: Counter[str] = Counter()
        self._far: dict[str, _FarNumbers] = {}

    def add(self, encoding: ColumnEncoding, cells: Cells) -> None:
        """Count unseen categories, numbers far outside and missing values of a column."""
        if encoding.kind == "category":
            unseen = encoding.indices(cells) == UNSEEN
            self._unseen[encoding.name].update(cells.texts[unseen].tolist())
        elif (far := encoding.far_outside(cells)).any():
            seen = self._far.setdefault(encoding.name, _FarNumbers(encoding))
            seen.add(cells.values[far])
        if not encoding.missing:
            self._missing[encoding.name] += int(cells.missing.sum())

    def tell(self, tell: Tell) -> None:
        """Tell the notes, one for each column."""
        for name, unseen in self._unseen.items():
            if unseen:
                rows, several = unseen.total(), "ies" if len(unseen) > 1 else "y"
                tell(
                    f"column {name!r}: {rows:,} row{'s' * (rows > 1)} with {len(unseen):,} "
                    f"categor{several} that the training rows lack, such as "
                    f"{unseen.most_common(1)[0][0]!r:.60}; treated as unseen"
                )
        for seen in self._far.values():
            tell(str(seen))
        for name, rows in self._missing.items():
            if rows:
                tell(
                    f"column {name!r}: {rows:,} row{'s' * (rows > 1)} without a value, of which "
                    "the training rows had none; treated as an average row"
                )


@dataclass
class _FarNumbers:
    """The numbers of a column far outside of the training range: their count and the farthest."""

    encoding: ColumnEncoding
    rows: int = 0
    farthest: float = 0.0

    def add(self, values: npt.NDArray[np.float64]) -> None:
        """Count numbers, shape (n,)."""
        both = np.append(values, self.farthest) if self.rows else values
        self.farthest = float(both[np.abs(both - self.encoding.mean).argmax()])
        self.rows += len(values)

    def __str__(self) -> str:
        own, several = self.encoding, self.rows > 1
        return (
            f"column {own.name!r}: {self.rows:,} row{'s' * several} with "
            f"{'numbers' if several else 'a number'} far outside the range of the training rows, "
            f"{own.low:.6g} to {own.high:.6g}; {'the farthest is ' * several}{self.farthest:.6g}"
        )


def require_same_columns(
    names: tuple[str, ...] | None, expected: tuple[str, ...] | None, part: str
) -> None:
    """Refuse columns of other names, or in another order; arrays have no names to compare.

    Names that only count the columns are no names of theirs, but in another order they say it.

    Raises
    ------
    DataError
        Naming the first column that differs.
    """
    if names is not None and expected is None:
        counted = tuple(map(str, range(len(names))))
        expected = counted if set(names) == set(counted) else None
    if names is None or expected is None or names == expected:
        return
    missing = [name for name in expected if name not in names]
    unknown = [name for name in names if name not in expected]
    if missing or unknown:
        difference = f"{missing[0]!r} is missing" if missing else f"{unknown[0]!r} is not one"
    else:
        pairs = zip(names, expected, strict=False)
        first = next((pair for pair in pairs if pair[0] != pair[1]), (names[-1], "no column"))
        difference = f"got {first[0]!r} in place of {first[1]!r}"
    raise DataError(
        f"the {part} must have the columns of the training data in the same order, "
        f"{', '.join(expected)}: {difference}"
    )
