"""A contact sheet keeps the parts of names that differ."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")

from PIL import Image

from handloom.data.photos.contact_sheet import Caption, shortened, write_contact_sheet
from handloom.files import FileError

PIXELS = np.zeros((28, 28), np.uint8)


def test_long_names_lose_their_middle() -> None:
    names = [f"Foto vom Sonntag im Garten {index:02}.jpg" for index in range(30)]
    short = [shortened(name, 18) for name in names]
    assert len(set(short)) == len(names)
    assert all(len(name) == 18 and "\N{HORIZONTAL ELLIPSIS}" in name for name in short)
    assert shortened("shoe.jpg", 18) == "shoe.jpg"
    assert shortened("shoe.jpg", 0) == "\N{HORIZONTAL ELLIPSIS}"


def test_the_percentage_is_never_cut() -> None:
    caption = Caption("boot.jpg", "A class with a long name", " 99.9%", "unfamiliar")
    lines = caption.fitting(16, len)
    assert [line[-6:] for line in lines] == ["ot.jpg", " 99.9%", "miliar"]
    assert all(len(line) <= 16 for line in lines)
    assert Caption("boot.jpg", "Ankle boot", " 99.9%").fitting(16, len)[1] == "Ankle boot 99.9%"


def test_letters_with_accents_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    sheets = []
    for letter in "eëéЖ":
        path = tmp_path / f"{ord(letter)}.png"
        write_contact_sheet(path, [(PIXELS, Caption(f"Zo{letter}.jpg", "boot", " 99.9%"))])
        sheets.append(np.asarray(Image.open(path)).tobytes())
    assert len(set(sheets)) == len(sheets)


def test_a_sheet_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none" / "seen.png"
    with pytest.raises(FileError, match=r"cannot write .*seen\.png"):
        write_contact_sheet(path, [(PIXELS, Caption("a", "b"))])
