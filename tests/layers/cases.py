"""Every layer, rows that it takes, and its function, written in another way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from tests.helpers.images import convolved, draw, normalized, pooled
from tests.helpers.own_layers import rows

from handloom import Dense, ReLU, Softmax
from handloom.layers import (
    ELU,
    GELU,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePool2D,
    Layer,
    LayerNorm,
    LeakyReLU,
    MaxPool2D,
    Reshape,
    Residual,
    Sigmoid,
    SiLU,
    Tanh,
)
from handloom.parameters import Array


@dataclass(frozen=True)
class Case:
    """A layer, rows that it takes, and its function, written in another way."""

    make: Callable[[], Layer]
    x: Array
    reference: Callable[[Array, Mapping[str, Array]], Array]


def weighted_sums(x: Array, weights: Mapping[str, Array]) -> Array:
    return np.asarray(np.einsum("nd,dh->nh", x, weights["weights"]) + weights["biases"])


def positive_part(x: Array, weights: Mapping[str, Array]) -> Array:
    return np.asarray((x + np.abs(x)) / 2)


def shares(x: Array, weights: Mapping[str, Array]) -> Array:
    return np.stack([np.exp(row) / np.exp(row).sum() for row in x])


def gelu(x: Array, weights: Mapping[str, Array]) -> Array:
    inside = np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)
    return np.asarray(0.5 * x * (1.0 + np.tanh(inside)))


def looked_up(x: Array, weights: Mapping[str, Array]) -> Array:
    one_hot = [
        np.eye(len(weights[name]))[column.astype(int)]
        for name, column in (("column_1", x[:, 1]), ("column_4", x[:, 4]))
    ]
    vectors = [each @ weights[f"column_{c}"] for each, c in zip(one_hot, (1, 4), strict=True)]
    return np.hstack([*vectors, x[:, [0, 2, 3, 5, 6]]])


X = rows(6, 7)
WITH_INDICES = X.copy()
WITH_INDICES[:, 1], WITH_INDICES[:, 4] = [0, 1, 4, 2, 4, 4], [1, 0, 2, 2, 2, 0]
IMAGES = draw(3, 2, 4, 5)

CASES = {
    "dense": Case(lambda: Dense(5), X, weighted_sums),
    "relu": Case(ReLU, X, positive_part),
    "leaky_relu": Case(lambda: LeakyReLU(0.1), X, lambda x, w: np.maximum(x, 0.1 * x)),
    "elu": Case(lambda: ELU(0.5), X, lambda x, w: np.where(x > 0.0, x, 0.5 * np.exp(x) - 0.5)),
    "tanh": Case(Tanh, X, lambda x, w: np.tanh(x)),
    "sigmoid": Case(Sigmoid, X, lambda x, w: 1.0 / (1.0 + np.exp(-x))),
    "silu": Case(SiLU, X, lambda x, w: x / (1.0 + np.exp(-x))),
    "gelu": Case(GELU, X, gelu),
    "softmax": Case(Softmax, X, shares),
    "dropout": Case(Dropout, X, lambda x, w: x),
    "conv2d": Case(
        lambda: Conv2D(3, 3, padding=1),
        IMAGES,
        lambda x, w: convolved(x, w["weights"], w["biases"], 1, (1, 1)),
    ),
    "max_pool2d": Case(lambda: MaxPool2D(2), IMAGES, lambda x, w: pooled(x, 2, 2, True)),
    "average_pool2d": Case(lambda: AveragePool2D(2), IMAGES, lambda x, w: pooled(x, 2, 2, False)),
    "global_average_pool2d": Case(
        GlobalAveragePool2D,
        IMAGES,
        lambda x, w: np.array([[sum(c.flat) / c.size for c in row] for row in x]),
    ),
    "flatten": Case(Flatten, IMAGES, lambda x, w: np.array([list(row.flat) for row in x])),
    "reshape": Case(lambda: Reshape((1, 7)), X, lambda x, w: x[:, None]),
    "residual": Case(lambda: Residual([ReLU()]), X, lambda x, w: x + positive_part(x, w)),
    "batch_norm": Case(
        BatchNorm,
        X,
        lambda x, w: w["scale"] * np.array([normalized(c) for c in x.T]).T + w["shift"],
    ),
    "layer_norm": Case(
        LayerNorm,
        X,
        lambda x, w: w["scale"] * np.array([normalized(row) for row in x]) + w["shift"],
    ),
    "embedding": Case(lambda: Embedding({4: 1, 1: 3}, width=2), WITH_INDICES, looked_up),
}
