"""Output activations: from logits to predictions of an estimator."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from handloom.errors import unknown_name
from handloom.layers import sigmoid, softmax
from handloom.parameters import Array
from handloom.predictions import ascending

Activation = Callable[..., Array]


def relu(z: Array, out: Array) -> Array:
    """Return ``max(z, 0)``."""
    return np.maximum(z, 0.0, out=out)


OUTPUT_ACTIVATIONS: Mapping[str, Activation] = {
    "identity": np.positive,
    "logistic": sigmoid,
    "softmax": softmax,
    "exp": np.exp,
    "tanh": np.tanh,
    "relu": relu,
    "sort": ascending,
}
"""The functions that ``out_activation_`` may name, by scikit-learn's names."""


def name_of(output_activation: str) -> str:
    """Return scikit-learn's name of a loss's output activation."""
    return "logistic" if output_activation == "sigmoid" else output_activation


def activate(logits: Array, name: Any) -> Array:
    """Return the outputs, shape (n, k), of logits, shape (n, k), which are overwritten.

    Raises
    ------
    ValueError
        If ``name``, the value of ``out_activation_``, is unknown.
    """
    if name not in OUTPUT_ACTIVATIONS:
        raise ValueError(unknown_name("out_activation_", name, OUTPUT_ACTIVATIONS))
    with np.errstate(over="ignore"):  # infinity is visible in the prediction
        return OUTPUT_ACTIVATIONS[name](logits, out=logits)
