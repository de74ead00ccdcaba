"""Serialization: a nested state as values that JSON can hold, and arrays apart."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from handloom.errors import ConfigurationError
from handloom.parameters import Array

ARRAY, FLOAT = "$array", "$float"
"""The keys of what stands for an array, and for a number that JSON has none for."""


def pack(value: Any, arrays: dict[str, Array], path: str = "") -> Any:
    """Return a value as JSON can hold it, and add its arrays to others.

    Parameters
    ----------
    value : dict, list, array, number, str, bool or None
        Nested as deep as one likes. A tuple becomes a list.
    arrays : dict of str to array
        Gets a copy of each array, by the keys that lead to it.
    path : str
        The keys that led here, for names and messages.

    Raises
    ------
    ConfigurationError
        Naming the place of a value of another kind.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {FLOAT: str(value)}
    plain = isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray)
    if plain and value.dtype.kind in "biuf" and value.dtype.itemsize <= 8:
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
                raise ConfigurationError(f"{path or 'the state'} has the key {key!r}")
        inner = f"{path}." if path else ""
        return {key: pack(each, arrays, f"{inner}{key}") for key, each in value.items()}
    raise ConfigurationError(f"{path} is neither numbers nor text: {type(value).__name__}")


def unpack(value: Any, arrays: Mapping[str, Array]) -> Any:
    """Return the value that `pack` took apart.

    Raises
    ------
    KeyError, ValueError
        If an array or a number is not there.
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
