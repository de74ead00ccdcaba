"""The benchmark has a difference for each layer, and nearly all of them are exactly zero."""

from benchmarks.interop.numpy import differences

from handloom.layers import LAYERS

SUMS_OF_IMAGES = {"conv2d", "layer_norm", "global_average_pool2d"}


def test_every_layer_is_compared() -> None:
    largest = differences()
    assert set(largest) == set(LAYERS)
    assert not {name for name, each in largest.items() if each} - SUMS_OF_IMAGES
    assert max(largest.values()) < 1e-5
