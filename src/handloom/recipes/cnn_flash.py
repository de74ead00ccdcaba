"""``cnn-flash``: five convolutions, two minutes.

One convolution of 3 x 3 has the full resolution of the image, two more have half and two a quarter
of it: deeper where it is cheap, as in the networks of Simonyan and Zisserman. Pooling precedes
normalization and ReLU, which then have a quarter of the entries to compute; the wide layers follow
at low resolution. Every image is flipped in every other epoch. Muon updates the weights of the
convolutions and AdamW those of the last layer, which gained half a percent over Adam. The learning
rate is the largest stable one; it rises linearly over a fifth of the steps and decays linearly to
zero.

References
----------
Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR
2015; Ioffe, Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
Covariate Shift", ICML 2015; Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024, arXiv
2404.00498, on flips; Jordan, Jin, Boza, You, Cesista, Newhouse, Bernstein, "Muon: An optimizer for
hidden layers in neural networks", https://kellerjordan.github.io/posts/muon/, 2024.
"""

from functools import partial

from handloom.data.augment import Flip
from handloom.optimizers import Muon
from handloom.recipes.networks import cnn
from handloom.recipes.recipe import MeasuredResults, Recipe, rise_and_fall

RECIPE = Recipe(
    name="cnn-flash",
    summary="five convolutions of 32 to 128 filters, flipped images",
    layers=cnn(((32,), (64, 64), (128, 128)), dropout=0.1),
    optimizer=partial(Muon, adam_rate=0.1, adam_for=("dense",)),
    rate=rise_and_fall(1e-1, rise=0.2),
    epochs=6,
    batch_size=128,
    label_smoothing=0.1,
    augment=(Flip(alternating=True),),
    results=(MeasuredResults((0.9383, 0.9361, 0.9373, 0.9362, 0.9376), seconds=111.7, epochs=6),),
)
