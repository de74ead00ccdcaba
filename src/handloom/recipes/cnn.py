"""``cnn``: the network of ``cnn-flash``, with random shifts as well, five minutes.

With random flips alone the network overfits after some epochs. Shifts of up to a pixel delay that,
so that more than twice as many epochs help, with a larger dropout.

References
----------
Simard, Steinkraus, Platt, "Best Practices for Convolutional Neural Networks Applied to Visual
Document Analysis", ICDAR 2003, on shifts.
"""

from functools import partial

from handloom.data.augment import Flip, Shift
from handloom.optimizers import Muon
from handloom.recipes.networks import cnn
from handloom.recipes.recipe import MeasuredResults, Recipe, rise_and_fall

RECIPE = Recipe(
    name="cnn",
    summary="five convolutions of 32 to 128 filters, flipped and shifted images",
    layers=cnn(((32,), (64, 64), (128, 128)), dropout=0.2),
    optimizer=partial(Muon, adam_rate=0.1, adam_for=("dense",)),
    rate=rise_and_fall(5e-2, rise=0.2),
    epochs=15,
    batch_size=128,
    label_smoothing=0.1,
    augment=(Flip(alternating=True), Shift(1)),
    results=(MeasuredResults((0.9426, 0.9428, 0.9434), seconds=275.8, epochs=15),),
)
