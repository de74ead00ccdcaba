"""The operations of a training step, as records (dataclasses).

Layers, losses, transforms, augmentations, optimizers, clipping and averaging return one of these
records of their computation from ``as_operation``, or None if there is no record for it.
`handloom.training.step` collects them, and a backend compiles networks and whole steps from them.
Records hold values and offsets only, and are independent of the classes that they describe.

Offsets count from the start of the network's vector of weights; its gradient has the same layout.
Running statistics lie behind the vector, in `handloom.parameters.Parameters.values`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]

TINY = 1e-34
"""The magnitude below which entries of optimizer state and of averages are set to zero.

The gradient of a dead unit is exactly zero. Its moments then shrink at every step until they are
subnormal numbers, on which arithmetic is many times slower. An update made of remainders this small
is far below the rounding of any weight.
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
        ``"relu"``, ``"leaky_relu"``, ``"elu"``, ``"tanh"``, ``"sigmoid"``, ``"silu"`` or
        ``"gelu"``.
    parameter : float
        The slope of ``leaky_relu``, the alpha of ``elu``; 0 for the others.
    """

    function: str
    parameter: float = 0.0


@dataclass(frozen=True)
class DropEntries:
    """Dropout, ``y = x M / q`` with a random mask ``M``; see `handloom.Dropout`.

    The words of `handloom.randomness.StepStream` at epoch, step, shard and the layer's index are
    cut into numbers of 16 bits, one for each entry of the shard.

    Attributes
    ----------
    dropped : int
        An entry is dropped if its random number is below this.
    """

    dropped: int


@dataclass(frozen=True)
class NormalizeColumns:
    """Batch normalization over groups of rows, in training; see `handloom.BatchNorm`.

    Attributes
    ----------
    units : int
        The number of columns.
    scale, shift, running_mean, running_variance : int
        The offsets of the arrays.
    momentum, epsilon : float
    ghost_batch : int or None
        The rows of a group; None for all rows of a batch.
    """

    units: int
    scale: int
    shift: int
    running_mean: int
    running_variance: int
    momentum: float
    epsilon: float
    ghost_batch: int | None


@dataclass(frozen=True)
class NormalizeRows:
    """Layer normalization; see `handloom.LayerNorm`.

    Attributes
    ----------
    units : int
        The number of entries of a row.
    scale, shift : int
        The offsets of the arrays.
    epsilon : float
    """

    units: int
    scale: int
    shift: int
    epsilon: float


LayerOperation = Affine | Elementwise | NormalizeColumns | NormalizeRows | DropEntries


# losses, from logits


@dataclass(frozen=True)
class CrossEntropy:
    """Softmax and cross-entropy with class indices or rows of class probabilities.

    Attributes
    ----------
    label_smoothing : float
        The smoothing ``s`` of `handloom.SoftmaxCrossEntropy`.
    """

    label_smoothing: float = 0.0


@dataclass(frozen=True)
class SigmoidCrossEntropy:
    """Sigmoid and binary cross-entropy, summed over outputs."""


@dataclass(frozen=True)
class ErrorLoss:
    """A loss with continuous targets.

    Attributes
    ----------
    function : str
        ``"squared"``, ``"absolute"``, ``"huber"`` or ``"pinball"``, the mean over a row's outputs,
        or ``"poisson"``, the sum over them.
    parameter : float
        The factor of ``squared``, the delta of ``huber``, the quantile of ``pinball``; 0 for the
        others.
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
class CastRows:
    """The identity: rows as they are stored, converted to the network's dtype."""


TransformOperation = ScaleRows | CastRows


# augmentations


@dataclass(frozen=True)
class FlipImages:
    """Random horizontal flips, as moves of images; see `handloom.Flip`."""


@dataclass(frozen=True)
class ShiftImages:
    """Random translations, as moves of images; see `handloom.Shift`."""


Moves = npt.NDArray[np.int64]
"""How random flips and a shift change images, shape (n, 3): `MIRRORED`, `TOP` and `LEFT`.

Pixel ``(y, x)`` is overwritten with pixel ``(y + top, x + left)`` of the image, mirrored left to
right if ``mirrored`` is 1, or with 0 outside of the image.
"""

MIRRORED, TOP, LEFT = range(3)
"""The columns of moves."""


# penalties, clipping and updates


@dataclass(frozen=True, eq=False)
class Penalties:
    """The L1 and L2 penalties of all arrays that have one.

    Attributes
    ----------
    bounds : int64 array, shape (arrays, 2)
        The start and stop offsets of each array.
    strengths : float64 array, shape (arrays, 2)
        Its l1 and l2.
    per_row : bool
        Whether they are divided by the weight of the batch.
    """

    bounds: npt.NDArray[np.int64]
    strengths: npt.NDArray[np.float64]
    per_row: bool


@dataclass(frozen=True)
class ClipNorm:
    """Gradient clipping: a gradient with an l2 norm above ``norm`` is scaled down to it."""

    norm: float


@dataclass(frozen=True)
class SGDUpdate:
    """SGD, with momentum if it is above 0."""

    momentum: float
    nesterov: bool


@dataclass(frozen=True)
class AdamUpdate:
    """Adam; ``corrected``: whether epsilon is added to the bias-corrected root."""

    beta1: float
    beta2: float
    epsilon: float
    corrected: bool = True


@dataclass(frozen=True)
class AdaptiveUpdate:
    """Adagrad, RMSprop: ``s <- decay s + weight dw^2``; ``w <- w - r dw / (sqrt(s) + epsilon)``."""

    decay: float
    weight: float
    epsilon: float


@dataclass(frozen=True)
class Update:
    """One update of all trained weights.

    Attributes
    ----------
    optimizer : SGDUpdate, AdamUpdate or AdaptiveUpdate
    weight_decay : float
        The decay: every step first shrinks the weights that decay, ``w <- w - r decay w``. These
        are the matrices, which `StepOperations.decaying` lists.
    proximal_l1 : float
        The strength ``l1``: every step last moves the same weights toward 0 by ``r l1``, and sets
        those to 0 that are closer to it.
    """

    optimizer: SGDUpdate | AdamUpdate | AdaptiveUpdate
    weight_decay: float
    proximal_l1: float = 0.0


@dataclass(frozen=True)
class MovingAverage:
    """The average of the weights after each update; see `handloom.EMA`."""

    decay: float


@dataclass(frozen=True, eq=False)
class StepOperations:
    """The operations of a step in the order in which they run; None for a part without a record.

    A part has no record if its class, possibly a user's, defines none.

    Attributes
    ----------
    transform : TransformOperation or None
        The transform from stored rows to the network's input.
    layers : list of LayerOperation or None
        The layers from there to the logits.
    loss : LossOperation or None
    penalties : Penalties
    clip : ClipNorm or None
        None also if the gradient is not clipped.
    decaying : tuple of (int, int)
        The start and stop offsets of each array that weight decay and the proximal step shrink.
    update : Update or None
    average : MovingAverage or None
        None also if weights are not averaged.
    seed : int
        The seed of the random draws in a step.
    """

    transform: TransformOperation | None
    layers: Sequence[LayerOperation] | None
    loss: LossOperation | None
    penalties: Penalties
    clip: ClipNorm | None
    decaying: tuple[tuple[int, int], ...]
    update: Update | None
    average: MovingAverage | None
    seed: int = 0


# data


@dataclass(frozen=True, eq=False)
class Arrays:
    """The rows of a dataset as they are stored, which the steps of a training read.

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


@dataclass(frozen=True, eq=False)
class StepArrays:
    """The arrays that the steps of a training read and write.

    Attributes
    ----------
    values : array, shape (size + untrained,)
        The weights, then the arrays that are not trained.
    gradient : array, shape (size,)
        The gradient of the weights.
    state : sequence of array, shape (size,)
        The state vectors of the optimizer, in the order of its ``state_names``.
    average : array, shape (size + untrained,), or None
        The average of the values.
    """

    values: Array
    gradient: Array
    state: Sequence[Array]
    average: Array | None


STORED_DTYPES = tuple(np.dtype(name) for name in ("uint8", "float32", "float64"))
"""The dtypes of rows that compiled steps read."""


@dataclass(frozen=True, eq=False)
class StepRows:
    """The rows of consecutive steps of one epoch, in memory.

    Attributes
    ----------
    inputs : array, shape (N, ...)
        Stored rows, contiguous, in one of `STORED_DTYPES`.
    order : int64 array, shape (n,)
        The rows of all steps, one step after another: indices of the inputs, in range, which is not
        checked.
    starts : int64 array, shape (steps + 1,)
        Where the rows of each step begin in it, and where the last ones end.
    targets : int64 array, shape (n,), or array, shape (n, k)
        The targets of these rows as the loss checked and converted them: classes, or targets in the
        dtype of the weights.
    weights : array, shape (n,), or None
        The sample weights of these rows.
    epoch, first : int
        The epoch, and the index of the first step within it: the place of random draws.
    moves : int64 array, shape (n, 3), or None
        How the images of these rows, bytes of shape (N, ..., y, x), are augmented; see `Moves`.
    """

    inputs: npt.NDArray[Any]
    order: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    targets: npt.NDArray[Any]
    weights: Array | None
    epoch: int
    first: int
    moves: Moves | None = None


def operation_of(part: object, *arguments: object) -> Any:
    """Return the operation of a layer, loss or other part, ``part.as_operation(*arguments)``.

    It is called only if the object's own class defines ``as_operation``, and no method of the
    object was replaced; otherwise there is none. An inherited ``as_operation`` is ignored, since a
    subclass may compute something else.
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
