"""Configurations: the description of a training as JSON, and the differences of two."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from handloom.errors import ConfigurationError

BY_NAME = "compared by name"

RESERVED = ("kind", "changes_results")
"""The keys that `describe` adds to an object's own."""

VARIADIC = {"args", "kwargs"}
"""The parameters of a class that does not define a constructor."""


def describe(value: Any) -> Any:
    """Return a value as JSON: an object by its class and its constructor's arguments.

    The arguments come from ``config()``, or from the fields of a dataclass. Any other object is
    described by its name only and marked `BY_NAME`, as is an object whose ``config`` omits a
    parameter of its constructor. An attribute ``changes_results`` that is False means that results
    do not depend on the object.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [describe(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): describe(each) for key, each in value.items()}
    described = _constructor_arguments(value)
    kind = getattr(value, "__qualname__", type(value).__qualname__)
    own: dict[str, Any] = {"kind": kind}
    if getattr(value, "changes_results", True) is False:
        own["changes_results"] = False
    clash = {f"its {name}": described.pop(name) for name in RESERVED if name in described}
    return {**own, **described, **clash}


def _constructor_arguments(value: Any) -> dict[str, Any]:
    """Return the constructor's arguments of an object, as far as they are known."""
    config = None if isinstance(value, type) else getattr(value, "config", None)
    if callable(config):
        described = describe(config())
        if not isinstance(described, dict):
            raise ConfigurationError(
                f"config() of {type(value).__name__} must return a dict, got {config()!r}"
            )
        omitted = set(inspect.signature(type(value).__init__).parameters) - {"self", *described}
        return {**described, BY_NAME: True} if omitted - VARIADIC else described
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: describe(getattr(value, each.name)) for each in fields(value)}
    return {BY_NAME: True}


def differences(saved: Any, current: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the name of each entry in which two configurations differ, and both values.

    Parameters
    ----------
    saved, current : JSON values
    name : str
        The name of the two; keys (other than the same name) and indices are appended to it.
    """
    if isinstance(saved, Mapping) and isinstance(current, Mapping):
        for key in dict.fromkeys([*saved, *current]):
            entry = name if key == name else f"{name} {key}".strip()
            yield from differences(saved.get(key), current.get(key), entry)
    elif isinstance(saved, list) and isinstance(current, list) and len(saved) == len(current):
        for index, (a, b) in enumerate(zip(saved, current, strict=True)):
            yield from differences(a, b, f"{name} {index}")
    elif saved != current:
        yield name, saved, current


def compared_by_name(described: Any, name: str = "") -> Iterator[str]:
    """Yield the names of entries that are compared by name only: their object has no config."""
    if isinstance(described, Mapping):
        if BY_NAME in described:
            yield f"{name} ({described.get('kind')})"
        for key, part in described.items():
            yield from compared_by_name(part, f"{name} {key}".strip())
    elif isinstance(described, list):
        for index, part in enumerate(described):
            yield from compared_by_name(part, f"{name} {index}")
