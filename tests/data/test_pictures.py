"""Stored images become pictures: each channel where it belongs, of a size that fits."""

import numpy as np
import numpy.typing as npt
import pytest
from tests.data.helpers import images

from handloom.data.pictures import Sheet, picture, require_pictures
from handloom.errors import DataError


@pytest.mark.parametrize("shape", [(9, 7), (1, 9, 7)])
def test_a_gray_image_is_drawn_as_it_is(shape: tuple[int, ...]) -> None:
    image = images(*shape)
    np.testing.assert_array_equal(picture(image, 9), image.reshape(9, 7))


def test_channels_are_red_green_and_blue() -> None:
    image = images(3, 9, 7)
    np.testing.assert_array_equal(picture(image, 9), np.stack(list(image), axis=-1))


def test_transparent_pixels_show_a_checkerboard_and_opaque_ones_hide_it() -> None:
    image = images(4, 16, 8)
    image[3] = 0
    board = picture(image, 16)
    assert set(np.unique(board)) == {204, 255}
    assert (board[:2, :2] != board[:2, 2:4]).all()
    image[3] = 255
    np.testing.assert_array_equal(picture(image, 16), picture(image[:3], 16))
    image[3] = 51
    half = 0.2 * np.moveaxis(image[:3], 0, -1) + 0.8 * board
    np.testing.assert_allclose(picture(image, 16), half, atol=0.51)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_large_image_is_reduced_to_means_of_squares(channels: int) -> None:
    image = images(channels, 10, 7)
    expected = [
        [image[:, y : y + 3, x : x + 3].mean(axis=(1, 2)) for x in range(0, 7, 3)]
        for y in range(0, 10, 3)
    ]
    reduced = picture(image, 4).reshape(4, 3, channels)
    np.testing.assert_allclose(reduced, np.array(expected), atol=0.51)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (images(5, 2, 9, 7), r"1 channel \(gray\), 3 \(RGB\) or 4 \(RGBA\), got uint8.*\(5, 2, 9"),
        (images(5, 7, 9, 7), r"got uint8 of shape \(5, 7, 9, 7\)"),
        (images(5, 63), r"uint8 of shape \(n, y, x\)"),
        (images(5, 3, 3, 9, 7), "uint8 of shape"),
        (images(5, 9, 7).astype(np.float32), "got float32"),
        (images(5, 28, 28, 3), "pass channels_last=True to Dataset"),
    ],
)
def test_other_arrays_are_refused(inputs: npt.NDArray[np.generic], message: str) -> None:
    with pytest.raises(DataError, match=message):
        require_pictures(inputs)


def test_a_sheet_of_narrow_pictures_leaves_room_for_their_names() -> None:
    sheet = Sheet({(0, 0): images(4, 40), (2, 1): images(4, 40)}, rows=3, columns=2)
    assert sheet.pixels.shape == (3 * 10 + 2 * 2, 2 * 40 + 2)
    assert sheet.middles == [4.5, 16.5, 28.5]
    assert (sheet.pixels[3:7, :40] < 255).any()
    assert (sheet.pixels[:3] == 255).all()
