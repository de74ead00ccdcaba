"""Runner that makes several steps in one compiled call."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from handloom.backend import Backend, CompiledSteps
from handloom.data.batches import Batch, Order
from handloom.errors import DataError
from handloom.losses import Loss
from handloom.losses.base import RowLoss
from handloom.operations import Arrays, StepArrays, StepOperations
from handloom.parallel.pool import Pool
from handloom.training.objective import LaneSums, Measurement
from handloom.training.runner import Runner, RunResult, StepRunner


def compiled_runner(
    steps: StepRunner,
    operations: StepOperations,
    loss: Loss,
    arrays: Arrays,
    backend: Backend,
    pool: Pool,
    batch_rows: int,
    *,
    count_correct: bool,
) -> Runner:
    """Return a runner of compiled steps, or ``steps`` if the backend has none for this training.

    Parameters
    ----------
    steps : StepRunner
    operations : StepOperations
    loss : Loss
    arrays : Arrays
        The training rows.
    backend : Backend
    pool : Pool
    batch_rows : int
        The most rows of a batch.
    count_correct : bool
        Whether to count correct predictions.
    """
    own_parts = (steps.clip, operations.clip), (steps.average, operations.average)
    if any(part is not None and record is None for part, record in own_parts):
        return steps
    if not steps.objective.has_single_shard(batch_rows):
        return steps
    checked = _with_checked_targets(loss, arrays, operations, steps)
    if checked is None:
        return steps
    parameters, average = steps.objective.network.parameters, steps.average
    made = backend.compiled_steps(
        operations,
        StepArrays(
            parameters.values,
            parameters.gradient,
            list(steps.optimizer.state.values()),
            None if average is None else average.values,
            checked,
        ),
        batch_rows,
        pool,
        count_correct=count_correct,
    )
    return steps if made is None else CompiledRunner(steps, made, arrays, pool)


class CompiledRunner:
    """Makes the steps of a call in compiled code.

    A step that is not finite there is made again by the definition of a step, which accepts it or
    names the array that is not finite.

    Parameters
    ----------
    steps : StepRunner
        The definition of a step.
    compiled : CompiledSteps
        Bound to the same arrays.
    arrays : Arrays
        The training rows.
    pool : Pool
        Holds BLAS to one thread.
    """

    def __init__(
        self, steps: StepRunner, compiled: CompiledSteps, arrays: Arrays, pool: Pool
    ) -> None:
        self._steps, self._compiled = steps, compiled
        self._arrays, self._pool = arrays, pool

    def gradients(self, batch: Batch) -> list[LaneSums]:
        """Return the sums of each lane for a step, in lane order."""
        return self._steps.gradients(batch)

    def update(self, batch: Batch, sums: Sequence[LaneSums], rate: float) -> Measurement:
        """Add the sums of lanes and, if the result is finite, update the weights."""
        return self._steps.update(batch, sums, rate)

    def run(self, arrays: Arrays, order: Order, rates: Sequence[float]) -> RunResult:
        """Make consecutive steps of one epoch; see `Runner`."""
        if arrays is not self._arrays:
            return self._steps.run(arrays, order, rates)
        measured: list[Measurement] = []
        go_on = partial(self._go_on, measured, order, rates)
        while len(measured) < len(rates):
            self._pool.undisturbed(go_on)
            if len(measured) < len(rates):
                step = order.first + len(measured)
                one = self._steps.run(arrays, order.part(step, 1), rates[len(measured) :][:1])
                measured += one.measured
                if one.stop_reason is not None or one.error is not None:
                    return RunResult(
                        measured, one.stop_reason, one.bad_array, one.error, one.update_incomplete
                    )
        return RunResult(measured)

    def _go_on(self, measured: list[Measurement], order: Order, rates: Sequence[float]) -> None:
        """Make the steps that are not measured yet, until one is not finite or was disturbed."""
        first, rates = order.first + len(measured), rates[len(measured) :]
        if not rates:
            return
        optimizer, average = self._steps.optimizer, self._steps.average
        starts = order.starts(first, len(rates))
        rows = order.rows_between(starts[0], starts[-1])
        figures = self._compiled.run(
            rows,
            starts - starts[0],
            np.asarray(rates, np.float64),
            epoch=order.epoch,
            first=first,
            steps_before=optimizer.steps,
            averaged_before=0 if average is None else average.steps,
        )
        optimizer.steps += len(figures)
        if average is not None:
            average.steps += len(figures)
        measured += [
            Measurement(loss, penalty, int(correct), int(n), weight, squares**0.5)
            for (loss, penalty, correct, squares, weight), n in zip(
                figures.tolist(), np.diff(starts).tolist(), strict=False
            )
        ]


def _with_checked_targets(
    loss: Loss, arrays: Arrays, operations: StepOperations, steps: StepRunner
) -> Arrays | None:
    """Return the rows with targets in the form that the loss takes; None if it refuses them.

    The loss then refuses them in the step that meets them.
    """
    if operations.loss is None or not isinstance(loss, RowLoss):
        return None
    network, rows = steps.objective.network, len(arrays.targets)
    outputs = np.zeros((1, *network.output_shape), network.parameters.dtype)
    predictions = np.broadcast_to(outputs, (rows, *network.output_shape))
    try:
        with np.errstate(over="ignore"):  # the loss of such a target is infinite
            targets = loss.check_targets(predictions, arrays.targets, arrays.weights)
    except DataError:
        return None
    return Arrays(arrays.inputs, targets, arrays.weights)
