"""Trainer: ``fit`` prepares a training and runs its epochs until it stops."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from signal import Signals
from typing import ClassVar

import numpy.typing as npt

from handloom.arguments import advises_on_arguments
from handloom.data.dataset import Dataset
from handloom.elsewhere import FIT_ARGUMENTS, TRAINER, AdvisesOnNames
from handloom.errors import ConfigurationError, DivergenceWarning, ModelError, require_instance
from handloom.in_use import in_use
from handloom.model import Model
from handloom.network import Sequential
from handloom.parallel.mpi import ranks_of
from handloom.parallel.ranks import ONE, Ranks
from handloom.parallel.watch import Watch
from handloom.schedules import Constant
from handloom.secondary import Secondary, in_notebook, say, warn
from handloom.text import printable
from handloom.training.callbacks.base import Hooks, stateful
from handloom.training.callbacks.best_weights import BestWeights
from handloom.training.checkpoints import Checkpoints
from handloom.training.class_weights import ClassWeight
from handloom.training.docstrings import describes_options_of
from handloom.training.epoch import Epoch
from handloom.training.findings import findings
from handloom.training.history import History, StopReason
from handloom.training.interrupts import deliver, held, on_interrupt, on_notice
from handloom.training.options import takes_options
from handloom.training.parts_in_use import parts_in_use
from handloom.training.preparation import PreparedTraining, prepare
from handloom.training.same_training import own_or_sent, sharing
from handloom.training.snapshot import Snapshot
from handloom.training.state import TrainingState
from handloom.training.trainer_options import TrainerOptions
from handloom.training.training_data import TrainingData
from handloom.training.warm_start import WarmStart

FITTED_AGAIN = (
    "fit was called again on the same trainer: row orders, dropout masks and augmentations are "
    "those of the first fit, and the optimizer starts over. To train longer, pass a larger epochs= "
    "to one fit, or resume a checkpoint. To go on from here, make a trainer with another seed, and "
    "call its fit with warm=trainer.state, the state of this one"
)
FITTED_AGAIN_WARM = (
    "fit was called again on the same trainer: row orders, dropout masks and augmentations are "
    "those of the first fit. Make a trainer with another seed, and call its fit with "
    "warm=trainer.state, the state of this one"
)
"""The warnings about a second fit of the same weights, and their notes."""

RANKS_IN_USE = "start this training when that one has ended, or without the option distributed"
"""The remedy for two trainings that would mix their messages."""


@describes_options_of(TrainerOptions)
class Trainer(AdvisesOnNames):
    """Trains a network.

    Parameters
    ----------
    network : Sequential
        A built network.

    Attributes
    ----------
    network : Sequential
    options : TrainerOptions
    signals : list of int
        The signals that came in the latest training, which the first one ends.

    Raises
    ------
    ConfigurationError, TypeError
        If an option is invalid or unknown.
    """

    _elsewhere: ClassVar[Mapping[str, str]] = TRAINER

    @takes_options(TrainerOptions)
    def __init__(self, network: Sequential, options: TrainerOptions) -> None:
        self._set_options(network, options)

    def _set_options(self, network: Sequential, options: TrainerOptions) -> None:
        require_instance("network", network, Sequential)
        require_instance("options", options, TrainerOptions)
        self.network, self.options = network, options
        self.signals: list[int] = []
        self._hooks = Hooks(options.callbacks)
        ranks_of(options.distributed)  # an error on one rank can end the others from now on
        self._ranks: Ranks = ONE
        self._watch: Watch | None = None
        self._state: TrainingState | None = None
        self._running: TrainingState | None = None

    def __repr__(self) -> str:
        options = self.options
        rate = options.schedule
        shown = rate.learning_rate if isinstance(rate, Constant) else rate
        size = "" if options.batch_size is None else f", batch_size={options.batch_size}"
        trained = "" if self._state is None else f"; {self._state.history.ended}"
        return printable(
            f"Trainer({self.network.short}; {options.optimizer}, {shown}, epochs={options.epochs}"
            f"{size}{trained})"
        )

    @property
    def state(self) -> TrainingState:
        """The state of the latest training.

        Raises
        ------
        ModelError
            Before the first `fit`.
        """
        if self._state is None:
            raise ModelError("fit the trainer first")
        return self._state

    @property
    def leads(self) -> bool:
        """Whether this process is rank 0, which runs callbacks and writes; True without ranks."""
        return ranks_of(self.options.distributed).leads

    @property
    def history(self) -> History:
        """The history of the latest training: metrics of every epoch, and the stop reason."""
        return self.state.history

    def model(self) -> Model:
        """Return the network with its transform and the names of its classes."""
        return self.state.model

    @advises_on_arguments(FIT_ARGUMENTS)
    def fit(
        self,
        train: Dataset | None,
        validation: Dataset | float | None = None,
        *,
        sample_weights: npt.ArrayLike | None = None,
        validation_weights: npt.ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
        resume: bool = False,
        warm: TrainingState | None = None,
    ) -> History:
        """Train the network, from its current weights or from a checkpoint.

        Ctrl-C and SIGTERM end training after a whole step, within about a tenth of a second, and a
        last checkpoint is written. While code is loaded or compiled, training ends when that is
        done, before the first step. After that, even if a callback raised an error:

        - a handler of the application is called; without one, SIGTERM ends the process;
        - after Ctrl-C with Python's default handler, `fit` returns, with a warning, also if
          training had just ended for another reason;
        - with ``on_signal="finish"``, `fit` returns in every case.

        A second signal takes effect at once. A hang-up, as of a closed terminal, does the same as
        SIGTERM if the application neither handles nor ignores it; further ones change nothing. With
        the option ``distributed`` so does SIGUSR1, by which schedulers announce the end of a job.

        A loss or gradient that is not finite ends training without that step's update; weights that
        are not finite end it after the epoch. The weights return to those at the beginning of the
        epoch; if its first step was not finite, to those at the beginning of the epoch before. The
        optimizer's state does not return: it stays that of the last update.
        ``history.divergence`` names the first array that was not finite, and a
        `DivergenceWarning` says the same; `prepare` and `run` end without the warning.

        Parameters
        ----------
        train : Dataset
            The rows to learn from. Of several ranks, all but rank 0 may pass None: then the data of
            rank 0 are sent to them.
        validation : Dataset or float, optional
            Rows for validation after each epoch, or the fraction of every class to hold out for it.
            Rows that are training rows get a warning, and a note in ``history.notes``.
        sample_weights : array-like, shape (n,), optional
            A weight, zero or more, for each training row; not with a fraction as ``validation``.
        validation_weights : array-like, shape (m,), optional
            The same for each validation row.
        class_weight : mapping or "balanced", optional
            The weight of each class, by name or index; a class that is missing has weight 1. With
            ``"balanced"`` all classes have the same total weight in the training rows. It
            multiplies the weights of training and validation rows: the validation loss is weighted
            like the training loss, and accuracies count every row once.
        resume : bool
            Resume from the newest checkpoint, if there is one. The weights are then bitwise those
            of an uninterrupted training, and so is the history except for times. An option that
            results depend on must be the same; other changes are noted in ``history.notes``. If
            only the code of a function or class of your own has changed, there is a warning.
        warm : TrainingState, optional
            A training whose weights and optimizer state this one starts with. Everything else
            starts over: patience, best metrics, history and schedule.

        A second `fit` of the same network repeats the row orders and random draws of the first one,
        and gets a warning: pass ``epochs=``, or make a trainer with another ``seed``.

        Returns
        -------
        History
            Also available as ``trainer.history``.

        Raises
        ------
        ConfigurationError, DataError, ModelError
            If data, network and options do not match, the checkpoint is of another training, no
            checkpoint can be read, or a training that has not ended uses the trainer, the network,
            the optimizer or another part that this one would change.
        FileError
            If another training writes to the same checkpoints, or a new training would replace
            existing ones.
        RankError
            If the training has failed on another rank.
        """
        if isinstance(warm, Trainer):
            raise ConfigurationError("warm must be a TrainingState, got a Trainer: pass its .state")
        if warm is not None:
            require_instance("warm", warm, TrainingState)
        data = TrainingData(train, validation, sample_weights, validation_weights, class_weight)
        call = f"fit with resume={resume}{'' if warm is None else ' and warm'}"
        with (
            self._in_use(),
            self._delivering_signals(),
            self._together(call),
            self._lock_checkpoints(),
            on_interrupt(self._interrupt, self.signals),  # an import must not be left half done
        ):
            snapshot = self._snapshot_to_resume(resume=resume, warm=warm is not None)
            again = not resume and self._has_trained()
            prepared = self._prepare(data, snapshot, warm)
            if again:
                remark = FITTED_AGAIN if warm is None else FITTED_AGAIN_WARM
                prepared.state.history.notes.append(remark)
                warn(remark)
            history = self._run(prepared)
        if history.divergence is not None and self.leads:
            message = f"training diverged: {history.divergence}"
            warn(message, DivergenceWarning)
        return history

    def _has_trained(self) -> bool:
        """Return whether this trainer has trained the current weights of its network."""
        state = self._state
        return (
            state is not None
            and state.progress.steps > 0
            and self.network.built
            and self.network.parameters is state.parameters
        )

    def prepare(
        self,
        train: Dataset | None,
        validation: Dataset | float | None = None,
        *,
        sample_weights: npt.ArrayLike | None = None,
        validation_weights: npt.ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
        snapshot: Snapshot | None = None,
        warm: TrainingState | None = None,
    ) -> PreparedTraining:
        """Prepare a training for `run`, or for calls of `run_epoch`.

        Arguments and errors are those of `fit`; ``snapshot`` is a snapshot to resume from. The
        training can be run until another one is prepared with the same optimizer or average. A
        signal takes effect after the preparation.
        """
        data = TrainingData(train, validation, sample_weights, validation_weights, class_weight)
        with self._in_use(), self._together("prepare"), held():
            return self._prepare(data, snapshot, warm)

    def _prepare(
        self, data: TrainingData, snapshot: Snapshot | None, warm: TrainingState | None
    ) -> PreparedTraining:
        """Prepare a training whose parts are in use by the caller."""
        ranks = self._ranks
        if self._checkpoints and snapshot is None:
            self._checkpoints.require_none()
        prepared = prepare(
            self.network,
            self.options,
            own_or_sent(ranks, data),
            callbacks=stateful(self.options.callbacks) if ranks.leads else {},
            check=self._check,
            compiling=self._hooks.compiling,
            fingerprint_data=self.options.checkpoints is not None,
            snapshot=snapshot,
            warm=None if warm is None else WarmStart.of(warm),
            ranks=ranks,
            signals=self.signals,
        )
        self._state = prepared.state
        return prepared

    def _check(self, state: TrainingState) -> None:
        """Check that callbacks and checkpoints suit a training, before anything is changed."""
        self._hooks.check(state)
        if self._checkpoints:
            self._checkpoints.check(state)

    def run(self, prepared: PreparedTraining) -> History:
        """Run a training to its end, once.

        After an error in it, another call goes on with the steps that are left, as if there had
        been no error: from the weights and the states of callbacks before `Callback.on_train_end`.
        It is refused if the error came in the middle of an update, or the ``state_dict`` of a
        callback failed.

        Raises
        ------
        ModelError
            If it was prepared by another trainer, has been run, cannot go on after an error, or
            another training uses a part of it, or has used its optimizer or average since.
        RankError
            If the training has failed on another rank.
        """
        if prepared.state.options is not self.options:
            raise ModelError(
                "prepared must be of this trainer, got a training that another one prepared"
            )
        with (
            self._in_use(),
            self._delivering_signals(),
            self._together("run"),
            self._lock_checkpoints(),
            on_interrupt(self._interrupt, self.signals),
        ):
            if prepared.state.ended:
                raise ModelError("this training has ended: prepare another, or resume it with fit")
            prepared.state.require_own_parts()
            prepared.state.require_whole_step()
            prepared.restore_weights()
            self._state = prepared.state
            return self._run(prepared)

    @contextmanager
    def _in_use(self, *, nested: bool = False) -> Iterator[None]:
        """Use all parts that a training of this trainer changes until the end of a block."""
        parts = parts_in_use(
            self.network, self.options, self.options.callbacks, self.options.checkpoints
        )
        ranks = ranks_of(self.options.distributed)
        group = [] if ranks is ONE else [("the group of ranks", ranks)]
        with (
            in_use([("the trainer", self), *parts], nested=nested),
            in_use(group, remedy=RANKS_IN_USE),
        ):
            yield

    def _run(self, prepared: PreparedTraining) -> History:
        """Run a training to its end, with the lock of the checkpoints held."""
        self._running = prepared.state if prepared.agreement.leads else None
        try:
            if self.signals:  # they came during the preparation
                self._interrupt()
            with prepared.running():
                self._run_epochs(prepared)
                prepared.agreement.finish()
        finally:
            self._running = None
        return prepared.state.history

    def _interrupt(self) -> None:
        """End the training that runs, at a signal.

        One that is still prepared ends before its first step. Another rank than 0 leaves a signal
        to that one, which learns of it at the next decision.
        """
        if self._running is not None:
            self._running.stop(StopReason.INTERRUPTED)

    def _run_epochs(self, prepared: PreparedTraining) -> None:
        """Run the epochs of a training that are left, and end it."""
        state, checkpoints = prepared.state, self._checkpoints
        with prepared.threads, self._hooks.training(state), prepared.restored_callbacks():
            with checkpoints.saving_at_end(state) if checkpoints else nullcontext():
                while prepared.goes_on():
                    self.run_epoch(prepared)
                if state.progress.epoch >= state.total_epochs:
                    state.stop(StopReason.MAX_EPOCHS)
                if prepared.probe is not None:
                    prepared.probe.end()
            if state.average is not None and state.history.divergence is None:
                state.average.copy_to_network()
            if state.history.divergence is not None:
                state.history.notes.insert(0, str(state.history.divergence))
            with Secondary("the findings of the diagnosis are not noted"):
                sentences = map(str, findings(state.history))
                state.history.notes += [s for s in sentences if s not in state.history.notes]
            state.ended = True

    def run_epoch(self, prepared: PreparedTraining) -> None:
        """Run one epoch, or the rest of it, unless training stops or has no epoch left."""
        if prepared.runs_in_this_thread:
            Epoch(prepared, self._hooks, self._save_if_due).run()
            return
        with self._in_use(nested=True):
            self.signals.clear()  # of an earlier training
            with self._together("run_epoch"):
                if prepared.goes_on():
                    Epoch(prepared, self._hooks, self._save_if_due).run()

    def _save_if_due(self, state: TrainingState) -> None:
        if self._checkpoints:
            self._checkpoints.save_if_due(state)
            self._report_checkpoint()

    def _report_checkpoint(self) -> None:
        """Have the watch over the ranks name the last good checkpoint if one of them dies."""
        last = None if self._checkpoints is None else self._checkpoints.last_good
        if self._watch is not None and last is not None:
            self._watch.report(f"the last good checkpoint is {last}")

    @property
    def _checkpoints(self) -> Checkpoints | None:
        """The checkpoints, which rank 0 writes."""
        return self.options.checkpoints if self._ranks.leads else None

    def _lock_checkpoints(self) -> AbstractContextManager[None]:
        """Lock the checkpoints against other trainings, until the end of a block."""
        return self._checkpoints.lock() if self._checkpoints else nullcontext()

    @contextmanager
    def _together(self, call: str) -> Iterator[None]:
        """Train with the other ranks until the end of a block."""
        ranks, hooks = ranks_of(self.options.distributed), self._hooks
        try:
            noticing = nullcontext() if ranks is ONE else on_notice(self.signals)
            with noticing, sharing(ranks, call) as self._watch:
                self._ranks, self._hooks = ranks, hooks if ranks.leads else Hooks(())
                yield
        finally:
            self._ranks, self._hooks, self._watch = ONE, hooks, None

    def _snapshot_to_resume(self, *, resume: bool, warm: bool) -> Snapshot | None:
        """Return the snapshot to resume from, which rank 0 reads, or None."""
        if resume and warm:
            raise ConfigurationError("a training is resumed or starts warm, not both")
        snapshot = None
        if resume and self._ranks.leads:
            if self.options.checkpoints is None:
                raise ConfigurationError(
                    "resume=True needs checkpoints: set the option checkpoints of the trainer"
                )
            snapshot = self.options.checkpoints.newest()
            self._report_checkpoint()
        return self._ranks.send(snapshot)

    @contextmanager
    def _delivering_signals(self) -> Iterator[None]:
        """Deliver the signals that came in a block; see `fit`."""
        self.signals.clear()
        try:
            yield
        except BaseException:
            self._deliver()
            raise
        undelivered = self._deliver()
        tell = say if in_notebook() else warn  # a notebook shows a warning as a failure
        for number in undelivered if self.leads else ():
            tell(self._interrupted(number))

    def _interrupted(self, number: int) -> str:
        """Return the sentence about a signal that ended training, or came too late for that."""
        signal, who = Signals(number).name, "you stopped the training"
        if self.history.stop_reason is not StopReason.INTERRUPTED:
            return f"{signal} came when training had ended: {self.history.ended}"
        if not in_notebook():
            who = f"training was interrupted by {signal}"
        if self.state.progress.steps == 0:
            return f"{who} before its first step: the network has the weights it had"
        return f"{who}: it ended after a whole step, and the network has {self._weights_at_end()}"

    def _weights_at_end(self) -> str:
        """Return which weights the network has after an interrupted training, in words."""
        for each in reversed(self.options.callbacks):  # the last one restores last
            if isinstance(each, BestWeights) and each.restored and each.epoch is not None:
                return f"the best weights, those of epoch {each.epoch + 1}"
        return "the weights of that step" if self.state.average is None else "averaged weights"

    def _deliver(self) -> list[int]:
        """Deliver signals if ``on_signal`` is "deliver"; return those to warn about."""
        return deliver(self.signals) if self.options.on_signal == "deliver" else []
