"""Output of the commands: tables and results on standard output, notes on standard error."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich import box
from rich.columns import Columns
from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from handloom.cli.streams import discard
from handloom.secondary import Secondary, say


class _Console(Console):
    """A console that raises the error of a broken pipe, and does not end the process."""

    def on_broken_pipe(self) -> None:
        """Raise the error."""
        raise  # noqa: PLE0704 - rich calls this while it handles the error


def note(text: str) -> None:
    """Print a line on standard error; if that is broken, on standard output."""
    say(text)


@contextmanager
def saved_results(folder: Path) -> Iterator[None]:
    """Print results in a block; if standard output is broken, say so and go on.

    Parameters
    ----------
    folder : path
        The folder in which the results are saved.
    """
    printing = Secondary("the results are not printed", then=f"they are in {folder}", tell=note)
    with printing:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    if printing.failed:
        discard(sys.stdout)


def show_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    left: int = 1,
    caption: str | None = None,
) -> None:
    """Print a title, a table and a caption; the first ``left`` columns are left-aligned text.

    The table may be wider than the terminal, so that no number is cut off.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index < left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(str(value)) for value in row))  # never read as markup
    console = _Console()
    needed = Measurement.get(console, console.options.update(width=1000), table).maximum
    console.width = max(console.width, needed)
    print(f"\n{title}")
    console.print(table)
    if caption:
        print(caption)


def show_text(text: str, *, indent: int = 0) -> None:
    """Print text with an indent, wrapped at spaces to the width of the terminal."""
    _Console(highlight=False).print(Padding(Text(text), (0, 0, 0, indent), expand=False))


def show_arrays(arrays: Iterable[tuple[str, Sequence[Sequence[str]]]]) -> None:
    """Print small arrays side by side, each in a frame with its name."""
    frames = []
    for name, rows in arrays:
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
        for row in rows:
            table.add_row(*(Text(number, justify="right") for number in row))
        frames.append(Panel(table, title=Text(name), title_align="left", expand=False))
    _Console().print(Padding(Columns(frames), (0, 0, 0, 2), expand=False))


def wrote(folder: Path, contents: Mapping[str, str]) -> None:
    """Print the list of written files, each with its description."""
    print(f"\nWrote to {folder}:")
    width = max(map(len, contents), default=0)
    for name, description in contents.items():
        print(f"  {name:<{width}} {description}")
