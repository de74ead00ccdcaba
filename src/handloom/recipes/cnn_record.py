"""``cnn-record``: the network of ``cnn-flash``, twice as wide, the most accurate of the recipes.

It has the time to see every image in many places, as ``cnn`` does, and needs a larger dropout
(Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout", JMLR 15, 2014), or it learns
the training rows by heart.
"""

from functools import partial

from handloom.data.augment import Flip, Shift
from handloom.recipes.cnn_flash import layers, optimizer
from handloom.recipes.recipe import Figures, Recipe, rise_and_fall

RECIPE = Recipe(
    name="cnn-record",
    summary="four convolutions of 48 to 192 filters, mirrored and moved images",
    layers=partial(layers, filters=((48,), (96, 96), (192, 192)), dropout=0.2),
    optimizer=optimizer,
    rate=rise_and_fall(5e-2, rise=0.2),
    epochs=16,
    batch_size=128,
    label_smoothing=0.1,
    augment=(Flip(alternating=True), Shift(1)),
    figures=(),
)
