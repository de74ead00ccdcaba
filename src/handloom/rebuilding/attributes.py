"""Attributes of an object, and of the one that was made again from its configuration."""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np

from handloom.errors import ConfigurationError
from handloom.layers import Layer
from handloom.layers.chain import Chain
from handloom.rebuilding.outputs import equal

SIMPLE = (type(None), bool, int, float, complex, str, bytes, np.generic, Enum, set, frozenset)
"""The types of attributes that are compared by their values."""

NOT_SETTINGS = {"weights", "gradients", "pool", "_buffers", "_saved", "_name", "_network"}
"""The attributes of `Layer` that are arrays, which are saved, or memory of a pass."""

Difference = tuple[str, str]
"""The path of an attribute that differs, and the message for the user."""


def compare_objects(
    name: str, part: object, again: object, use: Callable[[], tuple[object, ...]]
) -> None:
    """Compare the class and the attributes of an object and of the one that was made again.

    Simple values, arrays, containers, dataclasses and inner layers are compared. An attribute is no
    setting if only the original has it, if it is empty in the new object and holds arrays in the
    original, or if a use of a new object changes it, as a count of calls.

    Parameters
    ----------
    name : str
        The name of the object, for messages.
    part, again : object
        The original, and the one that was made again.
    use : callable
        Uses an object that was made again, and returns its states: a copy from before, then one
        after each use. It is called only if there are differences.

    Raises
    ------
    ConfigurationError
        Naming the object, the difference, and the remedy.
    """
    different = list(_of_objects(name, part, again, frozenset()))
    if not different:
        return
    before, *states = use()
    changing = {
        path for state in states for path, _ in _of_objects(name, state, before, frozenset())
    }
    for path, problem in different:
        if path not in changing:
            raise ConfigurationError(problem)


def _of_objects(
    name: str, part: object, again: object, seen: frozenset[int]
) -> Iterator[Difference]:
    """Yield the differences of two objects, by attribute."""
    kind = type(part)
    if type(again) is not kind:
        yield (
            name,
            f"{name}: the configuration of {kind.__name__} makes another object, of "
            f"{type(again).__name__}",
        )
        return
    seen |= {id(part)}
    for attribute, value in _attributes(part).items():
        path, other = f"{name}.{attribute}", getattr(again, attribute, value)
        for difference in _differences(path, value, other, seen):
            if isinstance(difference, tuple):  # of an inner layer
                yield difference
                continue
            yield (
                path,
                f"{name}: made again from its configuration, the {kind.__name__} has {attribute} "
                f"{difference}: its configuration must return every setting, and its constructor "
                f"set all of them. An attribute that is no setting must not be set by the "
                f"constructor",
            )


def _attributes(part: object) -> dict[str, Any]:
    """Return the attributes of an object, those in slots too, without memory of a layer's pass."""
    slots = [vars(class_).get("__slots__", ()) for class_ in type(part).__mro__]
    names = [each for own in slots for each in ([own] if isinstance(own, str) else own)]
    own = {name: getattr(part, name) for name in names if hasattr(part, name)}
    own.update(getattr(part, "__dict__", {}))
    ignored = NOT_SETTINGS if isinstance(part, Layer) else {"__dict__", "__weakref__"}
    return {name: value for name, value in own.items() if name not in ignored}


def _differences(
    name: str, value: Any, other: Any, seen: frozenset[int]
) -> Iterator[str | Difference]:
    """Yield the differences of two values; those that cannot be compared have none."""
    if id(value) in seen:
        return
    if isinstance(value, Layer):
        yield from _of_objects(name, value, other, seen)
    elif isinstance(value, Chain):
        layers = other.layers if isinstance(other, Chain) else ()
        yield from _differences(name, value.layers, layers, seen)
    elif isinstance(value, np.ndarray):
        if other is not None and not equal(value, other):
            yield "with another array"
    elif isinstance(value, list | tuple | dict):
        yield from _differences_of_containers(name, value, other, seen | {id(value)})
    elif is_dataclass(value) and not isinstance(value, type):
        if type(other) is type(value):
            mine, its = ({e.name: getattr(v, e.name) for e in fields(v)} for v in (value, other))
            yield from _differences_of_containers(name, mine, its, seen | {id(value)})
    elif isinstance(value, SIMPLE) and not _equal_values(value, other):
        yield f"{other!r} in place of {value!r}"


def _equal_values(value: Any, other: Any) -> bool:
    """Return whether two simple values are equal; NaN equals NaN."""
    if isinstance(other, np.ndarray):
        return equal(value, other)
    return bool(value == other or (value != value and other != other))  # noqa: PLR0124


def _differences_of_containers(
    name: str, value: Any, other: Any, seen: frozenset[int]
) -> Iterator[str | Difference]:
    """Yield the differences of two sequences or dicts."""
    if other is None or (not other and _holds_array(value)):
        return
    pairs = _pairs(value, other)
    if pairs is None:
        yield f"{other!r} in place of {value!r}"
        return
    for key, (part, another) in pairs.items():
        yield from _differences(f"{name}.{key}", part, another, seen)


def _pairs(value: Any, other: Any) -> dict[Any, tuple[Any, Any]] | None:
    """Return the entries of two sequences or two dicts by key, or None if their keys differ.

    A list equals a tuple, which a file does not know.
    """
    if isinstance(value, list | tuple) and isinstance(other, list | tuple):
        value, other = dict(enumerate(value)), dict(enumerate(other))
    if not isinstance(value, dict) or not isinstance(other, dict) or value.keys() != other.keys():
        return None
    return {key: (value[key], other[key]) for key in value}


def _holds_array(value: Any) -> bool:
    """Return whether a value is an array, or a container that holds one at any depth."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return any(_holds_array(each) for each in value)
    return isinstance(value, np.ndarray)
