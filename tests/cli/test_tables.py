"""Tables fit the terminal, and show every number at any width."""

import io
import re

import pytest
from rich.console import Console
from rich.text import Text
from tests.helpers.terminal import HOSTILE, acting

from handloom.cli.console import show_table
from handloom.cli.tables import fitting_table
from handloom.text import printable

COLUMNS = ("recipe", "description", "parameters", "test accuracy", "time")
ROWS = [
    ("mlp-flash", "one hidden layer of 96 units with batch normalization", "76,522", "88.46%", "1"),
    ("cnn", "five convolutions of 32 to 128 filters, flipped images", "289,130", "94.25%", "275.8"),
]
NUMBERS = [cell for row in ROWS for cell in row[2:]]


def shown(width: int, *, terminal: bool = True, left: int = 2) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, no_color=True)
    cells = [[Text(cell) for cell in row] for row in ROWS]
    if not terminal:
        console.width = 1000
    console.print(fitting_table(COLUMNS, cells, left, console))
    return re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue())


@pytest.mark.parametrize("width", [24, 40, 50, 60, 70, 80, 100, 120])
@pytest.mark.parametrize("left", [1, 2])
def test_a_table_fits_the_terminal_and_shows_every_number(width: int, left: int) -> None:
    text = shown(width, left=left)
    assert max(map(len, text.splitlines())) <= width
    for cell in NUMBERS:
        assert re.search(rf"(?<!\S){re.escape(cell)}(?!\S)", text), cell
    words = " ".join(text.split())
    for word in ["mlp-flash", "normalization", "convolutions", "flipped"]:
        assert word in words


def test_a_table_has_one_line_a_row_where_there_is_room_or_no_terminal() -> None:
    for text in (shown(120), shown(40, terminal=False)):
        lines = [line.split() for line in text.splitlines()]
        assert [row for row in ROWS if " ".join(row).split() in lines] == ROWS


def test_headers_take_two_lines_before_anything_else_is_folded() -> None:
    text = shown(max(map(len, shown(150).splitlines())) - 4)
    assert "test accuracy" not in text
    assert all(" ".join(row) in " ".join(text.split()) for row in ROWS)


def test_texts_stand_below_their_row_where_a_column_would_be_narrow() -> None:
    lines = shown(60).splitlines()
    for name, text, *numbers in ROWS:
        row = next(index for index, line in enumerate(lines) if line.split()[:1] == [name])
        assert lines[row].split() == [name, *numbers]
        assert lines[row + 1].strip() == text


def test_a_hostile_cell_keeps_its_numbers() -> None:
    console = Console(file=io.StringIO(), width=30, force_terminal=True)
    rows = [[Text(HOSTILE.encode("unicode_escape").decode()), Text("1234567")]]
    console.print(fitting_table(("name", "rows"), rows, 1, console))
    assert "1234567" in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("header", ["rent [/m2]", "steel [hard]", "[bold]", ":smile:", HOSTILE])
def test_a_header_is_no_markup_and_acts_on_no_terminal(
    capsys: pytest.CaptureFixture[str], header: str
) -> None:
    show_table("title", ("row", header), [("1", "2.5")])
    text = capsys.readouterr().out
    assert printable(header) in text
    assert not acting(text)
