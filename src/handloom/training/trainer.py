"""The trainer: ``fit`` runs epochs, an epoch runs steps, many of them in one call."""

import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from signal import Signals
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from handloom.data.batches import Order
from handloom.data.dataset import Dataset
from handloom.errors import ConfigurationError, ModelError, require_instance
from handloom.model import Model
from handloom.network import Sequential
from handloom.schedules import rates_from
from handloom.training.callbacks.base import Callback, Hooks, check_callbacks, stateful
from handloom.training.checkpoints import Checkpoints
from handloom.training.history import History, StopReason
from handloom.training.interrupts import deliver, on_interrupt
from handloom.training.objective import Measured
from handloom.training.options import TOLD, OnResume, TrainingOptions, takes_options
from handloom.training.preparation import Prepared, prepare
from handloom.training.snapshot import Snapshot
from handloom.training.state import TrainingState
from handloom.training.warm_start import WarmStart

CALL_SECONDS = 0.1
"""How long a call of the runner should last: between calls the clock, signals and checkpoints are
looked at."""


@dataclass(frozen=True, eq=False)
class TrainerOptions(TrainingOptions):
    """The options of a training, and who takes part in it.

    Parameters
    ----------
    optimizer, ..., on_signal
        As in `TrainingOptions`.
    callbacks : sequence of Callback
        Called in this order.
    checkpoints : Checkpoints, optional
        Where training is saved, so that it can be resumed after anything.
    """

    _: KW_ONLY
    callbacks: Sequence[Callback] = ()
    checkpoints: Checkpoints | None = field(default=None, metadata=TOLD)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "callbacks", check_callbacks(self.callbacks))
        if self.checkpoints is not None:
            require_instance("checkpoints", self.checkpoints, Checkpoints)

    def describe(self) -> dict[str, Any]:
        """Return every option by name; callbacks that only watch apart, as ``watchers``."""
        options = super().describe()
        watch = [not each.get("changes_results", True) for each in options["callbacks"]]
        both = list(zip(options["callbacks"], watch, strict=True))
        return {
            **options,
            "callbacks": [each for each, watches in both if not watches],
            "watchers": [each["kind"] for each, watches in both if watches],
        }

    @classmethod
    def on_resume(cls, name: str) -> OnResume:
        """Return whether an option may change at a resume; watchers may."""
        return OnResume.TOLD if name == "watchers" else super().on_resume(name)


class Trainer:
    """Trains a network.

    Parameters
    ----------
    network : Sequential
        A built network that ends in logits or in a softmax.
    optimizer, learning_rate, ...
        The fields of `TrainerOptions`.

    Attributes
    ----------
    network : Sequential
    options : TrainerOptions
    signals : list of int
        The signals that ended the latest training.

    Raises
    ------
    ConfigurationError, TypeError
        If an option is invalid, or unknown.
    """

    @takes_options(TrainerOptions)
    def __init__(self, network: Sequential, options: TrainerOptions) -> None:
        self._take(network, options)

    @classmethod
    def of(cls, network: Sequential, options: TrainerOptions) -> Self:
        """Return a trainer with options made before."""
        trainer = cls.__new__(cls)
        trainer._take(network, options)
        return trainer

    def _take(self, network: Sequential, options: TrainerOptions) -> None:
        require_instance("network", network, Sequential)
        require_instance("options", options, TrainerOptions)
        self.network, self.options = network, options
        self.signals: list[int] = []
        self._hooks = Hooks(options.callbacks)
        self._state: TrainingState | None = None

    @property
    def state(self) -> TrainingState:
        """Where the latest training stands.

        Raises
        ------
        ModelError
            Before the first `fit`.
        """
        if self._state is None:
            raise ModelError("fit the trainer first")
        return self._state

    @property
    def history(self) -> History:
        """What the latest training measured, epoch by epoch, and why it ended."""
        return self.state.history

    def model(self) -> Model:
        """Return the network with its transform and the names of its classes."""
        return self.state.model

    def fit(
        self,
        train: Dataset,
        validation: Dataset | float | None = None,
        *,
        sample_weights: npt.NDArray[np.floating] | None = None,
        resume: bool = False,
        warm: TrainingState | None = None,
    ) -> History:
        """Train the network, from its present weights or from where a training was left.

        Ctrl-C and SIGTERM end training within about a tenth of a second, after whole steps and with
        a last checkpoint. Then the application gets the signal: its handler is called, or SIGTERM
        ends the process, also where a callback has raised. A Ctrl-C that Python's own handler
        answers is not raised again, and a warning says that training was interrupted; with
        ``on_signal="finish"`` no signal is. A second signal acts at once.

        A loss or gradient that is not finite ends training before the update, weights that are not
        finite end it after the epoch; then the network gets back the last weights that were seen to
        be good: those before the first update of the epoch, or of the epoch before.
        ``history.divergence`` names what broke.

        Parameters
        ----------
        train : Dataset
            The rows to learn from.
        validation : Dataset or float, optional
            Rows to measure after each epoch, or the fraction of every class to hold out for it.
        sample_weights : array, shape (n,), optional
            A weight, zero or more, for each training row; not with a fraction to hold out.
        resume : bool
            Go on from the newest checkpoint, where there is one. Training then ends with the bits
            and the history, its clock aside, that it would have had if it had never stopped.
            Everything that results depend on must agree; what else has changed is told in
            ``history.notes``.
        warm : TrainingState, optional
            A training whose weights and optimizer state this one starts with. Everything else
            begins anew: patience, best figures, history and schedule.

        Returns
        -------
        History
            Also kept as ``trainer.history``.

        Raises
        ------
        ConfigurationError, DataError, ModelError
            If data, network and options do not belong together, or the checkpoint is of another
            training, or none is whole.
        FileError
            If another training writes to the same checkpoints, or there are some already that a
            new training would replace.
        """
        if warm is not None:
            require_instance("warm", warm, TrainingState)
        with self._delivering(), self._alone():
            snapshot = self._snapshot(resume=resume, warm=warm is not None)
            prepared = self.prepare(
                train, validation, sample_weights=sample_weights, snapshot=snapshot, warm=warm
            )
            return self._run(prepared)

    def prepare(
        self,
        train: Dataset,
        validation: Dataset | float | None = None,
        *,
        sample_weights: npt.NDArray[np.floating] | None = None,
        snapshot: Snapshot | None = None,
        warm: TrainingState | None = None,
    ) -> Prepared:
        """Make a training ready for `run`, or for running its epochs by hand.

        The arguments, and what raises, are those of `fit`; a snapshot is a moment to go on from.
        """
        if self.options.checkpoints and snapshot is None:
            self.options.checkpoints.require_none()
        prepared = prepare(
            self.network,
            self.options,
            train,
            validation,
            sample_weights=sample_weights,
            callbacks=stateful(self.options.callbacks),
            check=self._hooks.check,
            saved=self.options.checkpoints is not None,
            snapshot=snapshot,
            warm=None if warm is None else WarmStart.of(warm),
        )
        self._state = prepared.state
        return prepared

    def run(self, prepared: Prepared) -> History:
        """Run a training to its end, once.

        Raises
        ------
        ModelError
            If it was prepared by another trainer, or has been run.
        """
        if prepared.state.options is not self.options:
            raise ModelError("another trainer has prepared this training")
        if prepared.state.ended:
            raise ModelError("this training has ended: prepare another, or resume it with fit")
        self._state = prepared.state
        with self._delivering(), self._alone():
            return self._run(prepared)

    def _run(self, prepared: Prepared) -> History:
        """Run a training to its end, with the lock of the checkpoints held."""
        state, checkpoints = prepared.state, self.options.checkpoints
        interrupt = partial(state.stop, StopReason.INTERRUPTED)
        with (
            on_interrupt(interrupt, self.signals),
            prepared.threads,
            self._hooks.training(state),
        ):
            if prepared.snapshot:
                prepared.snapshot.restore_callbacks(state)
            with checkpoints.final(state) if checkpoints else nullcontext():
                while state.goes_on:
                    self.run_epoch(prepared)
                if state.progress.epoch >= state.until:
                    state.stop(StopReason.MAX_EPOCHS)
            if state.average is not None and state.history.divergence is None:
                state.average.keep()
            state.ended = True
        return state.history

    @np.errstate(over="ignore", invalid="ignore")  # looked for at every step, not warned about
    def run_epoch(self, prepared: Prepared) -> None:
        """Make one pass over the training rows, or what is left of it, unless training stops."""
        state, progress = prepared.state, prepared.state.progress
        started = time.perf_counter() - progress.seconds
        order = prepared.order(progress.epoch)
        if not progress.begun:
            progress.begun = True
            state.begin_epoch()
            self._hooks.call("on_epoch_begin", state=state)
        while state.goes_on and progress.epoch_steps < len(order):
            self._run_steps(prepared, order)
            progress.seconds = time.perf_counter() - started
            self._save_if_due(state)
        state.diverge_if_not_finite()
        if not state.goes_on:
            state.history.stopped_in = progress.epoch
            return
        validation = self._validate(prepared)
        record = state.end_epoch(validation, time.perf_counter() - started)
        try:
            self._hooks.call("on_epoch_end", state=state, record=record)
        finally:
            state.progress = progress.next_epoch()
        self._save_if_due(state)

    def _run_steps(self, prepared: Prepared, order: Order) -> None:
        """Make the next steps of an epoch in one call of the runner.

        A call lasts about `CALL_SECONDS`, or one step where a callback has a step hook. Where calls
        are cut changes nothing.
        """
        state, first = prepared.state, prepared.state.progress.epoch_steps
        steps = 1 if self._hooks.steps else max(1, int(CALL_SECONDS / prepared.seconds_per_step))
        if self._hooks.steps:
            self._hooks.call("on_step_begin", state=state)
        steps = min(steps, len(order) - first)
        rates = rates_from(state.options.schedule, state.progress.steps, steps)
        started, state.at_step_boundary = time.perf_counter(), False
        advance = prepared.runner.run(prepared.arrays, order.part(first, len(rates)), rates)
        prepared.seconds_per_step = max(time.perf_counter() - started, 1e-9) / len(rates)
        state.count(advance.measured, rates)
        state.at_step_boundary = not advance.half_made
        for measured in advance.measured if self._hooks.steps else ():
            self._hooks.call("on_step_end", state=state, measured=measured)
        if advance.error is not None:
            raise advance.error
        if advance.stopped is not None:
            state.diverge(advance.stopped, advance.bad_array, state.progress.steps, rates[0])

    def _validate(self, prepared: Prepared) -> Measured | None:
        """Measure the rows held out, if there are any, with the averaged weights if there are."""
        state = prepared.state
        if state.validation is None:
            return None
        with state.average.in_place() if state.average is not None else nullcontext():
            self._hooks.call("on_validation_begin", state=state)
            measured = prepared.measure(state.validation)
            self._hooks.call("on_validation_end", state=state, measured=measured)
        return measured

    def _save_if_due(self, state: TrainingState) -> None:
        if self.options.checkpoints:
            self.options.checkpoints.save_if_due(state)

    def _alone(self) -> AbstractContextManager[None]:
        """Be the only training that uses the checkpoints, until the end of a block."""
        return self.options.checkpoints.alone() if self.options.checkpoints else nullcontext()

    def _snapshot(self, *, resume: bool, warm: bool) -> Snapshot | None:
        """Return the moment to go on from, if there is one."""
        if resume and warm:
            raise ConfigurationError("a training is resumed or starts warm, not both")
        if not resume:
            return None
        if self.options.checkpoints is None:
            raise ConfigurationError("to resume, the trainer needs checkpoints to resume from")
        return self.options.checkpoints.newest()

    @contextmanager
    def _delivering(self) -> Iterator[None]:
        """Deliver the signals that ended training in a block, as `fit` says."""
        self.signals.clear()
        try:
            yield
        except BaseException:
            self._deliver()
            raise
        undelivered = self._deliver()
        interrupted = self._state and self._state.history.stop_reason is StopReason.INTERRUPTED
        for number in undelivered if interrupted else ():
            warnings.warn(
                f"training was interrupted by {Signals(number).name}: it ended after a whole step, "
                f"and the network has what it learned until then",
                stacklevel=4,  # where `fit` is called
            )

    def _deliver(self) -> list[int]:
        """Deliver signals, unless they are to be kept; return those that did their work by then."""
        return deliver(self.signals) if self.options.on_signal == "deliver" else []
