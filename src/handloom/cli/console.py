"""Output of the commands: tables and results on standard output, notes on standard error."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from rich import box
from rich.columns import Columns
from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from handloom import secondary
from handloom.cli.streams import discard
from handloom.text import printable

Lines = str | Sequence[str]
"""One line, or several."""


class _Console(Console):
    """A console that raises the error of a broken pipe, and does not end the process."""

    def on_broken_pipe(self) -> None:
        """Raise the error."""
        raise  # noqa: PLE0704 - rich calls this while it handles the error


def say(*lines: str) -> None:
    """Print lines on standard output; control characters in them are escaped."""
    print(_shown(lines))


def note(*lines: str) -> None:
    """Print lines on standard error; if that is broken, on standard output. See `say`."""
    secondary.say(_shown(lines))


def _shown(lines: Lines) -> str:
    return "\n".join(map(printable, [lines] if isinstance(lines, str) else lines))


def _cell(value: object) -> Text:
    return Text(printable(str(value)))  # a string would be read as markup


@contextmanager
def saved_results(folder: Path) -> Iterator[None]:
    """Print results in a block; if standard output is broken, say so and go on.

    Parameters
    ----------
    folder : path
        The folder in which the results are saved.
    """
    printing = secondary.Secondary(
        "the results are not printed", then=f"they are in {folder}", tell=note
    )
    with printing:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    if printing.failed:
        discard(sys.stdout)


def show_table(
    title: Lines,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    left: int = 1,
    caption: Lines | None = None,
) -> None:
    """Print a title, a table and a caption; the first ``left`` columns are left-aligned text.

    The table may be wider than the terminal, so that no number is cut off.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index < left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(_cell, row))
    console = _Console()
    needed = Measurement.get(console, console.options.update(width=1000), table).maximum
    console.width = max(console.width, needed)
    print(f"\n{_shown(title)}")
    console.print(table)
    if caption:
        print(_shown(caption))


def show_text(text: str, *, indent: int = 0) -> None:
    """Print text with an indent, wrapped at spaces to the width of the terminal."""
    _Console(highlight=False).print(Padding(_cell(text), (0, 0, 0, indent), expand=False))


def show_arrays(arrays: Iterable[tuple[str, Sequence[Sequence[str]]]]) -> None:
    """Print small arrays side by side, each in a frame with its name."""
    frames = []
    for name, rows in arrays:
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
        for row in rows:
            table.add_row(*(Text(number, justify="right") for number in row))
        frames.append(Panel(table, title=_cell(name), title_align="left", expand=False))
    _Console().print(Padding(Columns(frames), (0, 0, 0, 2), expand=False))


def short(path: Path) -> Path:
    """Return a path relative to the current folder if that exists and the path is in it."""
    with suppress(OSError, ValueError):
        return path.relative_to(Path.cwd())
    return path


def wrote(folder: Path, contents: Mapping[str, str]) -> None:
    """Print the list of written files, each with its description."""
    say("", f"Wrote to {short(folder)}:")
    width = max(map(len, contents), default=0)
    for name, description in contents.items():
        say(f"  {name:<{width}} {description}")
