"""A Winograd transform and its way back are transposes."""

from typing import Any

import numpy as np
import pytest
from tests.fused.helpers import both, empty, needs_numba, tilings

from handloom.layers import winograd


@needs_numba
def test_a_winograd_transform_and_its_way_back_are_transposes(real: Any) -> None:
    rounding = 1e-3 if real is np.float32 else 1e-12
    for x, tiles, top, left in tilings(np.random.default_rng(0), real):
        close: dict[str, Any] = {"rel": rounding, "abs": rounding * np.sqrt(tiles.size)}
        for forward, backward, corner in (
            (winograd.transform_inputs, winograd.transform_inputs_backward, (top, left)),
            (winograd.transform_outputs_backward, winograd.transform_outputs, ()),
        ):
            for there, back in zip(both(forward, real), both(backward, real), strict=True):
                to_tiles, to_images = empty(real, *tiles.shape), empty(real, *x.shape)
                there(x, *corner, to_tiles)
                back(tiles, *corner, to_images)
                assert np.vdot(to_tiles, tiles) == pytest.approx(np.vdot(x, to_images), **close)
