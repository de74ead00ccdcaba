"""CSV files as tables: separator and style of numbers are detected, errors name the line."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, dropwhile, islice, zip_longest
from typing import TextIO

import numpy as np

from handloom.data.cells import TEXT
from handloom.data.decimal_mark import DecimalMark
from handloom.data.formats.file_table import CELLS, MAX_COLUMNS, FileTable
from handloom.data.formats.number_style import NumberStyle
from handloom.data.formats.text_encoding import encoding_of, not_text
from handloom.data.frames import Column
from handloom.data.notes import Tell
from handloom.data.table import Chunk, checked_names
from handloom.errors import DataError
from handloom.files import size_of

SEPARATORS = (",", ";", "\t")

OTHER_SEPARATORS = ("|", ":")
"""Separators that are not read, but told."""

_QUOTED_CELL = re.compile(rf'(^|[{"".join(SEPARATORS)}])\s*"')
"""The beginning of a cell in quotation marks."""

_DECLARED = re.compile(r"sep=(.)[\r\n]*", re.IGNORECASE)
"""A first line that spreadsheets write and read: the separator of the cells below it."""

MAX_LINE = 1 << 26
"""The largest number of characters of a line."""

SAMPLE = 1 << 16
"""The number of characters from which the separator is detected, and the style of numbers."""


@dataclass(frozen=True)
class CsvTable(FileTable):
    """A CSV file, whose first line is the header; above it may be a line such as ``sep=;``.

    Parameters
    ----------
    path : Path
    tell : callable
        Called with the notes about how it is read.
    known_mark : DecimalMark, optional
        The decimal mark of the training rows, if the first lines do not show it.
    small : bool
        Whether the style of numbers is detected from all lines, not from the first ones.

    Raises
    ------
    DataError
        If it cannot be read, is text in an unknown encoding, or its header is invalid; later, if a
        line has another number of cells; naming file and line.
    """

    tell: Tell
    known_mark: DecimalMark | None = None
    small: bool = False

    def __post_init__(self) -> None:
        _ = self.names

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        for (header, *_), _ in self._blocks(1):
            if len(header) > MAX_COLUMNS:
                raise DataError(
                    f"{self.where}must have at most {MAX_COLUMNS:,} columns, got {len(header):,}"
                )
            if len(header) == 1:
                self._refuse_other_separators()
            return checked_names([name.strip() for name in header], self.where)
        raise DataError(f"{self.where}the file is empty, expected a header and rows")

    def _refuse_other_separators(self) -> None:
        """Refuse a single column whose lines all hold the same number of another separator."""
        lines = [line for line in self._sample if line.strip()]
        for separator in OTHER_SEPARATORS:
            counts = {line.count(separator) for line in lines}
            if len(lines) > 1 and len(counts) == 1 and counts != {0}:
                raise self._other_separator(separator)

    def _other_separator(self, separator: str) -> DataError:
        return DataError(
            f"{self.where}cells seem to be separated by {separator!r}; expected commas, semicolons "
            "or tabs"
        )

    @property
    def decimal_mark(self) -> DecimalMark | None:
        """The decimal mark of its numbers; None if no number has one."""
        return self._style.mark

    def chunks(self, names: Sequence[str] | None = None) -> Iterator[Chunk]:
        """Yield the rows in their order, with some of the columns; by default all.

        Raises
        ------
        DataError
            If a line has another number of cells than the header, or there is no row.
        """
        wanted = self.names if names is None else tuple(names)
        width, header, none = len(self.names), True, True
        for rows, lines in self._blocks(max(1, CELLS // width)):
            if header:
                del rows[0], lines[0]
            header = False
            if bad := [index for index, row in enumerate(rows) if len(row) != width]:
                raise self._other_width(rows[bad[0]], lines[bad[0]])
            if rows:
                none = False
                yield self._chunk(wanted, rows, lines)
        if none:
            raise DataError(f"{self.where}holds a header only, expected rows below it")

    def _other_width(self, row: Sequence[str], line: int) -> DataError:
        """Return the error of a line with another number of cells than the header."""
        advice = f"quote cells that hold a {self._separator!r}"
        if any(cell[:1] == " " and cell.lstrip()[:1] == '"' for cell in row):
            advice = f"remove the blanks between a {self._separator!r} and a quotation mark"
        return DataError(
            f"{self.where}line {line} has {len(row):,} cells, expected {len(self.names):,}, as the "
            f"header: {advice}"
        )

    def _chunk(
        self, names: Sequence[str], rows: Sequence[Sequence[str]], lines: Sequence[int]
    ) -> Chunk:
        columns, index = {}, {name: column for column, name in enumerate(self.names)}
        for name in names:
            cells = [row[index[name]] for row in rows]
            values = np.empty(len(cells), object)
            values[:] = self._style.unified(name, cells, lines)
            columns[name] = Column(name, values, np.zeros(len(cells), bool), TEXT)
        return Chunk(columns, np.array(lines, np.int64), in_file=True)

    def _blocks(self, at_once: int) -> Iterator[tuple[list[list[str]], list[int]]]:
        """Yield the cells of some lines that are not blank, and their line numbers."""
        with self._opened() as file:
            reader = csv.reader(self._limited(file), delimiter=self._separator, strict=True)
            try:
                before = 0
                while block := list(islice(reader, at_once)):
                    lines = list(range(before + 1, reader.line_num + 1))
                    if len(lines) != len(block):  # a cell has several lines
                        sizes = [1 + sum(map(_line_breaks, row)) for row in block]
                        lines = [before + size for size in accumulate(sizes)]
                    before = reader.line_num
                    if not all(block):
                        lines = [line for line, row in zip(lines, block, strict=True) if row]
                        block = list(filter(None, block))
                    if block:
                        yield block, lines
            except csv.Error as error:
                raise self._damaged(error, reader.line_num) from None
            except UnicodeDecodeError as error:
                raise not_text(self.path, error) from None
            except OSError as error:
                raise DataError(f"{self.path}: cannot be read: {error.strerror}") from None

    def _damaged(self, error: csv.Error, line: int) -> DataError:
        """Return the error of a row that cannot be parsed, with the line in which it begins."""
        first, message = self._line_after_good_rows(), str(error)
        begins = f'line {first}: a cell begins with a quotation mark (")'
        if message == "unexpected end of data":
            return DataError(
                f"{self.where}{begins} that is not closed; close it, or double it if it belongs to "
                "the text"
            )
        if "field limit" in message:
            where = f"{self.where}line {first}: a cell"
            most = f"{csv.field_size_limit():,}"
            if line == first:
                return DataError(f"{where} has more than {most} characters: not a CSV file")
            return DataError(
                f"{where} has more than {most} characters in {line - first + 1:,} lines; does it "
                'begin with a quotation mark (") that is not closed?'
            )
        if "expected after" in message:
            there = "" if line == first else f" in line {line}"
            return DataError(
                f"{self.where}{begins}, and text follows its closing one{there}; double a "
                f"quotation mark that belongs to the text, and close a cell before the "
                f"{self._separator!r}"
            )
        return DataError(f"{self.where}line {line}: {error}")

    def _line_after_good_rows(self) -> int:
        """Return the first line of the row that cannot be parsed."""
        last = 0
        with self._opened() as file:
            reader = csv.reader(self._limited(file), delimiter=self._separator, strict=True)
            with suppress(csv.Error):
                for _ in reader:
                    last = reader.line_num
        return last + 1

    def _opened(self) -> TextIO:
        """Open the file as text.

        Raises
        ------
        DataError
            If it cannot be opened.
        """
        try:
            return io.open(self.path, encoding=self._encoding, newline="")  # noqa: UP020
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read: {error.strerror or error}") from None

    @cached_property
    def _encoding(self) -> str:
        """The encoding of the file."""
        size_of(self.path)  # refuses a pipe, which would block when opened
        return encoding_of(self.path, tell=self.tell)

    def _limited(self, file: TextIO) -> Iterator[str]:
        """Yield the lines of a file; refuse overlong ones, before they fill the memory, and NUL."""
        number = 0
        while line := file.readline(MAX_LINE):
            number += 1
            if len(line) == MAX_LINE:
                raise DataError(
                    f"{self.where}line {number} has {MAX_LINE:,} characters or more: not a CSV file"
                )
            if "\0" in line:
                raise DataError(f"{self.where}line {number} holds a NUL character: not a CSV file")
            yield "\n" if number == 1 and _DECLARED.fullmatch(line) else line

    @cached_property
    def _sample(self) -> list[str]:
        """The first lines."""
        with self._opened() as file:
            try:
                start = file.read(SAMPLE)
            except UnicodeDecodeError as error:
                raise not_text(self.path, error) from None
            except OSError as error:
                raise DataError(f"{self.path}: cannot be read: {error.strerror}") from None
        lines = start.splitlines()
        return lines if len(start) < SAMPLE else lines[:-1] or lines

    @cached_property
    def _separator(self) -> str:
        """The separator that the first line declares, or the most frequent one of the header."""
        if self._sample and (declared := _DECLARED.fullmatch(self._sample[0])):
            best = declared[1]
            if best not in SEPARATORS:
                raise self._other_separator(best)
        else:
            unquoted = "".join(self._header.split('"')[::2])
            best = max(SEPARATORS, key=unquoted.count)  # the first of equals
        if best != ",":
            self.tell(f"{self.where}cells are separated by {_SPELLED[best]}")
        return best

    @property
    def _header(self) -> str:
        """The first line that is not blank, with the further lines of its quoted cells."""
        lines = list(dropwhile(lambda line: not line.strip(), self._sample))
        quotes = accumulate(line.count('"') for line in lines)
        end = next((index for index, count in enumerate(quotes) if count % 2 == 0), 0)
        quoted = lines and _QUOTED_CELL.search(lines[0])  # not a mark of inches
        return "\n".join(lines[: end + 1] if quoted else lines[:1])

    @cached_property
    def _style(self) -> NumberStyle:
        """How numbers are written."""
        lines = (line for line in self._sample if not _DECLARED.fullmatch(line))
        rows: Iterable[list[str]] = csv.reader(lines, delimiter=self._separator)
        if self.small and self._separator != ",":  # no number has a decimal comma among commas
            rows = (row for block, _ in self._blocks(CELLS) for row in block)
        rows = islice(filter(any, rows), 1, None)  # the first row is the header
        return NumberStyle(
            dict(zip(self.names, zip_longest(*rows, fillvalue=""), strict=False)),
            commas_separate=self._separator == ",",
            where=self.where,
            tell=self.tell,
            known=self.known_mark,
        )


_SPELLED = {";": "semicolons", "\t": "tabs"}


def _line_breaks(cell: str) -> int:
    return cell.count("\n") + cell.count("\r") - cell.count("\r\n")
