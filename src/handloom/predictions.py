"""Predictions: from the outputs of a network; a warning if these are not finite."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from handloom.errors import DivergenceWarning
from handloom.layers import sigmoid, softmax
from handloom.parameters import Array
from handloom.secondary import warn

Floating = TypeVar("Floating", bound=np.floating)


def ascending(outputs: Array, out: Array | None = None) -> Array:
    """Return the outputs of each row in ascending order, shape (n, k)."""
    if out is None:
        out = outputs.copy()
    elif out is not outputs:
        np.copyto(out, outputs)
    out.sort(axis=1)
    return out


def both_classes(probabilities: npt.NDArray[Floating]) -> npt.NDArray[Floating]:
    """Return the probabilities of two classes, shape (..., 2), of that of the second, (..., 1).

    Several columns have a probability for each class already; they are returned as they are.
    """
    if probabilities.shape[-1] > 1:
        return probabilities
    return np.concatenate([1.0 - probabilities, probabilities], axis=-1)


OUTPUT_ACTIVATIONS: Mapping[str, Callable[..., Array]] = {
    "softmax": softmax,
    "sigmoid": sigmoid,
    "exp": np.exp,
    "identity": np.positive,
    "sort": ascending,
}
"""Functions from a network's outputs (logits, logarithms, values or quantiles) to predictions."""


def warn_if_not_finite(outputs: Array) -> None:
    """Warn of rows whose outputs, shape (n, k), are not finite."""
    if np.isfinite(outputs).all():
        return
    bad = np.flatnonzero(~np.isfinite(outputs).all(axis=1))
    warn(
        f"the outputs of the network are not finite for {len(bad):,} of {len(outputs):,} rows, the "
        f"first is row {bad[0]}: their inputs are much larger than those of the training, or its "
        f"weights are too large",
        DivergenceWarning,
    )
