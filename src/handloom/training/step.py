"""The operations of a training step, in order."""

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
    """The operations of a step in the order in which they run; None for a part without a record.

    A part has no record if its class, possibly a user's, defines none. Backends read only the
    records of the layers so far; the other parts run by their definitions or compiled versions.

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
        The start and stop offsets of each array that weight decay shrinks.
    update : Update or None
    average : MovingAverage or None
        None also if weights are not averaged.
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
    """Return the operations of a training step.

    Parameters
    ----------
    network : Sequential
        Built.
    transform : Transform
    loss : Loss
    optimizer : Optimizer
    penalty_per_row : bool
        Whether penalties are divided by the sum of the sample weights.
    clip : ClipByNorm, optional
        Limits the gradient.
    average : EMA, optional
        Takes the weights after the update.
    """
    parameters = network.parameters
    bounds, strengths = parameters.penalized
    matrices = [
        (span.start, span.stop)
        for name, span in parameters.slices().items()
        if parameters.specs[name].is_matrix
    ]
    return StepOperations(
        transform=operation_of(transform),
        layers=network.operations(),
        loss=operation_of(loss),
        penalties=Penalties(bounds, strengths, penalty_per_row),
        clip=None if clip is None else operation_of(clip),
        decaying=tuple(matrices),
        update=operation_of(optimizer),
        average=None if average is None else operation_of(average),
    )
