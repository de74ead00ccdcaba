"""Class weights: a weight for each class, which multiplies the sample weights of its rows."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.errors import ConfigurationError, DataError, require_number, unknown_name
from handloom.parameters import Array

ClassWeight = Mapping[Any, float] | Literal["balanced"]
"""A weight for some classes, by name or index, or ``"balanced"``."""

Weights = npt.NDArray[np.float64]


def class_weights(class_weight: object, train: Dataset, sample_weights: Array | None) -> Weights:
    """Return the weight of each class, shape (k,).

    Parameters
    ----------
    class_weight : mapping or "balanced"
        See `handloom.Trainer.fit`.
    train : Dataset
    sample_weights : array, shape (n,), or None

    Returns
    -------
    array of float64, shape (k,)

    Raises
    ------
    DataError
        If targets are continuous, or the weights of all rows are zero.
    ConfigurationError
        If it is something else, names an unknown class or one class twice, or a weight is invalid.
    """
    if not train.has_classes:
        raise DataError(
            f"class_weight needs classes, and the targets of {train.name} are continuous: use "
            "sample_weights"
        )
    if isinstance(class_weight, str) and class_weight == "balanced":
        return balanced_weights(train.targets, sample_weights, len(train.class_names))
    if not isinstance(class_weight, Mapping):
        raise ConfigurationError(
            'class_weight must be "balanced", or a mapping from names or indices of classes to '
            f"weights, got {class_weight!r}"
        )
    weights, named = np.ones(len(train.class_names)), set[int]()
    for key, weight in class_weight.items():
        index = _index_of(key, train.class_names)
        if index in named:
            raise ConfigurationError(f"class_weight names the class {key!r} twice")
        named.add(index)
        weights[index] = require_number(f"the class_weight of {key!r}", weight, minimum=0.0)
    totals = np.bincount(train.targets, sample_weights, minlength=len(weights))
    if not (weights * totals).any():
        raise DataError("class_weight must give a row a weight above zero, got zero for all rows")
    return weights


def balanced_weights(
    indices: npt.NDArray[Any], sample_weights: Array | None, classes: int
) -> Weights:
    """Return the balanced class weights, shape (k,).

    All classes that occur get the same total weight over all rows, not within a batch; the sum of
    the sample weights is unchanged. Of ``n`` rows without sample weights, ``n_t`` of them of the
    class ``t``, and ``k`` classes that occur, the weight of ``t`` is ``n / (k n_t)``.

    Parameters
    ----------
    indices : integer array, shape (n,)
        The class of each row.
    sample_weights : array, shape (n,), or None
    classes : int
        The number of classes.
    """
    totals = np.bincount(indices, sample_weights, minlength=classes)
    present = totals > 0
    balanced = np.ones(classes)
    balanced[present] = totals.sum() / (np.count_nonzero(present) * totals[present])
    return balanced


def row_weights(
    indices: npt.NDArray[np.integer],
    sample_weights: Array | None,
    of_classes: Weights,
    dtype: npt.DTypeLike,
) -> Array:
    """Return the product of sample weights and class weights, shape (n,).

    Parameters
    ----------
    indices : integer array, shape (n,)
        The class of each row.
    sample_weights : array, shape (n,), or None
    of_classes : array of float64, shape (k,)
    dtype : float32 or float64
        That of the product, which is computed in float64.
    """
    by_row = of_classes[indices]
    if sample_weights is not None:
        by_row *= sample_weights
    product: Array = by_row.astype(dtype)
    return product


def _index_of(key: object, class_names: tuple[str, ...]) -> int:
    """Return the index of a class; a string is its name."""
    if isinstance(key, str):
        if key not in class_names:
            raise ConfigurationError(unknown_name("class in class_weight", key, class_names))
        return class_names.index(key)
    integer = isinstance(key, int | np.integer) and not isinstance(key, bool)
    if not integer or not 0 <= int(key) < len(class_names):  # type: ignore[call-overload]
        raise ConfigurationError(
            f"the keys of class_weight must be names of classes, or indices from 0 to "
            f"{len(class_names) - 1}, got {key!r}"
        )
    return int(key)  # type: ignore[call-overload,no-any-return]
