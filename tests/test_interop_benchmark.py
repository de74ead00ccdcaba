"""The table of every layer in every format."""

import pytest
from benchmarks.interop import differences, table

from handloom import to_numpy
from handloom.layers import LAYERS

SUMS_OF_IMAGES = {"conv2d", "reshape", "layer_norm", "global_average_pool2d", "residual"}
"""Layers whose sums NumPy adds in another order than the library."""


def test_every_layer_has_a_row_and_most_are_the_same_to_the_bit() -> None:
    largest = differences(to_numpy)
    assert set(largest) == set(LAYERS)
    assert {name for name, each in largest.items() if each} <= SUMS_OF_IMAGES
    assert max(each or 0.0 for each in largest.values()) < 1e-5


@pytest.mark.slow
def test_the_table_has_a_line_for_each_layer() -> None:
    lines = table().splitlines()
    assert len(lines) == 2 + len(LAYERS)
    assert len({line.count("|") for line in lines}) == 1
