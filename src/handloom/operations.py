"""What a training step computes, as plain records.

Layers, losses, transforms, optimizers, clipping and averaging describe their arithmetic by one of
these records, in ``as_operation``, or by None where there is none that fits.
`handloom.training.step` puts them together, for a backend to compile as much of the list as it
knows; today that is the layers of a dense network. Records hold numbers and offsets only, and know
nothing of the classes that they describe.

Offsets count from the beginning of the network's vector of weights, which is also the layout of
its gradient.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]

TINY = 1e-34
"""Entries of optimizer state and of averages below this count as zero.

The gradient of a dead unit is exactly zero. Its moments then shrink at every step until processors
handle them in microcode, many times slower. An update made of remainders this small is far below
the rounding of any weight.
"""


# layers


@dataclass(frozen=True)
class Affine:
    """``y = x W + b``.

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
    """``y = f(x)``, entry by entry.

    Attributes
    ----------
    function : str
        ``"relu"``, ``"leaky_relu"``, ``"elu"``, ``"tanh"``, ``"sigmoid"``, ``"silu"`` or
        ``"gelu"``.
    parameter : float
        The slope of ``leaky_relu``, the alpha of ``elu``; 0 for the others.
    """

    function: str
    parameter: float = 0.0


@dataclass(frozen=True)
class DropEntries:
    """``y = x m / keep`` with a random mask ``m``.

    Attributes
    ----------
    dropped : int
        How many of the 65,536 values of a draw drop an entry.
    """

    dropped: int


LayerOperation = Affine | Elementwise | DropEntries


# losses, from logits


@dataclass(frozen=True)
class CrossEntropy:
    """Softmax and cross-entropy with class indices or rows of class probabilities."""

    label_smoothing: float = 0.0


@dataclass(frozen=True)
class SigmoidCrossEntropy:
    """Sigmoid and binary cross-entropy, summed over outputs."""


@dataclass(frozen=True)
class ErrorLoss:
    """A loss of outputs beside continuous targets.

    Attributes
    ----------
    function : str
        ``"squared"``, ``"absolute"`` or ``"huber"``, the mean over a row's outputs, or
        ``"poisson"``, the sum over them.
    parameter : float
        The factor of ``squared``, the delta of ``huber``; 0 for the others.
    """

    function: str
    parameter: float = 0.0


LossOperation = CrossEntropy | SigmoidCrossEntropy | ErrorLoss


# transforms


@dataclass(frozen=True)
class ScaleRows:
    """``x = (stored - shift) / divisor``."""

    shift: float
    divisor: float


@dataclass(frozen=True)
class TakeRows:
    """``x = stored``, converted to the network's dtype."""


TransformOperation = ScaleRows | TakeRows


# what follows the gradient


@dataclass(frozen=True, eq=False)
class Penalties:
    """The L1 and L2 penalties of all arrays that have one.

    Attributes
    ----------
    spans : int64 array, shape (arrays, 2)
        The offsets at which each array begins and ends.
    strengths : float64 array, shape (arrays, 2)
        Its l1 and l2.
    per_row : bool
        Whether they are divided by the weight of the batch.
    """

    spans: npt.NDArray[np.int64]
    strengths: npt.NDArray[np.float64]
    per_row: bool


@dataclass(frozen=True)
class ClipNorm:
    """A gradient whose l2 norm is above ``norm`` is scaled down to it."""

    norm: float


@dataclass(frozen=True)
class Descent:
    """Gradient descent, with momentum where there is any."""

    momentum: float
    nesterov: bool


@dataclass(frozen=True)
class AdamUpdate:
    """Adam; ``corrected`` says whether epsilon is added to the corrected root."""

    beta1: float
    beta2: float
    epsilon: float
    corrected: bool = True


@dataclass(frozen=True)
class ScaledDescent:
    """``s <- kept s + added dw^2``; ``w <- w - r dw / (sqrt(s) + epsilon)``."""

    kept: float
    added: float
    epsilon: float


@dataclass(frozen=True)
class Update:
    """One update of all trained weights.

    Attributes
    ----------
    rule : Descent, AdamUpdate or ScaledDescent
    weight_decay : float
        The multiple of the learning rate by which every step first shrinks the weights that decay.
        Those are the matrices, which `StepOperations.decaying` lists.
    """

    rule: Descent | AdamUpdate | ScaledDescent
    weight_decay: float


@dataclass(frozen=True)
class MovingAverage:
    """The average of the weights after each update; see `handloom.EMA`."""

    decay: float


# data


@dataclass(frozen=True, eq=False)
class Arrays:
    """The rows that a run of steps reads.

    Attributes
    ----------
    inputs : array, shape (N, ...)
        As stored.
    targets : array, shape (N,) or (N, k)
    weights : array, shape (N,), or None
        A weight per row.
    """

    inputs: npt.NDArray[np.generic]
    targets: npt.NDArray[np.integer] | npt.NDArray[np.floating]
    weights: Array | None = None


def operation_of(part: object, *arguments: object) -> Any:
    """Return the operation by which a part describes itself, or None if its class gives none.

    A subclass may compute something else, so an operation that it inherits is not its own; nor is
    that of an object some of whose methods were replaced.
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
