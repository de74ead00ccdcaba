"""``mlp``: two hidden layers of 512, normalized, a minute of training.

Batch normalization in ghost batches of 64 (Ioffe, Szegedy 2015; Hoffer, Hubara, Soudry 2017) lets
the rate be large; dropout (Srivastava and others 2014) and label smoothing (Szegedy and others
2016) keep twenty epochs from being too many. Mirrored images instead of dropout did no better.
"""

from collections.abc import Sequence

from handloom.layers import BatchNorm, Dense, Dropout, Layer, ReLU, Softmax
from handloom.optimizers import Adam
from handloom.recipes.recipe import Figures, Recipe, rise_and_fall


def hidden(*units: int, dropout: float) -> list[Layer]:
    """Return hidden layers, normalized, that forget a fraction of what they found."""
    return [
        layer
        for h in units
        for layer in (Dense(h), BatchNorm(ghost_batch=64), ReLU(), Dropout(dropout))
    ]


def layers(_: tuple[int, ...], classes: int) -> Sequence[Layer]:
    """Return the layers, for images of any shape."""
    return [*hidden(512, 512, dropout=0.3), Dense(classes, weights="glorot"), Softmax()]


RECIPE = Recipe(
    name="mlp",
    summary="two hidden layers of 512, batch norm, dropout",
    layers=layers,
    optimizer=Adam,
    rate=rise_and_fall(4e-3),
    epochs=20,
    batch_size=512,
    label_smoothing=0.05,
    figures=(Figures((0.9064, 0.9065, 0.9061, 0.9057, 0.9060), seconds=58.19, epochs=20),),
)
