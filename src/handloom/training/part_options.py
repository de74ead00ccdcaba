"""Part options: simple values of the parts of a training that callbacks may change."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from handloom.layers import Layer, Residual

OPTIONS = (bool, int, float, str, type(None))
"""The types of options that a callback may change during a training, beside those of NumPy."""


def options_of(part: Any) -> dict[str, Any]:
    """Return the options of a part that are attributes of the same name: simple values.

    They are those of its ``config``; of a part without one, all its attributes.
    """
    config = getattr(part, "config", None)
    names = config() if callable(config) else getattr(part, "__dict__", ())
    values = {name: getattr(part, name, part) for name in names}
    return {
        name: value
        for name, value in values.items()
        if type(value) in OPTIONS or isinstance(value, np.generic)
    }


def savable_options(part: Any) -> dict[str, Any]:
    """Return the options of a part, with arrays for NumPy numbers: a file keeps their dtype."""
    return {
        name: np.asarray(value) if isinstance(value, np.generic) else value
        for name, value in options_of(part).items()
    }


def set_options(part: Any, options: Mapping[str, Any]) -> None:
    """Set options that `options_of` or `savable_options` returned, where they are others."""
    for name, saved in options.items():
        value = saved[()] if isinstance(saved, np.ndarray) else saved
        if repr(getattr(part, name, None)) != repr(value):  # NaN is not equal to itself
            setattr(part, name, value)


def with_inner(layers: Iterable[Layer]) -> Iterator[Layer]:
    """Yield layers, and those in residual blocks."""
    for layer in layers:
        yield layer
        if isinstance(layer, Residual):
            yield from with_inner([*layer.block.layers, *layer.shortcut.layers])
