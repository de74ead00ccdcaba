"""``mlp-record``: three hidden layers of 1,024 units, the most accurate without convolutions.

The best published dense network that we know for this dataset has the same size and normalization,
and reaches 91.63 % (Nøkland, Eidnes 2019, with backpropagation, flips, and shifts of up to two
pixels). Random flips and shifts of up to a pixel make 120 epochs useful.

References
----------
Nøkland, Eidnes, "Training Neural Networks with Local Error Signals", ICML 2019.
"""

from handloom.data.augment import Flip, Shift
from handloom.optimizers import Adam
from handloom.recipes.networks import mlp
from handloom.recipes.recipe import MeasuredResults, Recipe, rise_and_fall

RECIPE = Recipe(
    name="mlp-record",
    summary="three hidden layers of 1,024, batch norm, dropout, flipped and shifted images",
    layers=mlp(1024, 1024, 1024, dropout=0.1),
    optimizer=Adam,
    rate=rise_and_fall(3e-3),
    epochs=120,
    batch_size=512,
    label_smoothing=0.1,
    augment=(Flip(), Shift(1)),
    results=(MeasuredResults((0.9203, 0.9199, 0.9216), seconds=463.1, epochs=120),),
)
