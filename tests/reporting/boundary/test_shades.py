"""Pictures of planes, read again by another library."""

import io
from base64 import b64decode

import numpy as np
import pytest

from handloom.reporting.boundary.indexed_png import indexed_png
from handloom.reporting.boundary.shades import class_picture, finer, rgb, value_picture

Image = pytest.importorskip("PIL.Image")


def read(source: str) -> np.ndarray:
    content = b64decode(source.partition("base64,")[2])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))


def test_an_image_is_read_by_pillow_as_it_was_written() -> None:
    rng = np.random.default_rng(0)
    palette = rng.integers(0, 256, (20, 4), np.uint8)
    indices = rng.integers(0, 20, (5, 7), np.uint8)
    np.testing.assert_array_equal(read(indexed_png(indices, palette)), palette[indices])


def test_a_finer_grid_holds_the_coarse_one() -> None:
    planes = np.random.default_rng(0).random((4, 5, 2))
    fine = finer(planes)
    assert fine.shape == (13, 17, 2)
    np.testing.assert_allclose(fine[::4, ::4], planes)
    np.testing.assert_allclose(fine[2, 0], planes[:2, 0].mean(axis=0))


def test_the_second_input_grows_upward_and_a_line_separates_classes() -> None:
    upper = np.linspace(0, 1, 8)[:, None] * np.ones(6)
    picture = read(class_picture(np.stack([1 - upper, upper], axis=-1)))
    assert tuple(picture[0, 0, :3]) == rgb("#d55e00")
    assert tuple(picture[-1, 0, :3]) == rgb("#0072b2")
    assert picture[0, 0, 3] > picture[8, 0, 3]  # more certain
    lines = (picture == (110, 118, 126, 255)).all(axis=-1)
    assert lines.any(axis=0).all()
    assert lines.sum() == lines.shape[1]


def test_continuous_values_are_blue_below_and_orange_above() -> None:
    picture = read(value_picture(np.linspace(0, 1, 8)[:, None] * np.ones(6), 0, 1))
    assert tuple(picture[0, 0, :3]) == rgb("#d55e00")
    assert tuple(picture[-1, 0, :3]) == rgb("#0072b2")
