"""``mlp``: two hidden layers of 384 units with batch normalization, a minute of training.

Batch normalization in ghost batches allows a large learning rate. The small layers leave time for
eighty epochs. Flipping images in every other epoch, shifting them by a pixel and a little dropout
limit overfitting.

References
----------
Ioffe, Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
Covariate Shift", ICML 2015; Hoffer, Hubara, Soudry, "Train longer, generalize better: closing the
generalization gap in large batch training of neural networks", NeurIPS 2017, on ghost batches;
Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024, arXiv 2404.00498, on flips; Simard,
Steinkraus, Platt, "Best Practices for Convolutional Neural Networks Applied to Visual Document
Analysis", ICDAR 2003, on shifts; Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov,
"Dropout: A Simple Way to Prevent Neural Networks from Overfitting", JMLR 15, 2014.
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
    results=(MeasuredResults((0.9123, 0.9124, 0.9135, 0.9127, 0.9146), seconds=52.8, epochs=80),),
)
