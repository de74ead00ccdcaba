"""Photographs of any mode are converted to a network's input rows."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handloom.data.formats.photographs import read_photograph

ORIENTATION = 0x0112


@pytest.mark.parametrize("kind", ["TIFF", "PNG"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_rotated_picture_is_turned_upright(kind: str, mode: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 4), dtype=np.uint8)
    Image.fromarray(np.rot90(pixels, -1)).convert(mode).save(tmp_path / "upright.png")
    turned = Image.Exif()
    turned[ORIENTATION] = 6  # a camera held on its side
    Image.fromarray(pixels).convert(mode).save(tmp_path / "turned", kind, exif=turned)
    upright = read_photograph(tmp_path / "upright.png", (28, 28))
    assert np.array_equal(read_photograph(tmp_path / "turned", (28, 28)), upright)
