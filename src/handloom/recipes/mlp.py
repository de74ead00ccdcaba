"""``mlp``: two hidden layers of 384, normalized, a minute of training.

Batch normalization in ghost batches (Ioffe, Szegedy 2015; Hoffer, Hubara, Soudry 2017) lets the
rate be large. Layers this small are quick, so there is time for eighty epochs. Images that are
mirrored in every other epoch (Jordan 2024) and moved by a pixel (Simard, Steinkraus, Platt, "Best
Practices for Convolutional Neural Networks", 2003) last for as many, with a little dropout
(Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout", JMLR 15, 2014).
"""

from collections.abc import Sequence
from functools import partial

from handloom.data.augment import Flip, Shift
from handloom.layers import BatchNorm, Dense, Dropout, Layer, ReLU, Softmax
from handloom.optimizers import Adam
from handloom.recipes.recipe import Figures, Recipe, rise_and_fall


def hidden(*units: int, ghost_batch: int = 64, dropout: float = 0.0) -> list[Layer]:
    """Return hidden layers, normalized, with dropout after each where there is any."""
    found: list[Layer] = []
    for h in units:
        found += [Dense(h), BatchNorm(ghost_batch=ghost_batch), ReLU()]
        if dropout:
            found.append(Dropout(dropout))
    return found


def layers(_: tuple[int, ...], classes: int) -> Sequence[Layer]:
    """Return the layers, for images of any shape."""
    return [*hidden(384, 384, dropout=0.1), Dense(classes, weights="glorot"), Softmax()]


RECIPE = Recipe(
    name="mlp",
    summary="two hidden layers of 384, batch norm, dropout, mirrored and moved images",
    layers=layers,
    optimizer=partial(Adam, beta2=0.95),
    rate=rise_and_fall(1e-2),
    epochs=80,
    batch_size=512,
    label_smoothing=0.05,
    augment=(Flip(alternating=True), Shift(1)),
    figures=(Figures((0.9112, 0.9126, 0.9119, 0.9152, 0.9120), seconds=52.8, epochs=80),),
)
