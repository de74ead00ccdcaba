"""What one step of a training computes: the list of its operations, in order."""

from collections.abc import Sequence
from dataclasses import dataclass

from handloom.data.transforms import Transform
from handloom.losses import Loss
from handloom.network import Sequential
from handloom.operations import (
    ClipNorm,
    LayerOperation,
    LossOperation,
    MovingAverage,
    Penalties,
    TransformOperation,
    Update,
    own_description,
)
from handloom.optimizers import Optimizer
from handloom.training.averaging import EMA


@dataclass(frozen=True)
class StepOperations:
    """The parts of a step in the order in which they run; None where a part has no description.

    A part has none if it is of a kind that has no record, or a class of the user's own that gives
    none. A backend takes the parts that it has compiled; all others run as they are defined.

    Attributes
    ----------
    transform : TransformOperation or None
        From stored rows to the network's input.
    layers : list of LayerOperation or None
        From there to the logits.
    loss : LossOperation or None
    penalties : Penalties
    clip : ClipNorm or None
        None where the gradient is not clipped, too.
    update : Update or None
    average : MovingAverage or None
        None where nothing is averaged, too.
    """

    transform: TransformOperation | None
    layers: Sequence[LayerOperation] | None
    loss: LossOperation | None
    penalties: Penalties
    clip: ClipNorm | None
    update: Update | None
    average: MovingAverage | None


def compose(
    network: Sequential,
    transform: Transform,
    loss: Loss,
    optimizer: Optimizer,
    *,
    penalty_per_row: bool = False,
    clip_norm: float | None = None,
    average: EMA | None = None,
) -> StepOperations:
    """Return the operations of a step of a training of these parts.

    Parameters
    ----------
    network : Sequential
        Built.
    transform : Transform
    loss : Loss
    optimizer : Optimizer
    penalty_per_row : bool
        Whether penalties are divided by the weight of the batch.
    clip_norm : float, optional
        The largest l2 norm of a gradient.
    average : EMA, optional
        Takes the weights after the update.
    """

    def described(part: object) -> object:
        return part.describe() if own_description(part) else None  # type: ignore[attr-defined]

    spans, strengths = network.parameters.penalized
    return StepOperations(
        transform=described(transform),  # type: ignore[arg-type]
        layers=network.describe(),
        loss=described(loss),  # type: ignore[arg-type]
        penalties=Penalties(spans, strengths, penalty_per_row),
        clip=None if clip_norm is None else ClipNorm(clip_norm),
        update=described(optimizer),  # type: ignore[arg-type]
        average=None if average is None else average.describe(),
    )
