"""``cnn-flash``: five convolutions, two minutes.

One convolution of 3 x 3 looks at the image at its full size, two more at half and two at a quarter
of it (deeper where it is cheap: Simonyan, Zisserman 2015). Pooling comes before normalization
(Ioffe, Szegedy 2015) and ReLU, which then have a quarter of the numbers to go through, and before
the narrow first layer pays for the wide ones. Every image is mirrored in every other epoch. The
weights of convolutions step by Muon, those of the last layer by AdamW (Jordan 2024, for all three),
which was worth half a percent over Adam. The rate is as large as it may be, rises over a fifth of
the steps and falls to zero along a line.
"""

from functools import partial

from handloom.data.augment import Flip
from handloom.optimizers import Muon
from handloom.recipes.networks import cnn
from handloom.recipes.recipe import Figures, Recipe, rise_and_fall

RECIPE = Recipe(
    name="cnn-flash",
    summary="five convolutions of 32 to 128 filters, mirrored images",
    layers=cnn(((32,), (64, 64), (128, 128)), dropout=0.1),
    optimizer=partial(Muon, adam_rate=0.1, adam_for=("dense",)),
    rate=rise_and_fall(1e-1, rise=0.2),
    epochs=6,
    batch_size=128,
    label_smoothing=0.1,
    augment=(Flip(alternating=True),),
    figures=(Figures((0.9364, 0.9371, 0.9375, 0.9369, 0.9371), seconds=111.7, epochs=6),),
)
