"""``mlp``: two hidden layers of 384 units with batch normalization, a minute of training.

Batch normalization in ghost batches (Ioffe, Szegedy 2015; Hoffer, Hubara, Soudry 2017) allows a
large learning rate. The small layers leave time for eighty epochs. Flipping images in every other
epoch (Jordan 2024), shifting them by a pixel (Simard, Steinkraus, Platt, "Best Practices for
Convolutional Neural Networks", 2003) and a little dropout (Srivastava, Hinton, Krizhevsky,
Sutskever, Salakhutdinov, "Dropout", JMLR 15, 2014) limit overfitting.
"""

from functools import partial

from handloom.data.augment import Flip, Shift
from handloom.optimizers import Adam
from handloom.recipes.networks import mlp
from handloom.recipes.recipe import MeasuredResults, Recipe, rise_and_fall

RECIPE = Recipe(
    name="mlp",
    summary="two hidden layers of 384, batch norm, dropout, flipped and shifted images",
    layers=mlp(384, 384, dropout=0.1),
    optimizer=partial(Adam, beta2=0.95),
    rate=rise_and_fall(1e-2),
    epochs=80,
    batch_size=512,
    label_smoothing=0.05,
    augment=(Flip(alternating=True), Shift(1)),
    results=(MeasuredResults((0.9112, 0.9126, 0.9119, 0.9152, 0.9120), seconds=52.8, epochs=80),),
)
