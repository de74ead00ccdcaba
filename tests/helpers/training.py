"""Small datasets and networks, and callbacks that act once, for the tests of training."""

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from handloom import (
    Adam,
    Callback,
    Dataset,
    Dense,
    ReLU,
    Sequential,
    Softmax,
    SoftmaxCrossEntropy,
    Trainer,
    silhouettes,
)
from handloom.training import EpochRecord, TrainingState

DATA = silhouettes(rows=5000, test_rows=500)


def features(rows: int = 300, columns: int = 5, classes: int = 3, seed: int = 0) -> Dataset:
    generator = np.random.default_rng(seed)
    targets = np.arange(rows) % classes
    centers = 2.0 * np.random.default_rng(99).standard_normal((classes, columns))
    inputs = centers[targets] + generator.standard_normal((rows, columns))
    return Dataset(inputs, targets, tuple(str(k) for k in range(classes)), "features")


ROWS, HELD_OUT = features(), features(seed=1)


def continuous_targets(rows: int = 300) -> Dataset:
    """Return rows whose two targets depend on their features linearly."""
    x = np.random.default_rng(3).standard_normal((rows, 4))
    y = x @ np.random.default_rng(4).standard_normal((4, 2)) + 1.0
    return Dataset(x, y, ("first", "second"), "continuous_targets")


def network(
    data: Dataset, units: int = 16, *, dtype: type = np.float32, l2: float = 0.0
) -> Sequential:
    layers = [Dense(units, weights_l2=l2), ReLU(), Dense(len(data.class_names)), Softmax()]
    return Sequential(layers).build((int(np.prod(data.input_shape)),), dtype=dtype)


def short_trainer(*callbacks: Callback, **options: Any) -> Trainer:
    network = Sequential([Dense(8), ReLU(), Dense(3)]).build((5,))
    options = {"epochs": 2, "batch_size": 150, "threads": 1, "backend": "numpy", **options}
    return Trainer(network, Adam(), 0.01, callbacks=callbacks, **options)


BACKENDS = [
    "numpy",
    pytest.param(
        "fused",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("numba") is None, reason="needs the extra fast"
        ),
    ),
]


class At(Callback):
    """Does something after one epoch."""

    def __init__(self, epoch: int, action: Callable[[TrainingState], object]) -> None:
        self.epoch, self.action = epoch, action

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        if record.epoch == self.epoch:
            self.action(state)


def spoil(state: TrainingState) -> None:
    state.network.parameters.vector[:] = 1e30


def loss_of(vector: npt.NDArray[np.floating], data: Dataset = ROWS) -> float:
    made = network(ROWS)
    made.parameters.vector[...] = vector
    logits = made.without_activation("softmax").predict(data.inputs)
    value, _ = SoftmaxCrossEntropy()(logits, data.targets)
    return value
