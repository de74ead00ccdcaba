"""Tables: named columns that are read in chunks of rows, from a frame or from a file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from handloom.data.decimal_mark import DecimalMark
from handloom.data.frames import FRAMES, Column, columns_of, is_instance
from handloom.errors import DataError, did_you_mean
from handloom.text import listed


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of a table, or some of them.

    Attributes
    ----------
    columns : dict of str to Column
    labels : array of int, shape (n,)
        The index of each row in its table, or its line in its file.
    in_file : bool
        Whether labels are lines.
    """

    columns: dict[str, Column]
    labels: npt.NDArray[np.int64]
    in_file: bool = False

    def __len__(self) -> int:
        return len(self.labels)

    def row(self, index: int) -> str:
        """Return the description of a row for errors."""
        label = int(self.labels[index])
        return f"line {label}" if self.in_file else f"row {label} (rows count from 0)"

    def take(self, rows: npt.NDArray[Any]) -> "Chunk":
        """Return some of the rows, by indices or a mask."""
        columns = {
            name: replace(column, values=column.values[rows], missing=column.missing[rows])
            for name, column in self.columns.items()
        }
        return Chunk(columns, self.labels[rows], self.in_file)


def joined(chunks: Sequence[Chunk]) -> Chunk:
    """Return consecutive chunks of columns without declared categories as one."""
    first = chunks[0]
    columns = {
        name: replace(
            column,
            values=np.concatenate([chunk.columns[name].values for chunk in chunks]),
            missing=np.concatenate([chunk.columns[name].missing for chunk in chunks]),
        )
        for name, column in first.columns.items()
    }
    return Chunk(columns, np.concatenate([chunk.labels for chunk in chunks]), first.in_file)


class Table(Protocol):
    """A table that is read in chunks, as often as needed."""

    @property
    def name(self) -> str:
        """The name of the data."""

    @property
    def where(self) -> str:
        """The beginning of error messages: the path of a file and a colon, or nothing."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""

    @property
    def decimal_mark(self) -> DecimalMark | None:
        """The decimal mark of the numbers of a CSV file; None if it has none, or is no such."""

    def chunks(self, names: Sequence[str] | None = None) -> Iterator[Chunk]:
        """Yield the rows in their order, with the columns ``names`` or more; by default all."""


@dataclass(frozen=True)
class MemoryTable:
    """A table in memory, of one chunk.

    Parameters
    ----------
    chunk : Chunk
    names : tuple of str
    name, where : str
        See `Table`.
    decimal_mark : DecimalMark, optional
        See `Table`.
    """

    chunk: Chunk
    names: tuple[str, ...]
    name: str = "table"
    where: str = ""
    decimal_mark: DecimalMark | None = None

    def chunks(self, names: Sequence[str] | None = None) -> Iterator[Chunk]:
        """Yield the only chunk, with all columns."""
        yield self.chunk


def table_of(frame: object, argument: str = "frame") -> MemoryTable:
    """Return a pandas or polars frame, or a pyarrow table, as a table.

    Raises
    ------
    DataError
        If it is none, has no row or no column, or two columns of one name.
    """
    if not is_instance(frame, *FRAMES):
        kind = f"the class {frame.__name__}" if isinstance(frame, type) else type(frame).__name__
        hint = ": open a file with open_table" if isinstance(frame, str | Path) else ""
        raise DataError(
            f"{argument} must be a pandas or polars DataFrame or a pyarrow table, got {kind}{hint}"
        )
    columns = columns_of(frame)
    names = checked_names([str(column.name) for column in columns])
    rows = len(columns[0].values)
    if not rows:
        raise DataError(f"{argument} must have at least one row, got none")
    return MemoryTable(Chunk(dict(zip(names, columns, strict=True)), np.arange(rows)), names)


def checked_names(names: Sequence[str], where: str = "") -> tuple[str, ...]:
    """Return the names of the columns of a table.

    Raises
    ------
    DataError
        If there are none, one is empty, or two are equal.
    """
    if not names:
        raise DataError(f"{where}the table must have at least one column, got none")
    seen = set[str]()
    for index, name in enumerate(names):
        if not name.strip():
            pandas = "; if pandas wrote its index there, write the file with index=False"
            raise DataError(
                f"{where}column {index + 1} has no name: give it one in the header"
                f"{pandas if where and not index else ''}"
            )
        if name in seen:
            raise DataError(f"{where}two columns are named {name!r}: rename one")
        seen.add(name)
    return tuple(names)


def require_columns(names: Sequence[str], known: Sequence[str], argument: str, where: str) -> None:
    """Refuse names that are no columns of a table.

    Raises
    ------
    DataError
        With the nearest name.
    """
    for name in names:
        if name not in known:
            shown = listed(map(repr, known))
            raise DataError(
                f"{where}{argument} names the column {name!r}, which the table lacks; it has "
                f"{shown}.{did_you_mean(name, known)}"
            )
