"""What advances a training: whole steps, one after another.

`LayerByLayer` is the definition of a step. A step has two parts: the lanes' gradients, and their
sum with the update. Everything that a step changes is changed in place: weights, the optimizer's
vectors and its counter, running statistics, the average of the weights.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from handloom.data.batches import Batch, Order
from handloom.operations import Arrays
from handloom.optimizers import Optimizer
from handloom.optimizers.clipping import ClipByNorm
from handloom.training.averaging import EMA
from handloom.training.history import StopReason
from handloom.training.objective import LaneSums, Measured, Objective


@dataclass(frozen=True)
class Advance:
    """What came of a run of steps.

    Attributes
    ----------
    measured : list of Measured
        What each accepted step measured, in order, before its update.
    stopped : StopReason or None
        Why the run ended before its last step: a loss or a gradient that is not finite. That step
        has changed nothing.
    bad_array : str
        Which array of that step was the first that is not finite.
    error : BaseException or None
        What the step after the accepted ones raised.
    half_made : bool
        Whether it was raised in the update, so that the weights may be of no whole step.
    """

    measured: list[Measured]
    stopped: StopReason | None = None
    bad_array: str = ""
    error: BaseException | None = None
    half_made: bool = False


class Runner(Protocol):
    """Advances a training by whole steps. Where a run is cut into calls never changes a bit.

    A run calls the two parts of a step in turn. Between them, ranks exchange what lanes contribute.
    """

    def gradients(self, batch: Batch) -> list[LaneSums]:
        """Return what each lane contributes to a step, in lane order."""
        ...

    def update(self, batch: Batch, lanes: Sequence[LaneSums], rate: float) -> Measured:
        """Add what lanes contribute and, if the result is finite, update the weights."""
        ...

    def run(self, arrays: Arrays, order: Order, rates: Sequence[float]) -> Advance:
        """Make consecutive steps of one epoch.

        Parameters
        ----------
        arrays : Arrays
            The training rows.
        order : Order
            The rows of each step.
        rates : sequence of float
            The learning rate of each step.
        """
        ...


class LayerByLayer:
    """Runs the parts of a step one after another, each as it is defined.

    Parameters
    ----------
    objective : Objective
        Forward, loss, backward, and the sum over lanes.
    optimizer : Optimizer
        Bound to the network's parameters.
    clip : ClipByNorm, optional
        Limits the gradient, penalty included.
    average : EMA, optional
        Bound to the network's parameters.
    """

    def __init__(
        self,
        objective: Objective,
        optimizer: Optimizer,
        *,
        clip: ClipByNorm | None = None,
        average: EMA | None = None,
    ) -> None:
        self.objective, self.optimizer = objective, optimizer
        self.clip, self.average = clip, average

    @np.errstate(over="ignore", invalid="ignore")  # looked for at every step, not warned about
    def run(self, arrays: Arrays, order: Order, rates: Sequence[float]) -> Advance:
        """Make consecutive steps of one epoch; see `Runner`."""
        accepted: list[Measured] = []
        for step, rate in enumerate(rates, order.first):
            batch = Batch(arrays, order.batch(step), order.epoch, step)
            updating = False
            try:
                lanes = self.gradients(batch)
                updating = True
                measured = self.update(batch, lanes, rate)
            except BaseException as error:  # raised again once the steps before it are counted
                return Advance(accepted, error=error, half_made=updating)
            if not math.isfinite(measured.loss):
                reason = StopReason.NON_FINITE_LOSS
            elif not math.isfinite(measured.gradient_norm):
                reason = StopReason.NON_FINITE_GRADIENT
            else:
                accepted.append(measured)
                continue
            return Advance(accepted, reason, self.objective.first_bad_array(batch))
        return Advance(accepted)

    def gradients(self, batch: Batch) -> list[LaneSums]:
        """Return what each lane contributes to a step, in lane order."""
        return self.objective.run_lanes(batch)

    def update(self, batch: Batch, lanes: Sequence[LaneSums], rate: float) -> Measured:
        """Add what lanes contribute and, if the result is finite, update the weights.

        The gradient is clipped first; running statistics and the average of the weights follow.
        """
        measured = self.objective.add(batch, lanes)
        norm = measured.gradient_norm
        if math.isfinite(measured.loss) and math.isfinite(norm):
            if self.clip is not None:
                self.clip(self.objective.network.parameters.gradient, norm)
            self.optimizer.step(rate)
            self.objective.network.commit_statistics([lane.statistics for lane in lanes])
            if self.average is not None:
                self.average.update()
        return measured
