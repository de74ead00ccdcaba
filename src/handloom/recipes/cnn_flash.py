"""``cnn-flash``: three convolutions, two and a half minutes.

The first looks at 5 x 5 pixels and halves the image, so that no layer works at full size; two of
3 x 3 with batch normalization follow, with a pooling after each (Simonyan, Zisserman 2015; Ioffe,
Szegedy 2015). Many channels on small images suit the matrix products that convolutions become.
Every image is mirrored in every other epoch, and the weights of convolutions step by Muon (Jordan
2024, for both), which was worth half a percent over Adam. The rate is as large as it may be, rises
over a fifth of the steps and falls to zero along a line.
"""

from collections.abc import Sequence
from functools import partial

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
from handloom.optimizers import Muon
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


optimizer = partial(Muon, adam_rate=0.1, adam_for=("14.dense",))
"""Makes Muon for `layers`; the one that gives the logits is left to AdamW."""

RECIPE = Recipe(
    name="cnn-flash",
    summary="three convolutions of 32 to 128 filters, mirrored images",
    layers=layers,
    optimizer=optimizer,
    rate=rise_and_fall(5e-2, rise=0.2),
    epochs=4,
    batch_size=128,
    label_smoothing=0.1,
    augment=(Flip(alternating=True),),
    figures=(Figures((0.9190, 0.9182), seconds=147.7, epochs=4),),
)
