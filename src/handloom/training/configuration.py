"""Configurations: what makes a training the one that it is, as JSON, and where two differ."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def describe(value: Any) -> Any:
    """Return a value as JSON can hold it: an object by its class and how it was made.

    An object says how it was made by ``config()``, or by the fields of a dataclass. An attribute
    ``changes_results`` that is False says that results do not depend on it.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [describe(each) for each in value]
    kind = getattr(value, "__qualname__", type(value).__qualname__)
    free = {"changes_results": False} if getattr(value, "changes_results", True) is False else {}
    if hasattr(value, "config"):
        return {"kind": kind, **free, **value.config()}
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        return {"kind": kind, **{n: describe(v) if callable(v) else v for n, v in parts.items()}}
    return {"kind": kind, **free}


def first_difference(theirs: Any, ours: Any, name: str = "") -> tuple[str, Any, Any] | None:
    """Return where two configurations first differ, and the two values; None if they are equal.

    Parameters
    ----------
    theirs, ours : anything that JSON can hold
    name : str
        The name of the two; keys and indices are appended to it.
    """
    if isinstance(theirs, Mapping) and isinstance(ours, Mapping):
        keys = list(dict.fromkeys([*theirs, *ours]))
        pairs = [(f"{name} {key}", theirs.get(key), ours.get(key)) for key in keys]
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        both = zip(theirs, ours, strict=True)
        pairs = [(f"{name} {index}", a, b) for index, (a, b) in enumerate(both)]
    else:
        return None if theirs == ours else (name.strip(), theirs, ours)
    for place, a, b in pairs:
        if (difference := first_difference(a, b, place)) is not None:
            return difference
    return None
