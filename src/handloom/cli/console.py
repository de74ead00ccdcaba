"""Output of the commands: tables and results on standard output, notes on standard error."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.columns import Columns
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from handloom import secondary
from handloom.cli.streams import discard
from handloom.cli.tables import WIDE, fitting_table
from handloom.files import FileError
from handloom.text import printable, wrapped

Lines = str | Sequence[str]
"""One line, or several."""


class _Console(Console):
    """A console that raises the error of a broken pipe, and does not end the process."""

    def on_broken_pipe(self) -> None:
        """Raise the error."""
        raise  # noqa: PLE0704 - rich calls this while it handles the error


@contextmanager
def _on_standard_output() -> Iterator[None]:
    """Name standard output in the error of a failed write; that of a closed pipe passes.

    Raises
    ------
    FileError
        If standard output cannot be written to.
    """
    try:
        yield
    except BrokenPipeError:  # which ends a command without a message
        raise
    except OSError as error:
        raise FileError(f"cannot write to standard output: {error.strerror}") from None


@_on_standard_output()
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
            with _on_standard_output():
                sys.stdout.flush()
    if printing.failed:
        discard(sys.stdout)


@_on_standard_output()
def show_table(
    title: Lines,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    left: int = 1,
    caption: Lines | None = None,
) -> None:
    """Print a title, a table and a caption; the first ``left`` columns are left-aligned text.

    On a terminal they fit its width; see `fitting_table`.
    """
    console, cells = _Console(), [[_cell(value) for value in row] for row in rows]
    table = fitting_table([printable(column) for column in columns], cells, left, console)
    if not console.is_terminal:
        console.width = max(console.width, WIDE)
    print(f"\n{_wrapped(console, title)}")
    console.print(table)
    if caption:
        print(_wrapped(console, caption, indent="  "))


def _wrapped(console: Console, lines: Lines, *, indent: str = "") -> str:
    """Return lines as they are printed: on a terminal wrapped at spaces to its width."""
    if not console.is_terminal:
        return _shown(lines)
    return "\n".join(
        wrapped(line, console.width, indent=indent) for line in _shown(lines).split("\n")
    )


@_on_standard_output()
def show_text(text: str, *, indent: int = 0) -> None:
    """Print text with an indent, wrapped at spaces to the width of the terminal."""
    _Console(highlight=False).print(Padding(_cell(text), (0, 0, 0, indent), expand=False))


@_on_standard_output()
def show_items(texts: Iterable[str]) -> None:
    """Print the items of a list, each wrapped at spaces under its dash on a terminal."""
    console = _Console()
    for text in texts:
        print(_wrapped(console, f"- {text}", indent="  "))


@_on_standard_output()
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


@_on_standard_output()
def wrote(folder: Path, contents: Mapping[str, str]) -> None:
    """Print the list of written files, each with its description."""
    say("", f"Wrote to {short(folder)}:")
    console, width = _Console(), max(map(len, contents), default=0)
    lines = [f"  {name:<{width}} {description}" for name, description in contents.items()]
    if console.is_terminal and max(map(len, lines), default=0) > console.width:
        lines = [f"  {name}: {description}" for name, description in contents.items()]
    for line in lines:
        print(_wrapped(console, line, indent=4 * " "))
