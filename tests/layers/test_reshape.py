"""New shapes: the same numbers in the order in which they are written."""

import numpy as np
import pytest
from tests.helpers.images import draw

from handloom import ConfigurationError, Conv2D, Flatten, ModelError, Reshape, Sequential
from handloom.parameters import Array
from handloom.testing import check_layer


def by_hand(x: Array, weights: object) -> Array:
    return np.array([list(row.flat) for row in x])


@pytest.mark.parametrize("shape", [(3, 4, 5), (6,), (2, 3)])
def test_flatten_lays_a_row_in_a_line(shape: tuple[int, ...]) -> None:
    assert check_layer(Flatten(), draw(4, *shape), by_hand).ok


def test_reshape_keeps_the_order() -> None:
    def reference(x: Array, weights: object) -> Array:
        return np.array([[[row[0:3], row[3:6]], [row[6:9], row[9:12]]] for row in x])

    assert check_layer(Reshape((2, 2, 3)), draw(4, 12), reference).ok


def test_images_that_have_their_channels_last_in_memory_keep_the_order_too() -> None:
    network = Sequential([Reshape((1, 4, 4)), Conv2D(3, 1), Flatten()]).build((16,))
    images = network.layers[1].forward(draw(2, 1, 4, 4).astype(np.float32))
    assert not images.flags.c_contiguous
    assert network.layers[2].forward(images).tolist() == by_hand(images, {}).tolist()


def test_mistakes_are_named() -> None:
    for shape in ((), "28", 28, (0, 3), (2.5,), (True,)):
        with pytest.raises(ConfigurationError, match="shape"):
            Reshape(shape)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"6 entries for shape \(2, 3\), got 7 \(shape \(7,"):
        Reshape((2, 3)).output_shape((7,))
