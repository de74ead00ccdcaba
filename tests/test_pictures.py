"""The pictures of the README are small, and keep colors and texts."""

import io
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("PIL")

from docs.pictures import parts_of, small_png, terminal_svg
from PIL import Image

TEXT = """Counted from
0. Step 1 of 1

1. The batch
  a

2. Forward <y>
  b

3. Loss
   c & d
"""


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def test_a_picture_of_few_colors_keeps_them() -> None:
    pixels = np.array([[0, 0, 0], [255, 255, 255], [0, 114, 178]], np.uint8)
    image = Image.fromarray(pixels[np.arange(12).reshape(3, 4) % 3])
    small = opened(small_png(image))
    assert small.mode == "P"
    np.testing.assert_array_equal(np.asarray(small.convert("RGB")), np.asarray(image))


def test_a_large_picture_is_narrowed_until_it_fits() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 300, 3), np.uint8)
    content = small_png(Image.fromarray(noise), width=100, most=1500)
    assert opened(content).size == (100, 20)
    assert len(content) <= 1500
    with pytest.raises(ValueError, match="at most 100 bytes, got"):
        small_png(Image.fromarray(noise), most=100)


def test_parts_are_cut_at_their_headings() -> None:
    assert parts_of(TEXT, 1, 2) == ["1. The batch", "  a", "", "2. Forward <y>", "  b"]
    assert parts_of(TEXT, 3, 3) == ["3. Loss", "   c & d"]
    with pytest.raises(ValueError, match="from 1 to 3, got 3 to 4"):
        parts_of(TEXT, 3, 4)


def test_a_terminal_is_an_svg_of_its_lines_without_foreign_files() -> None:
    svg = terminal_svg("handloom step", parts_of(TEXT, 2, 3))
    root = ElementTree.fromstring(svg)
    texts = [
        (each.text or "").replace("\u00a0", " ")
        for each in root.iter("{http://www.w3.org/2000/svg}text")
    ]
    assert texts == ["$ handloom step", "...", "2. Forward <y>", "b", "3. Loss", "c & d"]
    assert svg.count("http") == 1, "the namespace alone"
