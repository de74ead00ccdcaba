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
    operation_of,
)
from handloom.optimizers import Optimizer
from handloom.optimizers.clipping import ClipByNorm
from handloom.training.averaging import EMA


@dataclass(frozen=True, eq=False)
class StepOperations:
    """The parts of a step in the order in which they run; None where a part has no description.

    A part has none if it is of a kind that has no record, or a class of the user's own that gives
    none. A backend may take the parts that it has compiled; all others run as they are defined.

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
    decaying : tuple of (int, int)
        The offsets at which each array begins and ends that weight decay shrinks.
    update : Update or None
    average : MovingAverage or None
        None where nothing is averaged, too.
    """

    transform: TransformOperation | None
    layers: Sequence[LayerOperation] | None
    loss: LossOperation | None
    penalties: Penalties
    clip: ClipNorm | None
    decaying: tuple[tuple[int, int], ...]
    update: Update | None
    average: MovingAverage | None


def compose(
    network: Sequential,
    transform: Transform,
    loss: Loss,
    optimizer: Optimizer,
    *,
    penalty_per_row: bool = False,
    clip: ClipByNorm | None = None,
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
    clip : ClipByNorm, optional
        Limits the gradient.
    average : EMA, optional
        Takes the weights after the update.
    """
    parameters = network.parameters
    spans, strengths = parameters.penalized
    matrices = [
        (place.start, place.stop)
        for name, place in parameters.places().items()
        if parameters.specs[name].is_matrix
    ]
    return StepOperations(
        transform=operation_of(transform),
        layers=network.operations(),
        loss=operation_of(loss),
        penalties=Penalties(spans, strengths, penalty_per_row),
        clip=None if clip is None else operation_of(clip),
        decaying=tuple(matrices),
        update=operation_of(optimizer),
        average=None if average is None else operation_of(average),
    )
