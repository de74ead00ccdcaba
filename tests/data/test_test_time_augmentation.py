"""Views: the same images mirrored and moved, and nothing else changed."""

import numpy as np
import pytest
from tests.data.helpers import images

from handloom.data.test_time_augmentation import MIRRORED, MIRRORED_AND_MOVED, View

Y, X = 9, 7


@pytest.mark.parametrize("view", MIRRORED_AND_MOVED)
def test_channels_are_viewed_as_a_gray_image_is(view: View) -> None:
    before = images(5, 4, Y, X)
    after = view(before)
    for channel in range(4):
        np.testing.assert_array_equal(after[:, channel], view(before[:, channel]))


@pytest.mark.parametrize("shape", [(5, Y, X), (5, 2, Y, X)])
def test_a_view_is_the_image_mirrored_and_moved(shape: tuple[int, ...]) -> None:
    before = images(*shape)
    assert np.array_equal(View()(before), before)
    assert np.array_equal(View(flip=True)(before), before[..., ::-1])
    down = View(down=2)(before)
    assert np.array_equal(down[..., 2:, :], before[..., :-2, :])
    assert not down[..., :2, :].any()
    both = View(flip=True, down=-1, right=3)(before)
    assert np.array_equal(both[..., :-1, 3:], before[..., 1:, ::-1][..., :-3])
    assert not both[..., -1, :].any()
    assert not both[..., :3].any()
    for far in (View(down=Y), View(right=-X - 5)):
        assert not far(before).any()
    assert len(MIRRORED) == 2
    assert len(MIRRORED_AND_MOVED) == 8
