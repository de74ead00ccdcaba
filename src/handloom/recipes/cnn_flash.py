"""``cnn-flash``: a small convolutional network, a few epochs.

Convolutions of 3 x 3 with batch normalization between poolings (Simonyan, Zisserman 2015; Ioffe,
Szegedy 2015), few channels where images are large; mirrored images, since clothes may face either
way. The rate rises over a fifth of the steps and falls to zero along a line.
"""

from collections.abc import Sequence

from handloom.data.augment import Flip
from handloom.layers import (
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPool2D,
    ReLU,
    Reshape,
    Softmax,
)
from handloom.optimizers import Adam
from handloom.recipes.recipe import Figures, Recipe, rise_and_fall


def convolution(filters: int) -> list[Layer]:
    """Return a convolution that keeps the size, normalized."""
    return [
        Conv2D(filters, 3, padding="same", biases=False),
        BatchNorm(ghost_batch=64),
        ReLU(),
    ]


def layers(image_shape: tuple[int, ...], classes: int) -> Sequence[Layer]:
    """Return the layers, for images of one channel."""
    return [
        Reshape((1, *image_shape)),
        *convolution(16),
        MaxPool2D(2),
        *convolution(32),
        MaxPool2D(2),
        *convolution(64),
        *convolution(64),
        MaxPool2D(2),
        Flatten(),
        Dropout(0.2),
        Dense(classes, weights="glorot"),
        Softmax(),
    ]


RECIPE = Recipe(
    name="cnn-flash",
    summary="four convolutions of 16 to 64 filters, mirrored images",
    layers=layers,
    optimizer=Adam,
    rate=rise_and_fall(6e-3, rise=0.2),
    epochs=6,
    batch_size=128,
    label_smoothing=0.05,
    augment=(Flip(),),
    figures=(Figures((0.9176,), seconds=316, epochs=6),),
)
