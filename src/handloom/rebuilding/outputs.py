"""Outputs of an object on one row, and of the one that was made again from its configuration."""

import copy
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np

from handloom.errors import ConfigurationError
from handloom.parameters import Array

ROUNDING = 1000.0
"""Outputs are equal if they differ by at most this multiple of the machine epsilon of the largest
value: equal arithmetic may round differently for arrays at other addresses."""


def row(shape: tuple[int, ...], dtype: np.dtype[Any], index_columns: tuple[int, ...] = ()) -> Any:
    """Return one row, shape (1, ...), without random numbers; index columns hold 1."""
    index = np.arange(1, prod(shape) + 1)
    values = np.sin(index) if dtype.kind == "f" else 37 * index % 101
    values[list(index_columns)] = 1
    return values.astype(dtype).reshape(1, *shape)


def require_equal_output(
    name: str, original: Callable[[], Any], again: Callable[[], Any]
) -> Array | None:
    """Return a copy of the output of an object; None if it does not take the row.

    Parameters
    ----------
    name : str
        The name of the object, for the message.
    original, again : callable
        Return the output of the object, and of the one that was made again.

    Raises
    ------
    ConfigurationError
        If the outputs differ, unless those of two passes of the original differ too.
    """
    try:
        y: Array = np.array(original())
    except Exception:  # it takes other rows: there is nothing to compare
        return None
    problem = "computes another output"
    try:
        same = equal(y, again(), ROUNDING)
    except Exception as error:
        same, problem = False, f"fails: {error!r}"
    if not same and equal(y, original(), ROUNDING):
        raise ConfigurationError(
            f"{name}: made again from its configuration, it {problem}: its configuration must "
            f"return everything that the output depends on, and its constructor set it"
        )
    return y


def equal(value: Any, other: Any, rounding: float = 0.0) -> bool:
    """Return whether two arrays are equal; NaN equals NaN.

    Parameters
    ----------
    value, other : array-like
    rounding : float
        The largest difference of numbers, as a multiple of the machine epsilon of the largest one.
    """
    try:
        value, other = np.asarray(value), np.asarray(other)
    except ValueError:  # a list of lists of several lengths
        return False
    if value.shape != other.shape:
        return False
    if not {value.dtype.kind, other.dtype.kind} <= set("biufc"):
        return value.dtype.kind == other.dtype.kind and bool((value == other).all())
    if np.array_equal(value, other):
        return True
    epsilon = np.finfo(value.dtype).eps if value.dtype.kind == "f" else 0.0
    largest = np.abs(value[np.isfinite(value)]).max(initial=0.0)
    bound = float(rounding * epsilon * largest)
    return bool(np.allclose(value, other, rtol=0.0, atol=bound, equal_nan=True))


def copied(part: Any) -> Any:
    """Return a copy of an object, whose passes leave the object as it is, if it can be copied."""
    try:
        return copy.deepcopy(part)
    except Exception:  # such as an object with a lock
        return part


@contextmanager
def same_random_numbers() -> Iterator[None]:
    """Restore the global random generators of Python and NumPy at the end of the block."""
    of_numpy: Any = sys.modules.get("numpy.random")
    state, numpy_state = random.getstate(), of_numpy and of_numpy.get_state()
    try:
        yield
    finally:
        random.setstate(state)
        if numpy_state:
            of_numpy.set_state(numpy_state)
