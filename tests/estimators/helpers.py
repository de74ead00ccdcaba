"""Small problems for the tests of the estimators."""

from typing import Any

import numpy as np
import numpy.typing as npt

from handloom import Callback, Dense, MLPClassifier, MLPRegressor, ReLU, Sequential, StopReason
from handloom.training import TrainingState

Array = npt.NDArray[Any]


def classes(k: int = 3, rows: int = 120, *, seed: int = 0) -> tuple[Array, Array]:
    """Return rows of five features, and the class whose center each row is drawn around."""
    generator = np.random.default_rng(seed)
    y = np.arange(rows) % k
    centers = np.random.default_rng(99).normal(size=(k, 5))
    return centers[y] + 0.7 * generator.normal(size=(rows, 5)), y


def continuous(outputs: int = 1, rows: int = 120, *, seed: int = 0) -> tuple[Array, Array]:
    """Return rows of five features, and nonlinear functions of them as continuous targets."""
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(rows, 5))
    y = np.stack([np.sin(X[:, i]) + X[:, -1] for i in range(outputs)], axis=1)
    return X, y[:, 0] if outputs == 1 else y


def labels(rows: int = 120, *, seed: int = 0) -> tuple[Array, Array]:
    """Return rows of five features, and three labels that do not exclude each other."""
    X = np.random.default_rng(seed).normal(size=(rows, 5))
    return X, (X[:, :3] + X[:, 1:4] > 0).astype(int)


def classifier(**options: Any) -> MLPClassifier:
    return MLPClassifier(
        **{"hidden_layer_sizes": (8,), "random_state": 0, "max_iter": 8, **options}
    )


def regressor(**options: Any) -> MLPRegressor:
    return MLPRegressor(**{"hidden_layer_sizes": (8,), "random_state": 0, "max_iter": 8, **options})


def weights_of(estimator: Any) -> Any:
    return estimator.network_.parameters.vector.copy()


def column(values: list[float] | None) -> list[float]:
    assert values is not None
    return values


def plain_network(outputs: int) -> Sequential:
    return Sequential([Dense(6), ReLU(), Dense(outputs)])


class Watch(Callback):
    """Notes rates and accuracies of epochs, and ends training after some."""

    def __init__(self, epochs: int = 99) -> None:
        self.epochs, self.rates = epochs, [0.0] * 0
        self.accuracies: list[float] = []

    def on_epoch_end(self, *, state: TrainingState, record: Any) -> None:
        self.rates.append(record.learning_rate)
        self.accuracies.append(record.accuracy)
        if len(self.rates) == self.epochs:
            state.stop(StopReason.EARLY_STOPPING)


class Rates(Callback):
    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_epoch_end(self, *, state: Any, record: Any) -> None:
        self.rates.append(record.learning_rate)


class Broken(Callback):
    def on_epoch_end(self, *, state: Any, record: Any) -> None:
        raise RuntimeError("of the caller's own")
