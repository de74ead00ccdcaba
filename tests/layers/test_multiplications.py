"""How many multiplications a row takes: counted by hand, layer by layer."""

import pytest

from handloom import (
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    LayerNorm,
    MaxPool2D,
    ReLU,
    Residual,
    Sequential,
)
from handloom.layers import Layer


@pytest.mark.parametrize(
    ("layer", "row", "count"),
    [
        (Dense(3), (5,), 5 * 3),
        (Conv2D(4, 3), (2, 8, 9), 6 * 7 * (3 * 3 * 2 * 4)),  # of each pixel, all weights
        (Conv2D(4, 3, stride=2, padding="same", biases=False), (2, 8, 9), 4 * 5 * 72),
        (BatchNorm(), (3, 4, 5), 3 * 4 * 5),
        (LayerNorm(), (7,), 7),
        (Embedding({0: 12}, width=4), (2,), 0),  # vectors are looked up
        (Residual([Dense(6), ReLU(), Dense(5)]), (5,), 30 + 30),
        (Residual([Dense(6), ReLU(), Dense(3)], shortcut=[Dense(3)]), (5,), 30 + 18 + 15),
        (ReLU(), (5,), 0),
        (MaxPool2D(2), (1, 4, 4), 0),
        (Dropout(0.5), (5,), 0),
    ],
)
def test_a_row_takes_as_many_multiplications_as_arrays_take_part_in(
    layer: Layer, row: tuple[int, ...], count: int
) -> None:
    assert layer.multiplications(row) == count


def test_a_network_takes_those_of_its_layers() -> None:
    network = Sequential([Conv2D(4, 3), ReLU(), Flatten(), Dense(3)])
    assert network.multiplications == 0
    network.build((1, 6, 6))
    assert network.multiplications == 16 * 36 + 64 * 3
