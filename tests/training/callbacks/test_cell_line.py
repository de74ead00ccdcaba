"""A line in the cell of a notebook covers the one before it."""

from collections.abc import Iterator

import pytest

from handloom.training.callbacks.cell_line import CellLine


def shown(written: str) -> str:
    """Return the line that a notebook shows: text after a carriage return covers text before."""
    line = ""
    for part in written.rstrip("\n").split("\r"):
        line = part + line[len(part) :]
    return line.rstrip()


def lines(*texts: str) -> Iterator[str]:
    yield from texts


def test_a_shorter_line_covers_a_longer_one(capsys: pytest.CaptureFixture[str]) -> None:
    texts = lines("a long line", "short")
    line = CellLine(lambda _: next(texts), stays=True)
    line.start()
    line.refresh()  # too early: nothing is drawn
    line.stop()
    written = capsys.readouterr()
    assert shown(written.out) == "short"
    assert written.out.endswith("\n")
    assert written.err == ""


def test_a_line_that_does_not_stay_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    line = CellLine(lambda _: "compiling", stays=False)
    line.start()
    line.stop()
    written = capsys.readouterr().out
    assert shown(written) == ""
    assert "\n" not in written


def test_a_message_has_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    line = CellLine(lambda _: "epoch 19", stays=True)
    line.start()
    line.clear()
    print("the rate is reduced")
    line.refresh()  # at once, though the last drawing was a moment ago
    line.stop()
    first, second = capsys.readouterr().out.rstrip("\n").split("\n")
    assert shown(first) == "the rate is reduced"
    assert shown(second) == "epoch 19"


def test_control_characters_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    CellLine(lambda _: "a\x1b[2J\r", stays=True).start()
    assert capsys.readouterr().out == "\ra\\x1b[2J\\r"
