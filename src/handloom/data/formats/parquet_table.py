"""Parquet files as tables, read by pyarrow in batches of rows."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from handloom.data.formats.file_table import CELLS, MAX_COLUMNS, FileTable
from handloom.data.frames import columns_of
from handloom.data.table import Chunk, checked_names
from handloom.errors import DataError, MissingExtraError
from handloom.files import size_of

UNNAMED_INDEX = re.compile(r"__index_level_\d+__")
"""The names that pandas gives the columns of an index without a name."""


@dataclass(frozen=True)
class ParquetTable(FileTable):
    """A Parquet file. An index of pandas is a column if it has a name, as in a CSV file.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        If it cannot be read, or has no row or no column.
    MissingExtraError
        If pyarrow is not installed.
    """

    def __post_init__(self) -> None:
        _ = self.names

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns; an index of pandas without a name is none of them."""
        with self._opened() as file:
            names = [name for name in file.schema_arrow.names if not UNNAMED_INDEX.fullmatch(name)]
            rows = file.metadata.num_rows
        if len(names) > MAX_COLUMNS:
            raise DataError(f"{self.where}must have at most {MAX_COLUMNS:,} columns")
        if not rows:
            raise DataError(f"{self.where}holds no rows, expected at least one")
        return checked_names(names, self.where)

    def chunks(self, names: Sequence[str] | None = None) -> Iterator[Chunk]:
        """Yield the rows in their order, with some of the columns; by default all.

        Raises
        ------
        DataError
            If the file is damaged.
        """
        start, names = 0, list(self.names if names is None else names)
        with self._opened() as file:
            try:
                for batch in file.iter_batches(max(1, CELLS // len(names)), columns=names):
                    columns = {str(column.name): column for column in columns_of(batch)}
                    yield Chunk(columns, np.arange(start, start + batch.num_rows))
                    start += batch.num_rows
            except Exception as error:  # pyarrow may raise nearly any
                if isinstance(error, DataError):
                    raise
                raise self._damaged(error) from None
            rows = file.metadata.num_rows
        if start != rows:
            raise self._damaged(ValueError(f"{rows:,} rows expected, got {start:,}"))

    def _opened(self) -> Any:
        try:
            from pyarrow import parquet
        except ImportError:
            raise MissingExtraError("pyarrow", "tables", "reading Parquet files") from None
        try:
            size_of(self.path)
            return parquet.ParquetFile(self.path)
        except Exception as error:  # pyarrow may raise nearly any
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> DataError:
        if isinstance(error, OSError) and error.errno is not None:
            return DataError(f"{self.path}: cannot be read: {error.strerror}")
        return DataError(
            f"{self.path}: not a complete Parquet file: {' '.join(str(error).split())}"
        )
