"""Simple values: numbers, strings, arrays, and containers of them, as text to compare."""

import hashlib
from collections.abc import Collection, Mapping
from enum import Enum
from typing import cast

import numpy as np
import numpy.typing as npt

LONGEST = 200
"""The number of characters from which a text is replaced by its checksum."""

LARGEST_ARRAY = 1 << 24
"""The number of bytes from which an array is compared by dtype and shape only."""

MOST_ENTRIES = 10_000
"""The number of entries from which a container is compared by its length only."""

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
    if depth < DEEPEST and type(value) in (list, tuple, set, frozenset, dict):
        return _container_text(cast("Collection[object]", value), depth + 1)
    return None


def _container_text(values: Collection[object], depth: int) -> str | None:
    if len(values) > MOST_ENTRIES:
        return f"{type(values).__name__} of {len(values)}"
    texts = [simple_text(each, depth) for each in values]
    if isinstance(values, dict):
        entries = [simple_text(each, depth) for each in values.values()]
        pairs = zip(texts, entries, strict=True)
        texts = [None if None in pair else f"{pair[0]}: {pair[1]}" for pair in pairs]
    known = [text for text in texts if text is not None]
    if len(known) < len(texts):
        return None
    if isinstance(values, set | frozenset):
        known.sort()  # the order of a set of strings is another in each process
    before, after = "[]" if type(values) is list else "()" if type(values) is tuple else "{}"
    return _shortened(values, f"{before}{', '.join(known)}{after}")


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


def _array_text(array: npt.NDArray[np.generic]) -> str:
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
