"""``cnn-flash``: three convolutions, a little over two minutes.

The first looks at 5 x 5 pixels and halves the image, so that no layer works at full size; two of
3 x 3 with batch normalization follow, with a pooling after each (Simonyan, Zisserman 2015; Ioffe,
Szegedy 2015). Many channels on small images suit the matrix products that convolutions become.
Every image is mirrored in every other epoch (Jordan 2024). The rate is as large as it may be, rises
over a fifth of the steps and falls to zero along a line.
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
from handloom.layers.windows import Padding
from handloom.optimizers import Adam
from handloom.recipes.recipe import Figures, Recipe, rise_and_fall


def convolution(
    filters: int, size: int = 3, *, stride: int = 1, padding: Padding = "same"
) -> list[Layer]:
    """Return a convolution, normalized."""
    return [
        Conv2D(filters, size, stride=stride, padding=padding, biases=False),
        BatchNorm(ghost_batch=64),
        ReLU(),
    ]


def layers(image_shape: tuple[int, ...], classes: int) -> Sequence[Layer]:
    """Return the layers, for images of one channel."""
    return [
        Reshape((1, *image_shape)),
        *convolution(32, 5, stride=2, padding=2),
        *convolution(64),
        MaxPool2D(2),
        *convolution(128),
        MaxPool2D(2),
        Flatten(),
        Dropout(0.1),
        Dense(classes, weights="glorot"),
        Softmax(),
    ]


RECIPE = Recipe(
    name="cnn-flash",
    summary="three convolutions of 32 to 128 filters, mirrored images",
    layers=layers,
    optimizer=Adam,
    rate=rise_and_fall(1e-2, rise=0.2),
    epochs=4,
    batch_size=128,
    label_smoothing=0.1,
    augment=(Flip(alternating=True),),
    figures=(Figures((0.9127, 0.9106, 0.9146), seconds=135.2, epochs=4),),
)
