"""Simple values: numbers, strings, arrays, and containers of them, as text to compare."""

import hashlib
from array import array
from collections import deque
from collections.abc import Collection, Mapping
from datetime import timedelta
from enum import Enum
from numbers import Number
from types import MappingProxyType, SimpleNamespace
from typing import cast

import numpy as np
import numpy.typing as npt

LONGEST = 200
"""The number of characters from which a text is replaced by its checksum."""

LARGEST_ARRAY = 1 << 24
"""The number of bytes from which an array is compared by dtype and shape only."""

MOST_ENTRIES = 10_000
"""The number of entries from which a container is compared by its length only, unless all of them
are numbers or strings."""

MOST_NUMBERS = 2_000_000
"""The same for a container of numbers and strings: its text has about 16 MB."""

CONTAINERS = (list, tuple, set, frozenset, dict, deque)
"""The containers, of which subclasses such as named tuples are some too."""

DEEPEST = 20
"""The number of containers in each other from which a value is not simple."""


def is_simple(value: object) -> bool:
    """Return whether a value is None, a number, a string, bytes or an array."""
    return value is None or isinstance(
        value,
        bool | int | float | complex | str | bytes | np.generic | np.ndarray | np.dtype | range,
    )


def simple_text(value: object, depth: int = 0) -> str | None:
    """Return a simple value, or a container of simple values, as text; None for other values.

    None too for an object whose methods raise.
    """
    try:
        return _text(value, depth)
    except Exception:  # of a class of the user's own
        return None


def _text(value: object, depth: int) -> str | None:
    if isinstance(value, Enum):
        return f"{type(value).__qualname__}.{value.name}"
    if isinstance(value, np.ndarray):
        return _array_text(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, memoryview):
        value = value.tobytes()
    if is_simple(value) or isinstance(value, Number | bytearray | array | timedelta | slice):
        return _shortened(value, repr(value))
    if isinstance(value, SimpleNamespace | MappingProxyType):
        value = dict(vars(value) if isinstance(value, SimpleNamespace) else value)
    if depth < DEEPEST and isinstance(value, CONTAINERS):
        return _container_text(cast("Collection[object]", value), depth + 1)
    return None


def _container_text(values: Collection[object], depth: int) -> str | None:
    if len(values) > MOST_ENTRIES:
        return _long_text(values)
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
    ordered = isinstance(values, list | deque)
    before, after = "[]" if ordered else "()" if isinstance(values, tuple) else "{}"
    return _shortened(values, f"{before}{', '.join(known)}{after}")


def _long_text(values: Collection[object]) -> str:
    """Return the length of a long container; a checksum too if it holds numbers and strings."""
    text = f"{type(values).__name__} of {len(values)}"
    entries: list[object] = [*values]
    if isinstance(values, dict):
        entries += values.values()
    if len(entries) > MOST_NUMBERS or not {*map(type, entries)} <= {bool, int, float, str}:
        return text
    if isinstance(values, set | frozenset):
        entries = [*sorted(map(repr, entries))]
    return f"{text}, {hashlib.sha256(repr(entries).encode()).hexdigest()[:12]}"


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
        elif isinstance(value, list | tuple | dict | deque) and depth < DEEPEST:
            entries = value.items() if isinstance(value, dict) else enumerate(value)
            queue += [(f"{name} {key}", each, depth + 1) for key, each in entries]
        else:
            others[name] = value
    return dict(sorted(simple.items())), dict(sorted(others.items()))


def _array_text(array: npt.NDArray[np.generic]) -> str:
    """Return dtype, shape and, if it is not too large, checksum of an array."""
    text = f"array of {array.dtype}, shape {array.shape}"
    if array.nbytes > LARGEST_ARRAY:
        return text
    if isinstance(array, np.ma.MaskedArray):
        return f"{_array_text(array.filled())}, masked {_array_text(np.ma.getmaskarray(array))}"
    if array.dtype.hasobject:
        entries = simple_text(array.tolist())
        return text if entries is None else f"{text}, {_shortened(array, entries)}"
    digest = hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return f"{text}, {digest.hexdigest()[:12]}"


def _shortened(value: object, text: str) -> str:
    """Return a text, or type and checksum if it is long."""
    if len(text) <= LONGEST:
        return text
    return f"{type(value).__name__} {hashlib.sha256(text.encode()).hexdigest()[:12]}"
