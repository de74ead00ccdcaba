"""Runner that makes several steps in one compiled call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from handloom.backend import Backend, CompiledSteps
from handloom.data.batches import Batch, Order
from handloom.data.window import Window, can_be_read_in_place
from handloom.losses.base import RowLoss
from handloom.operations import Arrays, StepArrays, StepOperations, StepRows
from handloom.parallel.pool import Pool
from handloom.parameters import Array
from handloom.training.objective import LaneSums, Measurement
from handloom.training.runner import Runner, RunResult, StepRunner


@dataclass(frozen=True, eq=False)
class CompiledRunnerOptions:
    """What a `CompiledRunner` is made for.

    Attributes
    ----------
    compose : callable
        Returns the operations of a step as the options of its parts are now.
    loss : RowLoss
    backend : Backend
    pool : Pool
        Holds BLAS to one thread.
    batch_rows : int
        The most rows of a batch.
    count_correct : bool
        Whether to count correct predictions.
    """

    compose: Callable[[], StepOperations]
    loss: RowLoss
    backend: Backend
    pool: Pool
    batch_rows: int
    count_correct: bool


def compiled_runner(steps: StepRunner, arrays: Arrays, options: CompiledRunnerOptions) -> Runner:
    """Return a runner of compiled steps, or ``steps`` if the backend has none for this training.

    Parameters
    ----------
    steps : StepRunner
        The definition of a step.
    arrays : Arrays
        The training rows.
    options : CompiledRunnerOptions
    """
    if not steps.objective.has_single_shard(options.batch_rows):
        return steps
    runner = CompiledRunner(steps, arrays, options)
    return runner if runner.is_compiled else steps


class CompiledRunner:
    """Makes the steps of a call in compiled code.

    A step that is not finite there, or whose rows the loss refuses, is made again by the definition
    of a step, which accepts it, names the array that is not finite, or raises the error.

    Parameters
    ----------
    steps : StepRunner
        The definition of a step.
    arrays : Arrays
        The training rows.
    options : CompiledRunnerOptions
    """

    def __init__(self, steps: StepRunner, arrays: Arrays, options: CompiledRunnerOptions) -> None:
        self._steps, self._arrays, self._options = steps, arrays, options
        self._operations = options.compose()
        self._compiled = self._compile()
        self._counting = False  # whether steps were made that are not counted yet
        self._window: Window | None = None
        loading = steps.objective.loading
        in_place = can_be_read_in_place(arrays.inputs) and not loading.augment
        if self.is_compiled and not in_place:
            rows, backend, pool = options.batch_rows, options.backend, options.pool
            self._window = Window(arrays, loading, rows, backend, pool)

    @property
    def is_compiled(self) -> bool:
        """Whether the backend has compiled steps for these operations."""
        return self._compiled is not None

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
        make = partial(self._make_steps, measured, order, rates)
        while len(measured) < len(rates):
            try:
                goes_on, error = self._options.pool.undisturbed(make)
            except BaseException as interruption:  # raised again after the steps are counted
                goes_on, error = False, interruption
            if error is not None:
                return RunResult(measured, error=error, update_incomplete=self._counting)
            if len(measured) < len(rates) and not goes_on:
                step = order.first + len(measured)
                one = self._steps.run(arrays, order.part(step, 1), rates[len(measured) :][:1])
                measured += one.measured
                if one.stop_reason is not None or one.error is not None:
                    return RunResult(
                        measured, one.stop_reason, one.bad_array, one.error, one.update_incomplete
                    )
        return RunResult(measured)

    def _make_steps(
        self, measured: list[Measurement], order: Order, rates: Sequence[float]
    ) -> tuple[bool, BaseException | None]:
        """Make some of the steps that are not measured yet.

        Return whether the next ones can be made in the same way, and what interrupted them.
        """
        first, rates = order.first + len(measured), rates[len(measured) :]
        rows = self._load(order, first, len(rates)) if rates and self._is_up_to_date() else None
        if rows is None or self._compiled is None:
            return False, None
        optimizer, average = self._steps.optimizer, self._steps.average
        steps = len(rows.starts) - 1
        self._counting = True
        figures, error = self._compiled.run(
            rows,
            np.asarray(rates[:steps], np.float64),
            steps_before=optimizer.steps,
            averaged_before=0 if average is None else average.steps,
        )
        optimizer.steps += len(figures)
        if average is not None:
            average.steps += len(figures)
        measured += [
            Measurement(loss, penalty, int(correct), int(n), weight, squares**0.5)
            for (loss, penalty, correct, squares, weight), n in zip(
                figures.tolist(), np.diff(rows.starts).tolist(), strict=False
            )
        ]
        self._counting = False
        return len(figures) == steps, error

    def _is_up_to_date(self) -> bool:
        """Whether steps are compiled for the options that layers and other parts have now."""
        operations = self._options.compose()
        if not operations.equals(self._operations):
            self._operations = operations
            self._compiled = self._compile()
        return self.is_compiled

    def _compile(self) -> CompiledSteps | None:
        """Return compiled steps for the operations, None if a part has no record."""
        steps, operations, options = self._steps, self._operations, self._options
        own_parts = (steps.clip, operations.clip), (steps.average, operations.average)
        if any(part is not None and record is None for part, record in own_parts):
            return None
        parameters, average = steps.objective.network.parameters, steps.average
        return options.backend.compiled_steps(
            operations,
            StepArrays(
                parameters.values,
                parameters.gradient,
                list(steps.optimizer.state.values()),
                None if average is None else average.values,
            ),
            options.batch_rows,
            options.pool,
            count_correct=options.count_correct,
        )

    def _load(self, order: Order, first: int, steps: int) -> StepRows | None:
        """Return the rows of some steps from the first one, None if reading or checking them fails.

        The step that meets the reason then fails with it.
        """
        starts, inputs = order.starts(first, steps), self._arrays.inputs
        if self._window is not None:
            starts = starts[: self._window.steps_that_fit(starts) + 1]
        rows = order.rows_between(starts[0], starts[-1])
        try:
            targets, weights = self._targets_of(rows)
            if self._window is not None:
                inputs = self._window.load(order, first, starts)
        except Exception:  # whatever files, augmentations and losses raise
            return None
        starts = starts - starts[0]
        indices = rows if self._window is None else np.arange(len(rows))
        return StepRows(inputs, indices, starts, targets, weights, order.epoch, first)

    def _targets_of(
        self, rows: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.generic], Array | None]:
        """Return the targets of some rows in the form that the loss takes, and their weights."""
        arrays, network = self._arrays, self._steps.objective.network
        weights = None if arrays.weights is None else arrays.weights[rows]
        outputs = np.zeros((1, *network.output_shape), network.parameters.dtype)
        predictions = np.broadcast_to(outputs, (len(rows), *network.output_shape))
        loss = self._options.loss
        with np.errstate(over="ignore"):  # the loss of such a target is infinite
            return loss.check_targets(predictions, arrays.targets[rows], weights), weights
