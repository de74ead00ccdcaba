"""Epoch: one pass over the rows in steps, several per call of the runner, then validation."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handloom.data.batches import Order
from handloom.training.callbacks.base import Hooks
from handloom.training.history import EpochRecord
from handloom.training.objective import Measurement
from handloom.training.preparation import PreparedTraining
from handloom.training.state import TrainingState

CALL_SECONDS = 0.1
"""The target duration of a call of the runner, in seconds; between calls, signals and checkpoints
are handled."""


@dataclass(frozen=True, eq=False)
class Epoch:
    """Runs the current epoch of a training.

    Parameters
    ----------
    prepared : PreparedTraining
        The training, whose progress says which epoch it is.
    hooks : Hooks
        Those of the callbacks; none on ranks other than 0.
    save_if_due : callable
        Writes a checkpoint of the state if one is due. Called after each call of the runner, and
        after a complete epoch.
    """

    prepared: PreparedTraining
    hooks: Hooks
    save_if_due: Callable[[TrainingState], None]
    _callers_errors: Any = field(init=False, default_factory=np.geterr)  # those that hooks see

    @np.errstate(over="ignore", invalid="ignore")  # checked at every step instead of warnings
    def run(self) -> None:
        """Run the epoch, or the rest of it, unless training stops.

        Raises
        ------
        ModelError
            If the network, the optimizer or the average no longer belongs to the training, or an
            error ended it in the middle of an update.
        RankError
            If the training has failed on another rank.
        """
        prepared, state, progress = self.prepared, self.prepared.state, self.prepared.state.progress
        state.require_own_parts()
        state.require_whole_step()
        prepared.restore_weights()
        started = time.perf_counter() - progress.seconds
        order = prepared.order(progress.epoch)
        if not progress.begun:
            progress.begun = True
            state.begin_epoch()
            prepared.agreement.begin_epoch()
            self._call_hooks("on_epoch_begin")
        while progress.epoch_steps < len(order) and self._run_steps(order):
            progress.seconds = time.perf_counter() - started
            if progress.epoch_steps < len(order):
                state.stop_after_deadline()
            self.save_if_due(state)
        state.diverge_if_not_finite(prepared.largest_values)
        if not prepared.goes_on():
            state.history.stopped_in = progress.epoch
            state.history.stopped_steps = progress.epoch_steps
            return
        with state.deferring_checkpoints():
            validation = self._validate()
            self._end(state.end_epoch(validation, time.perf_counter() - started))
        self.save_if_due(state)

    def _end(self, record: EpochRecord) -> None:
        """Measure the layers, call the hooks, and go on to the next epoch, also after an exception.

        A resume repeats none of it.
        """
        state, probe = self.prepared.state, self.prepared.due_probe(record.epoch)
        try:
            if probe is not None:
                probe.measure(record.epoch)
        finally:
            try:
                self._call_hooks("on_epoch_end", record=record)
            finally:
                state.progress = state.progress.next_epoch()

    def _run_steps(self, order: Order) -> bool:
        """Make the next steps in one call of the runner; return whether there are any.

        A call lasts about `CALL_SECONDS`, or one step if a callback has a step hook. The number of
        steps per call does not change results.
        """
        prepared, state = self.prepared, self.prepared.state
        first = state.progress.epoch_steps
        state.require_own_parts()
        rates = prepared.agreement.decide(self._next_rates(order))
        if not len(rates):
            return False
        last_step = len(order) - first == 1
        probe = prepared.due_probe(state.progress.epoch)
        started, state.at_step_boundary = time.perf_counter(), False
        with probe.last_step() if probe is not None and last_step else nullcontext():
            result = prepared.runner.run(prepared.arrays, order.part(first, len(rates)), rates)
            state.add_steps(result.measured, rates)  # at once: an exception of a signal may come
        prepared.seconds_per_step = max(time.perf_counter() - started, 1e-9) / len(rates)
        state.at_step_boundary = not result.update_incomplete
        for measured in result.measured if self.hooks.has_step_hooks else ():
            self._call_hooks("on_step_end", measured=measured)
        if result.error is not None:
            raise result.error
        if result.stop_reason is not None:
            largest = prepared.largest_values()
            state.diverge(
                result.stop_reason, result.bad_array, state.progress.steps, rates[0], largest
            )
        return True

    def _next_rates(self, order: Order) -> Sequence[float]:
        """Return the learning rates of the next call of the runner; none if training stops.

        Rank 0 decides; other ranks return none.
        """
        prepared, state = self.prepared, self.prepared.state
        if not prepared.agreement.leads or not state.is_running:
            return ()
        steps = max(1, int(CALL_SECONDS / prepared.seconds_per_step))
        if self.hooks.has_step_hooks:
            steps = 1
            self._call_hooks("on_step_begin")
            state.require_own_parts()
        left = len(order) - state.progress.epoch_steps
        if prepared.due_probe(state.progress.epoch) is not None:
            steps = min(steps, max(left - 1, 1))  # the last step is made alone
        return state.next_rates(min(steps, left))

    def _validate(self) -> Measurement | None:
        """Validate, if there are validation rows, with averaged weights if there are any."""
        state = self.prepared.state
        if state.validation is None:
            return None
        measure = self._measure_validation
        return measure() if state.average is None else state.average.in_place(measure)

    def _measure_validation(self) -> Measurement | None:
        """Measure the validation rows, between the hooks of validation."""
        self._call_hooks("on_validation_begin")
        self.prepared.agreement.decide(None)
        measured = self.prepared.measure_validation()
        self._call_hooks("on_validation_end", measured=measured)
        return measured

    def _call_hooks(self, hook: str, **arguments: object) -> None:
        """Call a hook of every callback, on rank 0, in the error state of the caller."""
        changing = self.hooks.may_change_results(hook)
        watching = self.prepared.agreement.watching() if changing else nullcontext()
        with watching, np.errstate(**self._callers_errors):
            self.hooks.call(hook, state=self.prepared.state, **arguments)
