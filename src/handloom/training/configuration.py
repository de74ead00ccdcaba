"""Configurations: what makes a training the one that it is, as JSON, and where two differ."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from handloom.errors import ConfigurationError

BY_NAME = "compared by name"

RESERVED = ("kind", "changes_results")
"""What `describe` says of an object itself."""

VARIADIC = {"args", "kwargs"}
"""The parameters of a class without a constructor of its own."""


def describe(value: Any) -> Any:
    """Return a value as JSON can hold it: an object by its class and how it was made.

    An object says how it was made by ``config()``, or by the fields of a dataclass. Anything else
    is described by its name only and marked `BY_NAME`, as is an object whose ``config`` leaves a
    parameter of its constructor out. An attribute ``changes_results`` that is False says that
    results do not depend on it.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [describe(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): describe(each) for key, each in value.items()}
    described = _made(value)
    kind = getattr(value, "__qualname__", type(value).__qualname__)
    own: dict[str, Any] = {"kind": kind}
    if getattr(value, "changes_results", True) is False:
        own["changes_results"] = False
    clash = {f"its {name}": described.pop(name) for name in RESERVED if name in described}
    return {**own, **described, **clash}


def _made(value: Any) -> dict[str, Any]:
    """Return how an object was made, as far as it says."""
    config = None if isinstance(value, type) else getattr(value, "config", None)
    if callable(config):
        described = describe(config())
        if not isinstance(described, dict):
            raise ConfigurationError(
                f"config() of {type(value).__name__} must return a dict, got {config()!r}"
            )
        untold = set(inspect.signature(type(value).__init__).parameters) - {"self", *described}
        return {**described, BY_NAME: True} if untold - VARIADIC else described
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: describe(getattr(value, each.name)) for each in fields(value)}
    return {BY_NAME: True}


def differences(theirs: Any, ours: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the places where two configurations differ, and what stands there in each.

    Parameters
    ----------
    theirs, ours : anything that JSON can hold
    name : str
        The name of the two; keys and indices are appended to it.
    """
    if isinstance(theirs, Mapping) and isinstance(ours, Mapping):
        for key in dict.fromkeys([*theirs, *ours]):
            yield from differences(theirs.get(key), ours.get(key), f"{name} {key}".strip())
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for index, (a, b) in enumerate(zip(theirs, ours, strict=True)):
            yield from differences(a, b, f"{name} {index}")
    elif theirs != ours:
        yield name, theirs, ours


def known_by_name(described: Any, name: str = "") -> Iterator[str]:
    """Yield the places of objects of which `describe` could tell no more than the name."""
    if isinstance(described, Mapping):
        if BY_NAME in described:
            yield f"{name} ({described.get('kind')})"
        for key, part in described.items():
            yield from known_by_name(part, f"{name} {key}".strip())
    elif isinstance(described, list):
        for index, part in enumerate(described):
            yield from known_by_name(part, f"{name} {index}")
