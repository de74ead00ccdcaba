"""``cnn-record``: the network of ``cnn-flash``, half as wide again, the most accurate recipe.

Images are flipped and shifted as in ``cnn``, for more epochs. Random erasing of a quarter of them
prevents overfitting.

References
----------
Zhong, Zheng, Kang, Li, Yang, "Random Erasing Data Augmentation", AAAI 2020.
"""

from functools import partial

from handloom.data.augment import Erase, Flip, Shift
from handloom.optimizers import Muon
from handloom.recipes.networks import cnn
from handloom.recipes.recipe import MeasuredResults, Recipe, rise_and_fall

RECIPE = Recipe(
    name="cnn-record",
    summary="five convolutions of 48 to 192 filters, images flipped, shifted, partly erased",
    layers=cnn(((48,), (96, 96), (192, 192)), dropout=0.2),
    optimizer=partial(Muon, adam_rate=0.1, adam_for=("dense",)),
    rate=rise_and_fall(5e-2, rise=0.2),
    epochs=26,
    batch_size=128,
    label_smoothing=0.1,
    augment=(Flip(alternating=True), Shift(1), Erase(probability=0.25, largest=0.2)),
    results=(MeasuredResults((0.9479, 0.9478, 0.9483), seconds=919.4, epochs=26),),
)
