"""A prepared photograph shows its object like the images of the training data."""

import io

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("PIL")

from PIL import Image, ImageDraw

from handloom import silhouettes
from handloom.data.photos.framing import Framing, framing_of
from handloom.data.photos.preparation import prepare_photograph
from handloom.errors import ConfigurationError, DataError

ORIENTATION = 0x0112
FRAMING = Framing(extent=1.0)

Pixels = npt.NDArray[np.uint8]


def letter(*, background: int = 230, ink: int = 40, mode: str = "L") -> Image.Image:
    """Return a picture of an L, 60 x 100 pixels, off-center."""
    image = Image.new("L", (400, 300), background)
    draw = ImageDraw.Draw(image)
    draw.rectangle([250, 60, 269, 159], fill=ink)
    draw.rectangle([250, 140, 309, 159], fill=ink)
    return image.convert(mode)


def prepared(image: object, framing: Framing = FRAMING) -> Pixels:
    """Return a row of 28 x 28 pixels."""
    return prepare_photograph(image, (28, 28), framing)  # type: ignore[arg-type]


def box(row: Pixels, level: int = 60) -> list[int]:
    """Return the first and last row, and the first and last column, of an object."""
    rows, columns = np.nonzero(row > level)
    return [int(n) for n in (rows.min(), rows.max(), columns.min(), columns.max())]


def test_the_object_fills_the_frame_upright_and_centered() -> None:
    row = prepared(letter())
    assert box(row)[:2] == [0, 27]
    assert np.abs(np.array(box(row)[2:]) - [6, 22]).max() <= 1
    assert row[:, 7:11].mean() > 200
    assert row[:18, 14:].max() < 60


def test_dark_on_light_and_light_on_dark_are_the_same() -> None:
    dark = prepared(letter(background=230, ink=40)).astype(int)
    light = prepared(letter(background=20, ink=210)).astype(int)
    assert np.abs(dark - light).max() <= 3


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA", "CMYK", "F", "I;16"])
def test_all_modes_show_the_same_object(mode: str) -> None:
    image = letter()
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    assert box(prepared(image.convert(mode) if mode != "I;16" else image)) == box(prepared(image))


def test_paths_images_and_arrays_are_the_same(tmp_path) -> None:  # type: ignore[no-untyped-def]
    image = letter(mode="RGB")
    image.save(tmp_path / "l.png")
    array = np.asarray(image)
    rows = [
        prepared(each)
        for each in (
            image,
            tmp_path / "l.png",
            str(tmp_path / "l.png"),
            array,
            np.moveaxis(array, 2, 0),
        )
    ]
    assert all(np.array_equal(row, rows[0]) for row in rows)


def test_transparent_pixels_are_background() -> None:
    for level in (10, 245):
        rgba = np.zeros((300, 400, 4), np.uint8)
        rgba[60:160, 250:270] = rgba[140:160, 250:310] = (level, level, level, 255)
        assert box(prepared(Image.fromarray(rgba))) == box(prepared(letter()))


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG"])
def test_a_rotated_photograph_is_turned_upright(kind: str) -> None:
    turned = Image.Exif()
    turned[ORIENTATION] = 6  # a camera held on its side
    file = io.BytesIO()
    letter(mode="RGB").rotate(90, expand=True).save(file, kind, exif=turned)
    assert box(prepared(Image.open(file))) == box(prepared(letter()))


def test_an_image_of_the_training_data_is_unchanged() -> None:
    images = np.asarray(silhouettes(200, test_rows=10).train.inputs, np.uint8)
    framing = framing_of(images)
    assert all(np.array_equal(prepared(image, framing), image) for image in images)


def test_preparing_twice_changes_little() -> None:
    row = prepared(letter())
    large = Image.fromarray(np.pad(row, 4)).resize((360, 360), Image.Resampling.BICUBIC)
    again = prepared(large)
    assert np.corrcoef(again.ravel(), row.ravel())[0, 1] > 0.97


def test_an_object_may_touch_the_border() -> None:
    image = letter().crop((250, 20, 400, 300))
    assert box(prepared(image)) == box(prepared(letter()))


def test_two_parts_are_one_object_and_specks_are_none() -> None:
    image = letter()
    draw = ImageDraw.Draw(image)
    draw.point([(20, 20), (21, 20), (380, 280)], fill=0)  # specks
    assert box(prepared(image)) == box(prepared(letter()))
    draw.rectangle([150, 60, 200, 159], fill=40)  # a second part
    assert box(prepared(image))[2:] == [0, 27]


@pytest.mark.parametrize(
    "image",
    [
        np.full((1, 1), 200, np.uint8),
        np.full((90, 70), 200, np.uint8),
        np.zeros((1, 3000), np.uint8),
    ],
    ids=["1 x 1", "blank", "a line"],
)
def test_an_empty_photograph_is_background(image: Pixels) -> None:
    assert not prepared(image).any()


@pytest.mark.parametrize("shape", [(3000, 1), (1, 3000), (2, 2), (3, 500)])
def test_photographs_of_any_shape_are_prepared(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert prepared(noise).shape == (28, 28)


def test_levels_that_are_not_finite_are_refused() -> None:
    with pytest.raises(DataError, match="must be finite"):
        prepared(np.full((20, 20), np.nan))
    with pytest.raises(DataError, match="expected the path of an image, a Pillow image, or"):
        prepared(np.zeros((2, 3, 4, 5)))


def test_colors_are_kept_on_the_background_of_the_training_data() -> None:
    image = Image.new("RGB", (400, 300), (120, 120, 120))
    ImageDraw.Draw(image).rectangle([20, 30, 119, 129], fill=(220, 30, 40))
    row = prepare_photograph(image, (3, 32, 32), Framing(255.0, True, 0.5))
    assert np.abs(row[:, 16, 16].astype(int) - (220, 30, 40)).max() <= 4
    assert (row[:, 2, 2] == 255).all()
    kept = prepare_photograph(image, (3, 32, 32), Framing(100.0, False, 1.0))
    assert np.abs(kept[:, 16, 16].astype(int) - (220, 30, 40)).max() <= 4


def test_a_dark_object_on_white_is_framed_so() -> None:
    white = 255 - np.asarray(silhouettes(200, test_rows=10).train.inputs, np.uint8)
    framing = framing_of(white)
    assert (framing.background, framing.flat) == (255.0, True)
    assert framing.contrast < -100
    row = prepared(letter(background=20, ink=210), framing)
    assert row[0, 27] == 255
    assert row.min() < 155


def test_images_without_a_common_background_are_not_flat() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (50, 3, 32, 32), dtype=np.uint8)
    assert not framing_of(noise).flat


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extent": 7.0}, "extent of a framing must be from 0.01 to 1.0, got 7.0"),
        ({"flat": 1}, "flat of a framing must be a bool, got 1"),
        ({"size": 1.0}, "unknown figure of a framing 'size'"),
    ],
)
def test_figures_out_of_range_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Framing.from_config({**FRAMING.to_config(), **change})
