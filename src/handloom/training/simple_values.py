"""Simple values: numbers, strings, arrays, and containers of them, as text to compare."""

import hashlib
from collections.abc import Iterable, Mapping
from enum import Enum

import numpy as np

LONGEST = 200
"""The number of characters from which a text is replaced by its checksum."""

LARGEST_ARRAY = 1 << 24
"""The number of bytes from which an array is compared by dtype and shape only."""

DEEPEST = 20
"""The number of containers in each other from which a value is not simple."""


def is_simple(value: object) -> bool:
    """Return whether a value is None, a number, a string, bytes or an array."""
    return value is None or isinstance(
        value,
        bool | int | float | complex | str | bytes | np.generic | np.ndarray | np.dtype | range,
    )


def simple_text(value: object, depth: int = 0) -> str | None:
    """Return a simple value, or a container of simple values, as text; None for other values."""
    if isinstance(value, Enum):
        return f"{type(value).__qualname__}.{value.name}"
    if isinstance(value, np.ndarray):
        return _array_text(value)
    if isinstance(value, np.generic):
        value = value.item()
    if is_simple(value):
        return _shortened(value, repr(value))
    if depth > DEEPEST or type(value) not in (list, tuple, set, frozenset, dict):
        return None
    entries: Iterable[object] = value  # type: ignore[assignment]
    if isinstance(value, dict):
        texts = [
            f"{simple_text(key)}: {text}"
            if (text := simple_text(each, depth + 1)) is not None and is_simple(key)
            else None
            for key, each in value.items()
        ]
    else:
        texts = [simple_text(each, depth + 1) for each in entries]
    known = [text for text in texts if text is not None]
    if len(known) < len(texts):
        return None
    if isinstance(value, set | frozenset):
        known.sort()  # the order of a set of strings is another in each process
    before, after = {list: "[]", tuple: "()", dict: "{}"}.get(type(value), "{}")
    return _shortened(value, f"{before}{', '.join(known)}{after}")


def split(attributes: Mapping[str, object]) -> tuple[dict[str, str], dict[str, object]]:
    """Return the texts of the simple attributes, and the other attributes.

    A list, tuple or dict that holds other objects is taken apart.
    """
    simple: dict[str, str] = {}
    others: dict[str, object] = {}
    queue = [(name, value, 0) for name, value in attributes.items()]
    while queue:
        name, value, depth = queue.pop()
        text = simple_text(value)
        if text is not None:
            simple[name] = text
        elif type(value) in (list, tuple, dict) and depth < DEEPEST:
            entries = value.items() if isinstance(value, dict) else enumerate(value)  # type: ignore[arg-type]
            queue += [(f"{name} {key}", each, depth + 1) for key, each in entries]
        else:
            others[name] = value
    return dict(sorted(simple.items())), dict(sorted(others.items()))


def _array_text(array: np.ndarray) -> str:  # type: ignore[type-arg]
    """Return dtype, shape and, if it is not too large, checksum of an array."""
    text = f"array of {array.dtype}, shape {array.shape}"
    if array.nbytes > LARGEST_ARRAY or array.dtype.hasobject:
        return text
    digest = hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return f"{text}, {digest.hexdigest()[:12]}"


def _shortened(value: object, text: str) -> str:
    """Return a text, or type and checksum if it is long."""
    if len(text) <= LONGEST:
        return text
    return f"{type(value).__name__} {hashlib.sha256(text.encode()).hexdigest()[:12]}"
