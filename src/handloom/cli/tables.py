"""Tables that fit the terminal: no number is ever cut off.

A table that is too wide gets headers of several lines, then text columns of several lines, then
texts below their rows, and at last a block of lines for each row.
"""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

WIDE = 1000
"""More columns than any table needs."""

READABLE = 20
"""The least width of a column of longer texts."""

INDENT = 3
"""That of texts below their row."""


def fitting_table(
    columns: Sequence[str], rows: Sequence[Sequence[Text]], left: int, console: Console
) -> RenderableType:
    """Return a table as wide as the console; at its full width where that is no terminal.

    Parameters
    ----------
    columns : sequence of str
        The headers.
    rows : sequence of sequence of Text
        The cells.
    left : int
        The number of text columns, which come first.
    console : Console
    """
    options = console.options.update(width=WIDE)
    for shape in _shapes(columns, rows, left):
        if not console.is_terminal:
            return shape
        if Measurement.get(console, options, shape).minimum <= console.width:
            return shape
    return Group(*_blocks(columns, rows))


def _shapes(
    columns: Sequence[str], rows: Sequence[Sequence[Text]], left: int
) -> Iterator[RenderableType]:
    """Yield the table in its shapes, from the widest to the narrowest."""
    narrow = ["\n".join(column.split()) for column in columns]
    lines = max((header.count("\n") for header in narrow), default=0)
    narrow = ["\n" * (lines - header.count("\n")) + header for header in narrow]
    yield _table(columns, rows, left, folded=False)
    yield _table(narrow, rows, left, folded=False)
    yield _table(narrow, rows, left, folded=True)
    if 1 < left < len(columns):
        yield _TextsBelow(
            _table(
                [narrow[0], *narrow[left:]],
                [[row[0], *row[left:]] for row in rows],
                1,
                folded=False,
            ),
            [row[1:left] for row in rows],
        )


class _TextsBelow:
    """A table with further texts below each row, as wide as the console.

    Parameters
    ----------
    table : Table
        Each row has one line.
    texts : sequence of sequence of Text
        Those of each row.
    """

    def __init__(self, table: Table, texts: Sequence[Sequence[Text]]) -> None:
        self._table, self._texts = table, texts

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return the width of the table."""
        return Measurement.get(console, options, self._table)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table line by line."""
        *lines, last = console.render_lines(self._table, options, pad=False)
        start = len(lines) - len(self._texts)
        for index, line in enumerate([*lines, last]):
            yield Segments(line)
            yield Segment.line()
            if 0 <= index - start < len(self._texts):
                for text in self._texts[index - start]:
                    yield Padding(text, (0, 0, 0, INDENT))


def _table(
    headers: Sequence[str], rows: Sequence[Sequence[Text]], left: int, *, folded: bool
) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, header in enumerate(headers):
        text, widest = index < left, _widest([Text(header), *(row[index] for row in rows)])
        folds = text and folded
        table.add_column(
            Text(header),  # a string would be read as markup
            justify="left" if text else "right",
            no_wrap=not folds,
            min_width=min(widest, READABLE) if folds else widest,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*row)
    return table


def _widest(cells: Sequence[Text]) -> int:
    """Return the width of the widest line of some cells."""
    return max(line.cell_len for cell in cells for line in cell.split("\n", allow_blank=True))


def _blocks(columns: Sequence[str], rows: Sequence[Sequence[Text]]) -> Iterator[RenderableType]:
    """Yield the lines of each row: its first cell, then each header with its cell."""
    for first, *others in rows:
        yield Text()
        yield first
        for column, cell in zip(columns[1:], others, strict=True):
            if cell:
                name = " ".join(column.split())
                yield Padding(Text.assemble(name, ": " if name else "", cell), (0, 0, 0, 2))
