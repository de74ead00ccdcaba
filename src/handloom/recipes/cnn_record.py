"""``cnn-record``: the network of ``cnn-flash``, half as wide again, the most accurate recipe.

It has the time to see every image in many places, as ``cnn`` does. A quarter of the images lose a
rectangle as well (Zhong, Zheng, Kang, Li, Yang, "Random Erasing Data Augmentation", AAAI 2020), or
it would learn them by heart.
"""

from functools import partial

from handloom.data.augment import Erase, Flip, Shift
from handloom.optimizers import Muon
from handloom.recipes.networks import cnn
from handloom.recipes.recipe import Figures, Recipe, rise_and_fall

RECIPE = Recipe(
    name="cnn-record",
    summary="five convolutions of 48 to 192 filters, images mirrored, moved, partly erased",
    layers=cnn(((48,), (96, 96), (192, 192)), dropout=0.2),
    optimizer=partial(Muon, adam_rate=0.1, adam_for=("dense",)),
    rate=rise_and_fall(5e-2, rise=0.2),
    epochs=26,
    batch_size=128,
    label_smoothing=0.1,
    augment=(Flip(alternating=True), Shift(1), Erase(probability=0.25, largest=0.2)),
    figures=(Figures((0.9476, 0.9483, 0.9487), seconds=919.4, epochs=26),),
)
