"""``cnn-record``: four convolutions of 64 to 128 filters, the most accurate of the recipes.

The network of ``cnn-flash`` with a second convolution on 7 x 7 pixels, and twice the
filters in its first (deeper at each size: Simonyan, Zisserman 2015). There is time for more
changes to the images, moved by up to two pixels, and for a larger dropout.
"""

from collections.abc import Sequence
from functools import partial

from handloom.data.augment import Flip, Shift
from handloom.layers import Dense, Dropout, Flatten, Layer, MaxPool2D, Reshape, Softmax
from handloom.optimizers import Muon
from handloom.recipes.cnn_flash import convolution
from handloom.recipes.recipe import Figures, Recipe, rise_and_fall


def layers(image_shape: tuple[int, ...], classes: int) -> Sequence[Layer]:
    """Return the layers, for images of one channel."""
    return [
        Reshape((1, *image_shape)),
        *convolution(64, 5, stride=2, padding=2),
        *convolution(64),
        MaxPool2D(2),
        *convolution(128),
        *convolution(128),
        MaxPool2D(2),
        Flatten(),
        Dropout(0.2),
        Dense(classes, weights="glorot"),
        Softmax(),
    ]


RECIPE = Recipe(
    name="cnn-record",
    summary="four convolutions of 64 to 128 filters, mirrored and moved images",
    layers=layers,
    optimizer=partial(Muon, adam_rate=0.1, adam_for=("17.dense",)),
    rate=rise_and_fall(5e-2, rise=0.2),
    epochs=24,
    batch_size=128,
    label_smoothing=0.1,
    augment=(Flip(alternating=True), Shift(2)),
    figures=(Figures((0.9360,), seconds=2256.4, epochs=24, threads=1),),
)
