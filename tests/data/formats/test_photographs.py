"""Photographs of any mode are converted to a network's input rows."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handloom.data.formats.photographs import read_photograph
from handloom.errors import DataError

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


@pytest.mark.parametrize(("mode", "color"), [("RGB", (200, 10, 20)), ("L", 77)])
def test_a_transparent_color_shows_the_background(
    mode: str, color: tuple[int, ...] | int, tmp_path: Path
) -> None:
    Image.new(mode, (4, 4), color).save(tmp_path / "clear.png", transparency=color)
    for shape in ((4, 4), (3, 4, 4)):
        for invert in (False, True):  # which shows white, and inverts it
            assert not read_photograph(tmp_path / "clear.png", shape, invert=invert).any()


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 3), (6, 8, 4)])
def test_arrays_of_any_depth_are_the_same_image(shape: tuple[int, ...]) -> None:
    levels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    levels[0, 0] = 255  # white, which tells levels up to 255 from those up to 65,535
    row_shape = (6, 8) if len(shape) == 2 else (shape[2], 6, 8)
    row = read_photograph(levels, row_shape)
    fractions = (levels / 255).astype(np.float32)  # as Matplotlib reads a PNG file
    deep = levels.astype(np.uint16) * 257
    for array in (fractions, levels / 255, levels.astype(np.float32), levels.astype(int), deep):
        assert np.array_equal(read_photograph(array, row_shape), row)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((6, 8), bool), r"got an array of bool .*pass array.astype\('uint8'\) \* 255"),
        (np.zeros((0, 3), np.uint8), r"got an array of uint8 and shape \(0, 3\)"),
        (np.zeros((6, 8, 7)), r"1, 3 or 4 channels, got an array of float64 and shape \(6, 8, 7\)"),
        (np.zeros((2, 3, 6, 8)), r"got an array of float64 and shape \(2, 3, 6, 8\)"),
        (np.full((6, 8, 3), -0.5), "levels must be from 0 to 1 or from 0 to 255, got -0.5 to -0.5"),
        (np.full((6, 8, 3), np.inf), "levels must be finite"),
        (None, "or an array of levels, got NoneType"),
        ("", "the path of the image is empty"),
    ],
)
def test_what_is_no_image_is_refused_by_what_it_is(array: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_photograph(array, (3, 28, 28))  # type: ignore[arg-type]


def test_a_folder_and_a_dead_link_are_no_images(tmp_path: Path) -> None:
    (tmp_path / "dead.png").symlink_to(tmp_path / "none.png")
    with pytest.raises(DataError, match="a folder, expected an image file; handloom predict"):
        read_photograph(tmp_path, (28, 28))
    with pytest.raises(DataError, match=r"dead\.png: a link to a file that does not exist"):
        read_photograph(tmp_path / "dead.png", (28, 28))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("phone.HEIC", "an HEIC image, which Pillow does not read: convert it to JPEG"),
        ("logo.svg", "an SVG drawing, which Pillow does not read: export it as PNG"),
        ("camera.dng", "a raw photograph"),
        ("notes.png", "not an image, or its header is damaged"),
    ],
)
def test_a_format_that_is_not_read_is_named_with_what_helps(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / name).write_bytes(b"no image")
    with pytest.raises(DataError, match=message):
        read_photograph(tmp_path / name, (28, 28))


@pytest.mark.parametrize("width", [10_000, 20_000])  # Pillow warns of the first, refuses the second
def test_a_large_image_is_refused_with_its_size_and_the_limit(tmp_path: Path, width: int) -> None:
    Image.new("1", (width, 10_000)).save(tmp_path / "large.png")
    size = f"{width / 100:,.1f} megapixels, expected at most 89.5 megapixels; reduce it first"
    with pytest.raises(DataError, match=size):
        read_photograph(tmp_path / "large.png", (28, 28))
