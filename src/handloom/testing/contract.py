"""The check of a contract: a list of promises, and one error for all broken ones."""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.errors import CheckError, ConfigurationError
from handloom.parameters import Array

ROUNDING: Mapping[np.dtype[Any], float] = {
    np.dtype(np.float32): 1e-5,
    np.dtype(np.float64): 1e-10,
}
"""The tolerance, relative to the norm, of results that are equal up to rounding."""


def hold(
    subject: str, promises: Mapping[str, Callable[[Any], Iterator[str]]], case: object
) -> None:
    """Raise one error for all promises that a case breaks.

    An exception during the check of a promise breaks it, and so does a warning of NumPy.
    """
    broken = []
    for name, promise in promises.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", RuntimeWarning)
                for message in promise(case):
                    broken.append(f"- {name}: {message}")
        except Exception as error:
            broken.append(f"- {name}: {type(error).__name__}: {error}")
    if broken:
        raise CheckError("\n".join([f"{subject} does not keep its contract", *broken]))


def two_rows(name: str, rows: npt.ArrayLike) -> Array:
    """Return a float64 copy of at least two rows.

    Raises
    ------
    ConfigurationError
        If there are fewer.
    """
    array: Array = np.array(rows, np.float64)
    if array.ndim < 2 or len(array) < 2:
        raise ConfigurationError(
            f"{name} must hold at least two rows, shape (n, ...), got shape {array.shape}"
        )
    return array


def distance(actual: npt.ArrayLike, expected: npt.ArrayLike) -> float:
    """Return the relative distance of two arrays in the 2-norm; infinity if one is not finite.

    It is relative to the larger norm.
    """
    a, b = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return math.inf
    apart = float(np.linalg.norm(a - b))
    return apart / max(float(np.linalg.norm(a)), float(np.linalg.norm(b))) if apart else 0.0


def same(a: npt.ArrayLike | None, b: npt.ArrayLike | None) -> bool:
    """Return whether two arrays are equal, NaN included, or both None."""
    if a is None or b is None:
        return a is b
    return np.array_equal(a, b, equal_nan=True)
