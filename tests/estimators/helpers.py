"""Small problems for the tests of the estimators."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def classes(k: int = 3, rows: int = 120, *, seed: int = 0) -> tuple[Array, Array]:
    """Return rows of five features, and the class whose center each row is drawn around."""
    generator = np.random.default_rng(seed)
    y = np.arange(rows) % k
    centres = np.random.default_rng(99).normal(size=(k, 5))
    return centres[y] + 0.7 * generator.normal(size=(rows, 5)), y


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
