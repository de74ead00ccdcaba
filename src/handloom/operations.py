"""Operations of layers and transforms, as records (dataclasses).

A layer or transform returns its computation as one of these records from ``as_operation``, or None
if there is no record for it. A backend compiles a whole pass from the records of the layers of a
dense network; `handloom.data.batches` skips a transform that takes rows as they are stored. Records
hold values and offsets only, and are independent of the classes that they describe.

Offsets count from the start of the network's vector of weights; its gradient has the same layout.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]

TINY = 1e-34
"""The magnitude below which entries of optimizer state and of averages are set to zero.

The gradient of a dead unit is exactly zero. Its moments then shrink at every step until processors
handle them in microcode, many times slower. An update made of remainders this small is far below
the rounding of any weight.
"""


# layers


@dataclass(frozen=True)
class Affine:
    """The operation of a dense layer, ``y = x W + b``.

    Attributes
    ----------
    inputs, units : int
        The shape of ``W``.
    weights, biases : int
        The offsets of ``W`` and ``b``.
    """

    inputs: int
    units: int
    weights: int
    biases: int


@dataclass(frozen=True)
class Elementwise:
    """An elementwise activation function, ``y = f(x)``.

    Attributes
    ----------
    function : str
        ``"relu"``, ``"tanh"`` or ``"sigmoid"``.
    """

    function: str


LayerOperation = Affine | Elementwise


# transforms


@dataclass(frozen=True)
class CastRows:
    """The identity: rows as they are stored, converted to the network's dtype."""


# data


@dataclass(frozen=True, eq=False)
class Arrays:
    """The rows of a dataset, which a run of steps reads.

    Attributes
    ----------
    inputs : array, shape (N, ...)
        As stored.
    targets : array, shape (N,) or (N, k)
    weights : array, shape (N,), or None
        Sample weights.
    """

    inputs: npt.NDArray[np.generic]
    targets: npt.NDArray[np.integer] | npt.NDArray[np.floating]
    weights: Array | None = None


def operation_of(part: object, *arguments: object) -> Any:
    """Return the operation of a layer or transform, ``part.as_operation(*arguments)``, or None.

    ``as_operation`` counts only if the object's own class defines it and no method of the object
    was replaced: a subclass may compute something else.
    """
    kind = type(part)
    replaced = any(callable(getattr(kind, name, None)) for name in getattr(part, "__dict__", ()))
    if "as_operation" not in vars(kind) or replaced:
        return None
    return part.as_operation(*arguments)  # type: ignore[attr-defined]


def offsets_of(prefix: str, offsets: Mapping[str, int]) -> dict[str, int]:
    """Return the offsets of the arrays whose names begin with a prefix, without it."""
    return {
        name.removeprefix(prefix): offset
        for name, offset in offsets.items()
        if name.startswith(prefix)
    }
