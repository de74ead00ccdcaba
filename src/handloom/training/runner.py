"""Runner: makes the steps of a training, one after another.

A step first computes the gradients of the lanes, then adds them and makes the update. The update
overwrites the weights, the optimizer's vectors and its number of steps, the running statistics, and
the average of the weights. `StepRunner` defines a step, for every backend: layers, loss and
optimizer run the functions that they have fetched from the backend, compiled or not.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from handloom.data.batches import Batch, Order
from handloom.errors import ModelError
from handloom.operations import Arrays
from handloom.optimizers import Optimizer
from handloom.optimizers.clipping import ClipByNorm
from handloom.parallel.lane_sums import BatchSums
from handloom.training.averaging import EMA
from handloom.training.history import StopReason
from handloom.training.objective import Measurement, Objective


@dataclass(frozen=True)
class RunResult:
    """The result of consecutive steps.

    Attributes
    ----------
    measured : list of Measurement
        One for each accepted (finite) step, in order, measured with the weights before its update.
    stop_reason : StopReason or None
        The reason of an early end: a loss or a gradient that is not finite. That step made no
        update; the trainer then restores `TrainingState.good_weights`.
    bad_array : str
        The first array of that step that is not finite.
    error : BaseException or None
        The error of the step after the accepted ones.
    update_incomplete : bool
        Whether the error was raised in the update, so that weights may be updated in part.
    """

    measured: list[Measurement]
    stop_reason: StopReason | None = None
    bad_array: str = ""
    error: BaseException | None = None
    update_incomplete: bool = False


class Runner(Protocol):
    """Advances a training by whole steps. The number of steps per call never changes the result."""

    def run(self, arrays: Arrays, order: Order, rates: Sequence[float]) -> RunResult:
        """Make consecutive steps of one epoch.

        Parameters
        ----------
        arrays : Arrays
            The training rows.
        order : Order
            The rows of each step.
        rates : sequence of float
            The learning rate of each step.

        Returns
        -------
        RunResult
            The accepted steps, and the reason of an early end.
        """
        ...


class StepRunner:
    """Makes steps: the gradients of this rank's lanes, the sum over all lanes, then `update`.

    Functions are called in the versions of the backend. The network runs in one compiled call for
    each pass, or layer by layer; see `Objective`. Ranks communicate in the sum, once a step.

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

    @np.errstate(over="ignore", invalid="ignore")  # checked at every step instead of warnings
    def run(self, arrays: Arrays, order: Order, rates: Sequence[float]) -> RunResult:
        """Make consecutive steps of one epoch; see `Runner`."""
        accepted: list[Measurement] = []
        for step, rate in enumerate(rates, order.first):
            batch = Batch(arrays, order.batch(step), order.epoch, step)
            added = updating = False
            try:
                lanes = self.objective.run_lanes(batch)
                added = True
                sums = self.objective.add_lanes(batch, lanes)
                updating = True
                measured = self.update(batch, sums, rate)
            except BaseException as error:  # raised again after the steps before it are counted
                self._tell_ranks(error, order, step + added)
                return RunResult(accepted, error=error, update_incomplete=updating)
            if not math.isfinite(measured.loss):
                reason = StopReason.NON_FINITE_LOSS
            elif not math.isfinite(measured.gradient_norm):
                reason = StopReason.NON_FINITE_GRADIENT
            else:
                accepted.append(measured)
                continue
            try:
                bad = self.objective.first_bad_array(batch)
            except ModelError as error:  # a gradient that is not overwritten
                return RunResult(accepted, error=error)
            return RunResult(accepted, reason, bad)
        return RunResult(accepted)

    def _tell_ranks(self, error: BaseException, order: Order, first: int) -> None:
        """Tell other ranks of an error, in the first step from ``first`` on that they add.

        Without such a step in this call they learn of it when it has ended.
        """
        for step in range(first, order.first + len(order)):
            rows = order.size(step)
            if self.objective.lanes(rows) > 1:
                self.objective.fail(error, rows)
                return

    def update(self, batch: Batch, sums: BatchSums, rate: float) -> Measurement:
        """Measure a step from the sum of its lanes and, if it is finite, update the weights.

        The gradient is clipped first; running statistics and the average of the weights follow.
        """
        measured = self.objective.measure(batch, sums)
        norm = measured.gradient_norm
        if math.isfinite(measured.loss) and math.isfinite(norm):
            if self.clip is not None:
                self.clip(self.objective.network.parameters.gradient, norm)
            self.optimizer.step(rate)
            self.objective.network.commit_statistics(sums.statistics)
            if self.average is not None:
                self.average.update()
        return measured
