"""Serialization: a nested state as JSON values and a dict of arrays."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from handloom.errors import ConfigurationError
from handloom.parameters import Array

ARRAY, FLOAT = "$array", "$float"
"""The keys that mark an array, and a float that is not JSON (NaN, infinity)."""


def pack(value: Any, arrays: dict[str, Array], path: str = "") -> Any:
    """Return a value as JSON, and add its arrays to ``arrays``.

    Parameters
    ----------
    value : dict, list, array, number, str, bool or None
        Nested to any depth. A tuple becomes a list.
    arrays : dict of str to array
        Receives a copy of each array, by its path.
    path : str
        The keys that lead to the value, joined by dots; for names and messages.

    Returns
    -------
    JSON value
        With the name of an array in place of each array.

    Raises
    ------
    ConfigurationError
        If a value is of another type, or a key is not a string or begins with ``$``.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {FLOAT: str(value)}
    is_array = isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray)
    if is_array and value.dtype.kind in "biuf" and value.dtype.itemsize <= 8:
        name = path
        while name in arrays:  # keys may have dots in them
            name += "'"
        arrays[name] = value.copy()
        return {ARRAY: name}
    if isinstance(value, list | tuple):
        return [pack(each, arrays, f"{path}.{index}") for index, each in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str) or key.startswith("$"):
                raise ConfigurationError(
                    f"keys must be strings that do not begin with '$', got {key!r} in "
                    f"{path or 'the state'}"
                )
        inner = f"{path}." if path else ""
        return {key: pack(each, arrays, f"{inner}{key}") for key, each in value.items()}
    raise ConfigurationError(f"{path} must be an array or a JSON value, got {type(value).__name__}")


def unpack(value: Any, arrays: Mapping[str, Array]) -> Any:
    """Return the value that `pack` serialized.

    Raises
    ------
    KeyError, ValueError
        If an array is missing or a number is invalid.
    """
    if isinstance(value, list):
        return [unpack(each, arrays) for each in value]
    if not isinstance(value, dict):
        return value
    if ARRAY in value:
        return arrays[value[ARRAY]]
    if FLOAT in value:
        return float(value[FLOAT])
    return {key: unpack(each, arrays) for key, each in value.items()}
