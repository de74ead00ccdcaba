"""``cnn``: the network of ``cnn-flash``, on images that are moved as well, for five minutes.

Mirrored images alone are learned by heart after some epochs. Moved by up to a pixel they last
longer (Simard, Steinkraus, Platt, "Best Practices for Convolutional Neural Networks", 2003).
"""

from handloom.data.augment import Flip, Shift
from handloom.recipes.cnn_flash import layers, optimizer
from handloom.recipes.recipe import Figures, Recipe, rise_and_fall

RECIPE = Recipe(
    name="cnn",
    summary="three convolutions of 32 to 128 filters, mirrored and moved images",
    layers=layers,
    optimizer=optimizer,
    rate=rise_and_fall(5e-2, rise=0.2),
    epochs=9,
    batch_size=128,
    label_smoothing=0.1,
    augment=(Flip(alternating=True), Shift(1)),
    figures=(Figures((0.9236, 0.9264), seconds=313.7, epochs=9),),
)
