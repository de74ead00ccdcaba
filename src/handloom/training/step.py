"""Composes the operations of a training step from its parts."""

from handloom.data.transforms import Transform
from handloom.losses import Loss
from handloom.network import Sequential
from handloom.operations import Penalties, StepOperations, operation_of
from handloom.optimizers import Optimizer
from handloom.optimizers.clipping import ClipByNorm
from handloom.training.averaging import EMA


def compose(
    network: Sequential,
    transform: Transform,
    loss: Loss,
    optimizer: Optimizer,
    *,
    penalty_per_row: bool = False,
    clip: ClipByNorm | None = None,
    average: EMA | None = None,
    seed: int = 0,
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
    seed : int
        The seed of the random draws in a step.
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
        seed=seed,
    )
