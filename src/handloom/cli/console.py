"""How commands speak: tables and results on standard output, notes on standard error."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table


def note(text: str) -> None:
    """Say something about the run, in one line on standard error."""
    print(text, file=sys.stderr, flush=True)


def show_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    left: int = 1,
    caption: str | None = None,
) -> None:
    """Print a table; the first ``left`` columns are text, the others figures.

    Where standard output is no terminal the table takes the width that it needs, so that no figure
    is cut.
    """
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place < left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(str(value) for value in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(80, console.measure(table).maximum))
    console.print(table)


def wrote(folder: Path, names: Iterable[str]) -> None:
    """Say what was written and where."""
    print(f"\nWrote to {folder}:")
    for name in names:
        print(f"  {name}")
