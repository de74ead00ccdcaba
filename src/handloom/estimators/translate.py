"""Layers and initial weights of a network, from an estimator's parameters."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from numbers import Integral, Real
from typing import Any

import numpy as np

from handloom.layers import (
    ELU,
    GELU,
    Dense,
    Dropout,
    Layer,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Tanh,
)
from handloom.parameters import Array

ACTIVATIONS: Mapping[str, type[Layer] | None] = {
    "identity": None,
    "logistic": Sigmoid,
    "tanh": Tanh,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "elu": ELU,
    "silu": SiLU,
    "gelu": GELU,
}


def hidden_sizes(hidden_layer_sizes: Any) -> list[int]:
    """Return the widths of the hidden layers.

    Raises
    ------
    ValueError
        If a width is not a whole number, or below 1.
    """
    several = hasattr(hidden_layer_sizes, "__iter__")
    sizes: list[Any] = list(hidden_layer_sizes) if several else [hidden_layer_sizes]
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, Integral):
            raise ValueError(f"hidden_layer_sizes must be whole numbers, got {size!r}")
    if any(size <= 0 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return [int(size) for size in sizes]


def one_per_layer(name: str, value: Any, layers: int) -> list[Any]:
    """Return one value per hidden layer; a single value is repeated.

    Raises
    ------
    ValueError
        If the number of values differs from the number of hidden layers.
    """
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return [value] * layers
    values = list(value)
    if len(values) != layers:
        raise ValueError(
            f"{name!r} must be one value, or one for each of the {layers} hidden layers; "
            f"got {len(values)}: {value!r}"
        )
    return values


def layers_of(
    hidden: Sequence[int],
    activations: Sequence[str],
    dropouts: Sequence[Any],
    outputs: int,
    *,
    alpha: float,
    l1: float,
) -> list[Layer]:
    """Return the layers of a multilayer perceptron that ends in logits.

    Raises
    ------
    ValueError
        If an activation is unknown or a dropout rate is out of range.
    """
    for name in activations:
        if not isinstance(name, str) or name not in ACTIVATIONS:
            raise ValueError(
                f"every entry of 'activation' must be one of {sorted(ACTIVATIONS)}, got {name!r}"
            )
    # the trainer's penalty is `l2 * sum w^2`, scikit-learn's `alpha / 2 * sum w^2`
    dense = partial(Dense, weights_l1=l1, weights_l2=alpha / 2.0)
    layers: list[Layer] = []
    for rate in dropouts:
        if not (isinstance(rate, Real) and 0.0 <= float(rate) < 1.0):
            raise ValueError(
                f"every entry of 'dropout' must be at least 0 and below 1, got {rate!r}"
            )
    for units, name, rate in zip(hidden, activations, dropouts, strict=True):
        layers.append(dense(units))
        if (activation := ACTIVATIONS[name]) is not None:
            layers.append(activation())
        if rate:
            layers.append(Dropout(rate))
    return [*layers, dense(outputs)]


def draw_weights(
    widths: Sequence[int], activations: Sequence[str], dtype: Any, random: np.random.RandomState
) -> tuple[list[Array], list[Array]]:
    """Draw initial weights and biases as scikit-learn does, from the same random numbers.

    All come from ``U(-a, a)`` with ``a = sqrt(6 / (d + h))``, for layers of sigmoids
    ``a = sqrt(2 / (d + h))``; ``activations`` has an entry for every layer of weights.

    Source: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010.
    """
    coefs, intercepts = [], []
    for (d, h), name in zip(pairwise(widths), activations, strict=True):
        limit = math.sqrt((2.0 if name == "logistic" else 6.0) / (d + h))
        coefs.append(random.uniform(-limit, limit, (d, h)).astype(dtype, copy=False))
        intercepts.append(random.uniform(-limit, limit, h).astype(dtype, copy=False))
    return coefs, intercepts


def by_name(
    layers: Sequence[Layer], coefs: Sequence[Array], intercepts: Sequence[Array], dtype: Any
) -> dict[str, Array]:
    """Return the arrays of the dense layers by their names in the network."""
    dense = [index for index, layer in enumerate(layers) if isinstance(layer, Dense)]
    arrays = {}
    for index, weights, biases in zip(dense, coefs, intercepts, strict=True):
        arrays[f"{index}.dense.weights"] = np.asarray(weights, dtype)
        arrays[f"{index}.dense.biases"] = np.asarray(biases, dtype)
    return arrays
