"""Names of foreign files are escaped wherever they are printed or drawn, and readable otherwise."""

import sys

import numpy as np
import pytest
from tests.helpers.terminal import HOSTILE, READABLE, acting

from handloom import DataError, Dataset, ModelError, Sequential
from handloom.errors import MissingExtraError
from handloom.files import FileError
from handloom.gradcheck.report import ArrayCheck, GradientReport
from handloom.layers import Dense
from handloom.text import enumerated, listed, printable
from handloom.training.findings import Finding


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]52;c;ZQ==\x07", r"\x1b]52;c;ZQ==\x07"),
        ("\x9b2J\x7f\x00\b", r"\x9b2J\x7f\x00\x08"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\u202e\u2066\u2028\u2029", r"\u202e\u2066\u2028\u2029"),
        ("\udcff", r"\udcff"),
    ],
)
def test_characters_that_act_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


@pytest.mark.parametrize("text", [READABLE, "👩\u200d🚀", "שלום", "مرحبا", r"C:\data", "$x$", ""])
def test_other_characters_stay(text: str) -> None:
    assert printable(text) == text


def test_every_character_is_readable_or_escaped() -> None:
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    assert acting(printable(everything)) == []
    assert acting(printable(everything, lines=True)) == []
    printable(everything).encode()


def test_line_breaks_are_kept_on_demand() -> None:
    assert printable("a\nb\r", lines=True) == "a\nb\\r"


@pytest.mark.parametrize(
    "error",
    [
        DataError(HOSTILE),
        ModelError(HOSTILE),
        FileError(HOSTILE),
        MissingExtraError(HOSTILE, "cli", "a test"),
    ],
)
def test_errors_are_printable(error: Exception) -> None:
    assert acting(str(error)) == []
    assert r"\x1b]52" in str(error)


def test_a_class_name_in_an_error_is_printable() -> None:
    with pytest.raises(DataError) as caught:
        Dataset(np.zeros((2, 2)), [0, 1], (HOSTILE, HOSTILE))
    assert acting(str(caught.value)) == []


def test_tables_and_sentences_are_printable() -> None:
    row = ArrayCheck(HOSTILE, (1,), 0.0, 0.0, 0.0, None, 1, 0, 0, "ok")
    report = GradientReport(HOSTILE, (row,), (HOSTILE,), thorough=True, tolerance=1e-6)

    class Hostile(Dense):
        kind = HOSTILE

    network = Sequential([Hostile(2)])
    for shown in (report, network, network.build((3,), seed=0), Finding("name", HOSTILE)):
        assert acting(str(shown)) == []
        assert r"\x1b]52" in str(shown)


def test_names_are_listed_up_to_a_number_and_enumerated_in_a_sentence() -> None:
    assert listed([]) == ""
    assert listed("abc") == "a, b, c"
    assert listed("abc", 2) == "a, b, ..."
    assert [enumerated(list(names)) for names in ("", "a", "ab", "abc")] == [
        *("", "a", "a and b", "a, b and c")
    ]
