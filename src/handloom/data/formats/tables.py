"""Files of tables, by suffix: CSV and Parquet."""

import os
from pathlib import Path

from handloom.data.decimal_mark import DecimalMark
from handloom.data.formats.csv_table import CsvTable
from handloom.data.formats.parquet_table import ParquetTable
from handloom.data.notes import Tell
from handloom.data.table import MemoryTable, Table, joined
from handloom.errors import DataError

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")

EXPECTED = f"a file with the suffix {', '.join(SUFFIXES)}"

PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
"""The suffixes of files that must be unpacked."""

AT_ONCE = 1 << 25
"""The largest file that is kept in memory, parsed once; of a larger one, chunks are read again."""


def is_table(path: str | os.PathLike[str]) -> bool:
    """Return whether a path has the suffix of a table, and is no folder."""
    file = Path(path)
    return file.suffix.lower() in SUFFIXES and not file.is_dir()


def open_file(
    path: str | os.PathLike[str], *, decimal_mark: DecimalMark | None = None, tell: Tell
) -> Table:
    """Return the table in a file.

    Parameters
    ----------
    path : path-like
    decimal_mark : DecimalMark, optional
        That of the rows that a model was trained on, as its columns hold it.
    tell : callable
        Called with the notes about how a CSV file is read.

    Raises
    ------
    DataError
        If it cannot be read, or has another suffix.
    """
    table = _unread(path, decimal_mark, tell)
    return _in_memory(table) if isinstance(table, CsvTable) and table.small else table


def names_in_file(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the names of the columns of the table in a file, whose rows are not read.

    Raises
    ------
    DataError
        As `open_file`.
    """
    return _unread(path, None, lambda _: None).names


def packed_hint(file: Path) -> str:
    """Return the end of an error about a file that is packed; empty for any other."""
    return "; unpack it first" if file.suffix.lower() in PACKED else ""


def _unread(
    path: str | os.PathLike[str], decimal_mark: DecimalMark | None, tell: Tell
) -> CsvTable | ParquetTable:
    """Return the table in a file, of which only the header is read."""
    if not os.fspath(path):
        raise DataError("the path of the table is empty, expected a file")
    try:
        file = Path(path).expanduser()
        exists = file.exists()
    except (OSError, RuntimeError, ValueError) as error:  # no home folder, a zero byte in the path
        raise DataError(f"{path}: cannot be read: {error}") from None
    if not exists:
        raise DataError(f"{path}: does not exist, expected a file")
    if not is_table(file):
        raise DataError(f"{path}: expected {EXPECTED}{packed_hint(file)}")
    if file.suffix.lower() == ".parquet":
        return ParquetTable(file)
    return CsvTable(file, tell, decimal_mark, small=file.stat().st_size <= AT_ONCE)


def _in_memory(table: CsvTable) -> MemoryTable:
    """Return the rows of a small file, which are parsed once."""
    chunks = list(table.chunks())
    chunk = joined(chunks)
    return MemoryTable(chunk, table.names, table.name, table.where, table.decimal_mark)
