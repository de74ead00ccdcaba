"""``mlp-flash``: one hidden layer, as accurate as the time of a breath allows.

Everything was chosen on a sixth of the training rows. What bought the most at this length is the
schedule: a large rate that falls to zero along a line (Goyal and others, "Accurate, Large Minibatch
SGD", 2017, for the rise; Defazio and others, "Optimal Linear Decay Learning Rate Schedules", 2023,
for the fall). A wider layer costs more time than it gains.
"""

from collections.abc import Sequence

from handloom.layers import Dense, Layer, ReLU, Softmax
from handloom.optimizers import Adam
from handloom.recipes.recipe import Figures, Recipe, rise_and_fall


def layers(_: tuple[int, ...], classes: int) -> Sequence[Layer]:
    """Return the layers, for images of any shape."""
    return [Dense(128), ReLU(), Dense(classes, weights="glorot"), Softmax()]


RECIPE = Recipe(
    name="mlp-flash",
    summary="one hidden layer of 128",
    layers=layers,
    optimizer=Adam,
    rate=rise_and_fall(4e-3),
    epochs=4,
    batch_size=128,
    figures=(
        Figures(
            (0.8788, 0.8787, 0.8785, 0.8796, 0.8788, 0.8788, 0.8792, 0.8772, 0.8775, 0.8799),
            seconds=2.68,
            epochs=4,
        ),
        Figures(
            (0.8901, 0.8942, 0.8906, 0.8887, 0.8922, 0.8862, 0.8906, 0.8880, 0.8903, 0.8909),
            seconds=7.21,
            epochs=12,
        ),
    ),
)
