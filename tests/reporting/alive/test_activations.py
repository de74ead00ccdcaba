import numpy as np
import pytest
from tests.helpers.random_networks import outputs_of, random_model

from handloom.layers import (
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPool2D,
    ReLU,
    Reshape,
    Residual,
)
from handloom.reporting.alive.activations import activations, shown_layers, still_picture

LAYERS = [
    Reshape((1, 6, 6)),
    Conv2D(2, 3),
    MaxPool2D(2),
    BatchNorm(),
    ReLU(),
    Flatten(),
    Residual([Dense(8), ReLU()]),
    Dropout(0.5),
    Dense(3),
]


def test_layers_that_change_nothing_are_not_shown() -> None:
    shown = shown_layers(LAYERS, (36,))
    assert [(each.name, each.shape) for each in shown] == [
        ("1.conv2d", (2, 4, 4)),
        ("2.max_pool2d", (2, 2, 2)),
        ("3.batch_norm", (2, 2, 2)),
        ("4.relu", (2, 2, 2)),
        ("6.residual.block.0.dense", (8,)),
        ("6.residual.block.1.relu", (8,)),
        ("6.residual", (8,)),
        ("8.dense", (3,)),
    ]


def test_the_last_layer_of_each_block_says_most() -> None:
    shown = shown_layers(LAYERS, (36,))
    assert [each.name for each in shown if not each.between] == ["4.relu", "6.residual", "8.dense"]


def test_activations_are_those_of_the_layers() -> None:
    rng = np.random.default_rng(3)
    model = random_model((36,), LAYERS, rng)
    row = rng.standard_normal(36).astype(np.float32)
    outputs = activations(model, row)
    for name, y in outputs_of(model, row).items():
        np.testing.assert_array_equal(outputs[name].ravel(), y)


@pytest.mark.parametrize("shape", [(96,), (1000,), (1,), (32, 14, 14), (128, 3, 3), (3, 64, 48)])
def test_a_still_picture_fits_the_page(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).standard_normal(shape)
    picture = still_picture(values)
    assert 0 < picture.shape[1] <= 560
    assert picture.shape[2] == 4
    assert picture.any()


def test_the_stronger_value_is_the_less_transparent_one() -> None:
    weak, strong, negative, zero = still_picture(np.array([0.5, 2.0, -2.0, 0.0]))[0, ::15][:4]
    assert zero[3] < weak[3] < strong[3] == negative[3] == 255
    assert strong[0] > strong[2]  # orange
    assert negative[2] > negative[0]  # blue


def test_pictures_of_zeros_and_of_values_that_are_not_finite() -> None:
    assert still_picture(np.zeros(5)).any()
    assert still_picture(np.array([np.nan, 1.0, 0.5]))[0, 15, 3] == 255
