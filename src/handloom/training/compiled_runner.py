"""Runner that makes several steps in one compiled call."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from handloom.backend import Backend, CompiledSteps
from handloom.data.augment import can_be_moves
from handloom.data.batches import Batch, Order, step_augmentation
from handloom.data.window import Window, can_be_read_in_place
from handloom.layers.batch_norm import BatchNorm
from handloom.losses.base import RowLoss
from handloom.operations import (
    Arrays,
    LossOperation,
    Moves,
    MovingAverage,
    NormalizeColumns,
    StepArrays,
    StepOperations,
    StepRows,
    Update,
)
from handloom.parallel.pool import Pool
from handloom.parameters import Array
from handloom.training.objective import Measurement
from handloom.training.runner import Runner, RunResult, StepRunner


class _Counts(NamedTuple):
    """The steps that were measured in a call, made by the optimizer, and averaged."""

    measured: int
    steps: int
    averaged: int


@dataclass(frozen=True, eq=False)
class CompiledRunnerOptions:
    """The training for which a `CompiledRunner` is made.

    Attributes
    ----------
    operations : StepOperations
    loss : RowLoss
        The loss that the definition of a step computes.
    backend : Backend
    pool : Pool
        Holds BLAS to one thread.
    batch_rows : int
        The most rows of a batch.
    count_correct : bool
        Whether to count correct predictions.
    """

    operations: StepOperations
    loss: RowLoss
    backend: Backend
    pool: Pool
    batch_rows: int
    count_correct: bool


def compiled_runner(steps: StepRunner, arrays: Arrays, options: CompiledRunnerOptions) -> Runner:
    """Return a `CompiledRunner`, or ``steps`` if the backend has none for this training."""
    if not steps.objective.has_single_shard(options.batch_rows):
        return steps
    runner = CompiledRunner(steps, arrays, options)
    return runner if runner.is_compiled else steps


class CompiledRunner:
    """Makes the steps of a call in compiled code.

    Steps that are not finite there, or whose rows cannot be loaded or are refused by the loss, are
    made by the definition of a step, which accepts them, names the array that is not finite, or
    raises the error. So is a step during which other code changed BLAS, if it does so again.

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
        self._operations = options.operations
        layers = steps.objective.network.layers
        self._norms = [layer for layer in layers if isinstance(layer, BatchNorm)]
        self._followed = self._options_now()
        self._compiled = self._compile()
        self._counting = False  # whether steps were made that are not counted yet
        self._window: Window | None = None
        loading = steps.objective.loading
        self._moves_images = bool(loading.augment) and can_be_moves(loading.augment)
        if self._moves_images:
            loading = replace(loading, augment=())
        in_place = can_be_read_in_place(arrays.inputs) and not loading.augment
        if self.is_compiled and not in_place:
            rows, backend, pool = options.batch_rows, options.backend, options.pool
            self._window = Window(arrays, loading, rows, backend, pool)

    @property
    def is_compiled(self) -> bool:
        """Whether the backend has compiled steps for these operations."""
        return self._compiled is not None

    def run(self, arrays: Arrays, order: Order, rates: Sequence[float]) -> RunResult:
        """Make consecutive steps of one epoch; see `Runner`."""
        if arrays is not self._arrays:
            return self._steps.run(arrays, order, rates)
        measured: list[Measurement] = []
        make = partial(self._make_steps, measured, order, rates)
        try:
            while len(measured) < len(rates):
                if left := self._options.pool.undisturbed(make):
                    done = len(measured)
                    part = order.part(order.first + done, left)
                    rest = self._steps.run(arrays, part, rates[done : done + left])
                    measured += rest.measured
                    if rest.stop_reason is not None or rest.error is not None:
                        return replace(rest, measured=measured)
            return RunResult(measured)
        except BaseException as error:  # raised again after the steps are counted
            return RunResult(measured, error=error, update_incomplete=self._counting)

    def _make_steps(self, measured: list[Measurement], order: Order, rates: Sequence[float]) -> int:
        """Make some of the steps that are not measured yet.

        Return how many of the next steps the definition must make. Raise the exception that
        interrupted the steps; those that were made are measured.
        """
        first, rates = order.first + len(measured), rates[len(measured) :]
        self._follow_options()
        if not rates or self._compiled is None:
            return len(rates)
        starts = order.starts(first, len(rates))
        if self._window is not None:
            starts = starts[: self._window.steps_that_fit(starts) + 1]
        try:
            rows = self._load(order, first, starts)
        except Exception:  # whatever files, augmentations, losses and signal handlers raise
            if not self._fails_again(order, first, starts):
                raise  # an interruption
            return len(starts) - 1
        optimizer, average = self._steps.optimizer, self._steps.average
        steps = len(rows.starts) - 1
        before = _Counts(len(measured), optimizer.steps, 0 if average is None else average.steps)
        figures: npt.NDArray[np.float64] | None = None
        self._counting = True
        try:
            figures, error = self._compiled.run(
                rows,
                np.asarray(rates[:steps], np.float64),
                steps_before=before.steps,
                averaged_before=before.averaged,
            )
            self._count(measured, before, figures, rows)
        except BaseException as interruption:  # a signal handler's, which may raise at any line
            if figures is None:
                raise
            self._count(measured, before, figures, rows)
            error = interruption
        self._counting = False
        if error is not None:
            raise error
        return int(len(figures) < steps)

    def _count(
        self,
        measured: list[Measurement],
        before: "_Counts",
        figures: npt.NDArray[np.float64],
        rows: StepRows,
    ) -> None:
        """Count and measure steps that were made; a second call changes nothing."""
        optimizer, average = self._steps.optimizer, self._steps.average
        optimizer.steps = before.steps + len(figures)
        if average is not None:
            average.steps = before.averaged + len(figures)
        measured[before.measured :] = [
            Measurement(loss, penalty, int(correct), int(n), weight, squares**0.5)
            for (loss, penalty, correct, squares, weight), n in zip(
                figures.tolist(), np.diff(rows.starts).tolist(), strict=False
            )
        ]

    def _follow_options(self) -> None:
        """Compile steps anew if an option has changed that the definition reads in every step.

        Those are the options of the loss, the optimizer and the average, and the momentum of batch
        normalization. The definition has copies of everything else.
        """
        if (followed := self._options_now()) == self._followed:
            return
        self._followed = followed
        loss, update, average, momenta = followed
        left = iter(momenta)
        layers = [
            replace(layer, momentum=next(left)) if isinstance(layer, NormalizeColumns) else layer
            for layer in self._operations.layers or ()
        ]
        self._operations = replace(
            self._operations, loss=loss, update=update, average=average, layers=layers
        )
        self._compiled = self._compile()

    def _options_now(
        self,
    ) -> tuple[LossOperation | None, Update | None, MovingAverage | None, tuple[float, ...]]:
        """Return the records of loss, optimizer and average, and the momenta of the layers."""
        steps = self._steps
        return (
            self._options.loss.as_operation(),
            steps.optimizer.as_operation(),
            None if steps.average is None else steps.average.as_operation(),
            tuple(norm.momentum for norm in self._norms),
        )

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

    def _fails_again(self, order: Order, first: int, starts: npt.NDArray[np.int64]) -> bool:
        """Whether rows cannot be loaded: the definition then fails in the step that meets them."""
        try:
            self._load(order, first, starts)
        except Exception:  # as above
            return True
        return False

    def _load(self, order: Order, first: int, starts: npt.NDArray[np.int64]) -> StepRows:
        """Return the rows of steps from the first one; they begin and end at ``starts``."""
        rows, inputs = order.rows_between(starts[0], starts[-1]), self._arrays.inputs
        targets, weights = self._targets_of(rows)
        moves = self._moves_of(rows, starts - starts[0], order.epoch, first)
        if self._window is not None:
            inputs = self._window.load(order, first, starts)
        starts = starts - starts[0]
        indices = rows if self._window is None else np.arange(len(rows))
        return StepRows(inputs, indices, starts, targets, weights, order.epoch, first, moves)

    def _moves_of(
        self, rows: npt.NDArray[np.int64], starts: npt.NDArray[np.int64], epoch: int, first: int
    ) -> Moves | None:
        """Return the moves of the images of some steps, shape (n, 3), from the draws of each step.

        The rows, shape (n,), of each step begin and end at ``starts``, shape (steps + 1,).
        """
        if not self._moves_images:
            return None
        moves = np.zeros((len(rows), 3), np.int64)
        for step, (start, stop) in enumerate(pairwise(starts.tolist()), first):
            batch = Batch(self._arrays, rows[start:stop], epoch, step)
            augmentation = step_augmentation(self._steps.objective.loading, batch)
            if augmentation is not None:
                moves[start:stop] = augmentation.moves(rows[start:stop], 0)
        return moves

    def _targets_of(
        self, rows: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.generic], Array | None]:
        """Return the targets of some rows, shape (n,) or (n, k), as the loss takes them.

        Then their sample weights, shape (n,), or None.
        """
        arrays, network = self._arrays, self._steps.objective.network
        weights = None if arrays.weights is None else arrays.weights[rows]
        outputs = np.zeros((1, *network.output_shape), network.parameters.dtype)
        predictions = np.broadcast_to(outputs, (len(rows), *network.output_shape))
        loss = self._options.loss
        with np.errstate(over="ignore"):  # the loss of such a target is infinite
            return loss.check_targets(predictions, arrays.targets[rows], weights), weights
