"""The jobs of the benchmark, and the common start of all contestants of a job.

All contestants have the same data, initial weights and order of rows, so that their losses after an
epoch can be compared; see `benchmarks.learning`.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom import SGD, Adam, Dataset, Dense, ReLU, Sequential
from handloom.data.batches import epoch_order
from handloom.layers import Layer
from handloom.optimizers import Optimizer
from handloom.randomness import Stream

Array = npt.NDArray[Any]
CLASSES, FEATURES = 10, 784


@dataclass(frozen=True)
class Job:
    """A network with the options of its training."""

    name: str
    hidden: tuple[int, ...]
    batch_size: int | None
    optimizer: str
    rate: float

    @property
    def widths(self) -> list[int]:
        """Inputs, hidden units and classes."""
        return [FEATURES, *self.hidden, CLASSES]

    def network(self) -> Sequential:
        """Return our network, with the weights that everybody begins with."""
        layers: list[Layer] = []
        for width in self.hidden:
            layers += [Dense(width), ReLU()]
        return Sequential([*layers, Dense(CLASSES)]).build((FEATURES,))

    def update(self) -> Optimizer:
        """Return our optimizer."""
        return Adam(epsilon=EPSILON) if self.optimizer == "adam" else SGD()


EPSILON = 1e-8
"""Adam's, as in PyTorch and scikit-learn."""

FULL_BATCH = [
    Job("full batch, 128 units, SGD", (128, 128), None, "sgd", 0.1),
    Job("full batch, 64 units, SGD", (64, 64), None, "sgd", 0.1),
]
MINI_BATCH = [
    Job("batch 128, 128 units, Adam", (128, 128), 128, "adam", 1e-3),
    Job("batch 32, 128 units, Adam", (128, 128), 32, "adam", 1e-3),
    Job("batch 512, 512 units, Adam", (512, 512), 512, "adam", 1e-3),
    Job("batch 128, three layers of 256, Adam", (256, 256, 256), 128, "adam", 1e-3),
]


def weights_of(network: Sequential) -> list[Array]:
    """Return copies of a network's weights and biases, layer by layer."""
    return [array.copy() for array in network.parameters.weights.values()]


@dataclass
class Rows:
    """The rows of a job as other libraries take them, and their order in every epoch."""

    data: Dataset
    batch_size: int | None

    @cached_property
    def bytes(self) -> npt.NDArray[np.uint8]:
        """The rows as they are stored, shape (n, 784)."""
        return self.data.inputs.reshape(len(self.data), -1).astype(np.uint8, copy=False)

    @cached_property
    def scaled(self) -> npt.NDArray[np.float32]:
        """The rows from -1 to 1, shape (n, 784)."""
        return (self.bytes.astype(np.float32) - 127.5) / 127.5

    @property
    def classes(self) -> npt.NDArray[np.integer[Any]]:
        """The class of every row, shape (n,)."""
        return self.data.targets

    def order(self, epoch: int) -> npt.NDArray[np.integer[Any]] | None:
        """Return the order that our trainer shuffles rows to; None for a full batch."""
        rows = len(self.data)
        return epoch_order(rows, self.batch_size or rows, Stream(0), epoch).permutation
