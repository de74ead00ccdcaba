"""Tables that fit the terminal: no number is ever cut off.

A table that is too wide gets headers of several lines, then text columns of several lines, and at
last a block of lines for each row.
"""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

WIDE = 1000
"""More columns than any table needs."""

READABLE = 20
"""The least width of a column of longer texts."""


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
    if 1 < left < len(columns):  # the texts of a row in one column, each on lines of its own
        texts = [Text("\n  ").join(row[:left]) for row in rows]
        merged = [[text, *row[left:]] for text, row in zip(texts, rows, strict=True)]
        yield _table([narrow[0], *narrow[left:]], merged, 1, folded=True)


def _table(
    headers: Sequence[str], rows: Sequence[Sequence[Text]], left: int, *, folded: bool
) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, header in enumerate(headers):
        text, widest = index < left, _widest([Text(header), *(row[index] for row in rows)])
        folds = text and folded
        table.add_column(
            header,
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
