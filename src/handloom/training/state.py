"""Training state: model, options, progress, history and callbacks of a training."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from handloom.data.dataset import Dataset
from handloom.errors import ConfigurationError, ModelError, require_number
from handloom.losses import ClassificationLoss, Loss
from handloom.model import Model
from handloom.network import Sequential
from handloom.optimizers import Optimizer
from handloom.parameters import Array, check_array, l2_norm
from handloom.schedules import rates_from
from handloom.training.averaging import EMA
from handloom.training.configuration import describe
from handloom.training.distribution import Distribution
from handloom.training.divergence import Divergence, first_bad_weights
from handloom.training.history import (
    COLUMNS,
    EpochRecord,
    History,
    StopReason,
    checked_name,
    checked_number,
)
from handloom.training.objective import Measurement
from handloom.training.options import TrainingOptions
from handloom.training.part_options import options_of, savable_options, set_options, with_inner
from handloom.training.progress import TrainingProgress
from handloom.training.serialization import pack


class Stateful(Protocol):
    """An object whose state is saved in checkpoints, such as a callback."""

    def state_dict(self) -> Mapping[str, Any]:
        """Return the state: arrays and JSON values."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load the state that `state_dict` returned."""
        ...


@dataclass(eq=False)
class TrainingState:
    """The state of a training, which callbacks receive and checkpoints save.

    It can be copied and pickled, its callbacks included. A deep copy has a network of its own; its
    optimizer keeps its state and, as any copy, is bound to no parameters.

    Attributes
    ----------
    model : Model
        The network with its transform and the names of its classes.
    options : TrainingOptions
    full_batch : bool
        Whether a batch holds all rows.
    validation : Dataset or None
        The rows that are validated after each epoch.
    callbacks : mapping of str to Stateful
        The callbacks that have a state, by name.
    data_fingerprints : mapping
        The fingerprints of the data, if there are checkpoints or several ranks.
    own_parts : dict
        The records of own functions and objects, if there are checkpoints or several ranks; see
        `handloom.training.own_parts`.
    parts_at_begin : dict
        The descriptions of the parts whose options a callback may change, as training began, if
        there are checkpoints or several ranks.
    distribution : Distribution or None
        How ranks share the steps, in a distributed training.
    rates : list of (int, float or None)
        The rates of an own schedule at some steps, if there are checkpoints or several ranks.
    progress : TrainingProgress
        Epochs and steps done, and sums of the current epoch.
    history : History
        The metrics of complete epochs, and the stop reason.
    rate_scale : float
        The factor of the rates of the schedule, 1 at first; a callback may change it.
    announcements : list of str
        Sentences of callbacks for those that show the progress; see `announce`.
    total_epochs : int
        The number of epochs after which training ends, counted from the first epoch of the training
        that this one continues.
    good_weights : array, shape (size + untrained,)
        The weights, running statistics included, that a divergence restores: those at the
        beginning of the epoch or, until its first step was finite, of the epoch before. The
        optimizer's state is not restored.
    trained_shapes : dict of str to shape
        The shapes of the trained arrays by name, in the order of the vector of weights.
    ended : bool
        Whether training is over, except for ``on_train_end``.
    at_step_boundary : bool
        Whether the weights are those of a whole step; False after an error in an update.
    deadline : float
        The time, by ``time.perf_counter``, at which the steps of this process end; see `TimeLimit`.
    """

    model: Model
    options: TrainingOptions
    full_batch: bool = False
    validation: Dataset | None = None
    callbacks: Mapping[str, Stateful] = field(default_factory=dict)
    data_fingerprints: Mapping[str, Any] = field(default_factory=dict)
    progress: TrainingProgress = field(default_factory=TrainingProgress)
    history: History = field(default_factory=History)

    def __post_init__(self) -> None:
        self.total_epochs = self.options.epochs
        self.parameters = self.network.parameters  # kept: freezing makes new ones
        self.trained_shapes = shapes_of(self.network)
        self.store_initial_weights()
        self.at_step_boundary, self.ended = True, False
        self.deadline = math.inf
        self.store_bindings()
        self.own_parts: dict[str, dict[str, Any]] = {}
        self.parts_at_begin: dict[str, Any] = {}
        self.rates: list[tuple[int, float | None]] = []
        self.distribution: Distribution | None = None
        self.rate_scale = 1.0
        self.announcements: list[str] = []
        self.recorder: object = None  # the callback whose hook runs
        self._recorders: dict[str, object] = {}
        self._deferred: list[Callable[[TrainingState], None]] | None = None

    def __repr__(self) -> str:
        steps = f"epoch {self.progress.epoch} of {self.total_epochs}, {self.progress.steps:,} steps"
        return f"TrainingState({steps}; {self.history!r})"

    def __getstate__(self) -> dict[str, object]:
        """Return the state of a copy or a pickle, in which the weights are the network's own."""
        values = {name: value for name, value in vars(self).items() if name != "parameters"}
        return {**values, "_deferred": None}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)
        self.parameters = self.network.parameters

    def store_initial_weights(self) -> None:
        """Store the current weights as the ones that a divergence in the first step restores."""
        self.good_weights: Array = self.network.parameters.values.copy()
        self._before_epoch: Array = self.good_weights.copy()

    @property
    def network(self) -> Sequential:
        """The network that is trained."""
        return self.model.network

    @property
    def optimizer(self) -> Optimizer:
        """The update of the weights."""
        return self.options.chosen_optimizer

    @property
    def loss(self) -> Loss:
        """The loss, from logits."""
        return self.options.chosen_loss

    @property
    def average(self) -> EMA | None:
        """The average of the weights, or None."""
        return self.options.average

    @property
    def validates(self) -> bool:
        """Whether there are validation rows."""
        return self.validation is not None

    @property
    def counts_correct(self) -> bool:
        """Whether correct predictions are counted."""
        return self.options.count_correct and isinstance(self.loss, ClassificationLoss)

    @property
    def is_running(self) -> bool:
        """Whether training has another step."""
        return self.history.stop_reason is None and self.progress.epoch < self.total_epochs

    def store_bindings(self) -> None:
        """Store that the optimizer and the average are bound to this training."""
        self._bound: list[tuple[str, Optimizer | EMA, int]] = [
            ("optimizer", self.optimizer, self.optimizer.bindings)
        ]
        if self.average is not None:
            self._bound.append(("average", self.average, self.average.bindings))

    def parts_used_since(self) -> list[str]:
        """Return which of the optimizer and the average are bound to a later training."""
        return [name for name, part, bindings in self._bound if part.bindings != bindings]

    def require_own_parts(self) -> None:
        """Refuse a network, an optimizer or an average that no longer belongs to this training.

        Raises
        ------
        ModelError
            If the network was built again or frozen, or another training has used the optimizer or
            the average since.
        """
        if used := self.parts_used_since():
            raise ModelError(
                f"another training has used the {' and the '.join(used)} since: prepare this "
                "training again, and make one for each training (copy.deepcopy copies one)"
            )
        if self.network.parameters is not self.parameters:
            raise ModelError(
                "the network was frozen or built again during the training, so the optimizer and "
                "the runner have other arrays: do it between two trainings, and make a new trainer"
            )

    def require_whole_step(self) -> None:
        """Refuse a training whose weights an error left in the middle of an update.

        Raises
        ------
        ModelError
            With the remedy.
        """
        if not self.at_step_boundary:
            raise ModelError(
                "an error ended this training in the middle of an update, so some of its weights "
                "are updated and others are not: resume it from a checkpoint, or build the network "
                "again and prepare another training"
            )

    @contextmanager
    def deferring_checkpoints(self) -> Iterator[None]:
        """Defer checkpoints to the end of a block, in which the state is not between two steps.

        It is so from the validation of an epoch, with averaged weights, to the next epoch.
        """
        deferred = self._deferred = []
        try:
            yield
        finally:
            self._deferred = None
            for save in deferred:
                save(self)

    def call_between_steps(self, save: Callable[["TrainingState"], None]) -> None:
        """Call a function with this state, once: now, or after `deferring_checkpoints`."""
        if self._deferred is None:
            save(self)
        elif save not in self._deferred:
            self._deferred.append(save)

    def stop(self, reason: StopReason) -> None:
        """End training, for a reason that the history records.

        The first reason is kept, except that any later one replaces ``INTERRUPTED``. A resume
        continues a training that ended with ``INTERRUPTED`` or ``TIME_LIMIT``, and not one that
        ended with ``EARLY_STOPPING``.

        Raises
        ------
        ConfigurationError
            If it is not a `StopReason`, or one of a divergence, which only the trainer sets.
        """
        if not isinstance(reason, StopReason):
            raise ConfigurationError(f"reason must be {_stop_reasons()}, got {reason!r}")
        if reason.diverged and self.history.divergence is None:
            raise ConfigurationError(
                f"reason must not be of a divergence, which only the trainer sets, got {reason}"
            )
        if self.history.stop_reason in (None, StopReason.INTERRUPTED):
            self.history.stop_reason = reason

    def stop_after_deadline(self) -> None:
        """End training with ``TIME_LIMIT`` once ``deadline`` is over."""
        if time.perf_counter() >= self.deadline:
            self.stop(StopReason.TIME_LIMIT)

    @property
    def rate_scale(self) -> float:
        """The factor of the rates of the schedule, a number of at least 0.

        Checkpoints have it. A change in `Callback.on_epoch_end` is that of the next epoch.
        """
        return self._rate_scale

    @rate_scale.setter
    def rate_scale(self, scale: float) -> None:
        self._rate_scale = require_number("rate_scale", scale, minimum=0.0)

    def next_rates(self, count: int) -> list[float]:
        """Return the learning rates of the next steps; see `handloom.schedules.rates_from`."""
        rates = rates_from(self.options.schedule, self.progress.steps, count)
        return [rate * self.rate_scale for rate in rates]

    def announce(self, text: str) -> None:
        """Announce a change that a callback has made, in a sentence that `Progress` prints."""
        self.announcements.append(str(text))

    def record(self, name: str, value: float) -> None:
        """Record a metric of the current epoch.

        It becomes a column of the history. Monitors, the CSV log, the progress bar and pictures
        use it like any other, from the end of the epoch on: record it in
        `Callback.on_validation_end`, or in the `Callback.on_epoch_end` of a callback that comes
        before those that use it.

        Raises
        ------
        ConfigurationError
            If the name is not a word or is one of `COLUMNS`, another callback records it, the value
            is not a number, or training has ended.
        """
        if checked_name(name) in COLUMNS:
            raise ConfigurationError(f"{name!r} is measured by the trainer: record another name")
        if self.ended:
            raise ConfigurationError(f"{name}: training has ended: record metrics by on_epoch_end")
        first = self._recorders.setdefault(name, self.recorder)
        if first is not self.recorder:
            kinds = " and ".join(type(each).__name__ for each in (first, self.recorder))
            raise ConfigurationError(
                f"each metric must be recorded by one callback, got {name!r} from two, {kinds}: "
                "record another name"
            )
        self.progress.recorded[name] = checked_number(name, value)

    def require_measured(self, metric: str) -> None:
        """Refuse a metric of `COLUMNS` that this training does not measure.

        Raises
        ------
        ConfigurationError
            With the reason.
        """
        why = ""
        if metric.startswith("validation") and not self.validates:
            why = "there is no validation set"
        elif metric.endswith("accuracy") and not self.counts_correct:
            why = f"the loss {type(self.loss).__name__} is not a ClassificationLoss"
            if not self.options.count_correct:
                why = "count_correct is False"
        if metric in COLUMNS and why:
            raise ConfigurationError(f"{metric!r}, which is not measured: {why}")

    def weights_of_metric(self, metric: str) -> Array:
        """Return the weights, running statistics included, of a metric of the last epoch.

        - A training metric of a full-batch epoch is measured before its update.
        - Another training metric belongs to the weights after the epoch.
        - Validation and recorded metrics belong to the weights for validation: the average of the
          weights if there is one.

        Returns
        -------
        array, shape (size + untrained,)
            Not a copy.
        """
        if metric in COLUMNS and not metric.startswith("validation"):
            return self.good_weights if self.full_batch else self.network.parameters.values
        return self.validated_weights

    @property
    def validated_weights(self) -> Array:
        """The values that are validated: the weights, or their average."""
        return self.network.parameters.values if self.average is None else self.average.values

    def begin_epoch(self) -> None:
        """Store the weights before the first update of an epoch."""
        np.copyto(self._before_epoch, self.network.parameters.values)

    def add_steps(self, steps: Sequence[Measurement], rates: Sequence[float]) -> None:
        """Add finite steps to the progress, each with its measurement and learning rate.

        The first step of an epoch shows that the weights before it were good: they become
        ``good_weights``.
        """
        before = replace(self.progress), self.good_weights, self._before_epoch
        try:
            self._add_steps(*before, steps, rates)
        except BaseException:  # a signal handler's, which may raise at any line
            self._add_steps(*before, steps, rates)
            raise

    def _add_steps(
        self,
        progress: TrainingProgress,
        good_weights: Array,
        before_epoch: Array,
        steps: Sequence[Measurement],
        rates: Sequence[float],
    ) -> None:
        """Add steps to an earlier progress, which becomes that of now; again, it is the same."""
        after = replace(progress)
        for measured, rate in zip(steps, rates, strict=False):
            after.add(measured, rate)
        if progress.epoch_steps == 0 < after.epoch_steps:
            self.good_weights, self._before_epoch = before_epoch, good_weights
        vars(self.progress).update(vars(after))

    def end_epoch(self, validation: Measurement | None, seconds: float) -> EpochRecord:
        """Append the record of the current epoch to the history, and return it.

        It replaces one of the same epoch, after which an exception came.
        """
        data_loss, penalty, accuracy = self.progress.means()
        counted = self.counts_correct
        record = EpochRecord(
            epoch=self.progress.epoch,
            loss=data_loss + penalty,
            data_loss=data_loss,
            penalty=penalty,
            accuracy=accuracy if counted else None,
            learning_rate=self.progress.learning_rate or 0.0,  # a rate, since there was a step
            seconds=seconds,
            validation_loss=None if validation is None else validation.data_loss,
            validation_accuracy=None if validation is None or not counted else validation.accuracy,
            recorded=self.progress.recorded,  # the same dict: `on_epoch_end` may still record
        )
        records = self.history.records
        records[:] = [*(each for each in records if each.epoch < record.epoch), record]
        return record

    def weights_are_finite(self) -> bool:
        """Return whether all weights and the sum of their squares are finite."""
        return math.isfinite(l2_norm(self.network.parameters.values))

    def diverge_if_not_finite(self, largest: Callable[[], tuple[float, float]]) -> None:
        """End training as diverged if a weight is not finite; ``largest`` is as in `diverge`.

        The first divergence is kept.
        """
        if self.history.divergence is not None or self.weights_are_finite():
            return
        bad = first_bad_weights(self.network) or "the sum of the weights' squares"
        step = self.progress.steps - 1
        self.diverge(StopReason.NON_FINITE_WEIGHTS, bad, step, math.nan, largest())

    def diverge(
        self,
        reason: StopReason,
        bad_array: str,
        step: int,
        first_rate: float,
        largest: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """End training at a step that is not finite, and restore ``good_weights``.

        So the updates since the beginning of the epoch are lost; if the first step of the epoch
        was not finite, those of the epoch before. The optimizer's vectors and its number of steps,
        the average of the weights and the progress stay those of the last update. They no longer
        belong to the weights: a warm start is refused.

        Parameters
        ----------
        reason : StopReason
        bad_array : str
            The first array that is not finite.
        step : int
            The step, counted from 0 over the whole training.
        first_rate : float
            The learning rate of the first step, if no step was finite.
        largest : tuple of float
            The largest absolute values of inputs and of continuous targets; see `Divergence`.
        """
        rate = self.progress.learning_rate
        self.history.divergence = Divergence(
            bad_array,
            self.progress.epoch,
            step,
            first_rate if rate is None else rate,
            self.progress.gradient_norm,
            *largest,
            str(self.parameters.dtype),
        )
        np.copyto(self.network.parameters.values, self.good_weights)
        self.stop(reason)

    def parts_with_options(self) -> list[Any]:
        """Return the loss and, if they have a ``config``, optimizer, average and layers."""
        layers = with_inner(layer for _, layer in self.network.named_layers())
        parts = self.optimizer, self.loss, self.average, *layers
        own = (part for part in parts if part is not None)
        return [p for p in own if p is self.loss or callable(getattr(p, "config", None))]

    def state_dict(self) -> dict[str, Any]:
        """Return the state: JSON values, and arrays, which are not copied.

        Raises
        ------
        ModelError
            If another training has used the optimizer or the average since, or the network was
            built again or frozen.
        """
        self.require_own_parts()
        average = {} if self.average is None else {"average": self.average.state_dict()}
        return {
            "progress": self.progress.to_json(),
            "rate_scale": self.rate_scale,
            "options": [savable_options(part) for part in self.parts_with_options()],
            "history": self.history.to_json(),
            "weights": self.network.parameters.values,
            "good_weights": self.good_weights,
            "optimizer": self.optimizer.state_dict(),
            **average,
            "callbacks": self.states_of_callbacks(),
        }

    def states_of_callbacks(self) -> dict[str, Any]:
        """Return the states of the callbacks, for `load_callbacks`; arrays are not copied."""
        return {
            name: {"made": describe(each), "state": each.state_dict()}
            for name, each in self.callbacks.items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load the state that `state_dict` returned, except for callbacks.

        The stop reason is removed unless it is final, so training continues. Afterwards
        ``on_train_begin`` runs, and then `load_callbacks` loads the callbacks.

        Raises
        ------
        ModelError
            If an array has another shape or dtype, or a value is invalid.
        """
        progress = TrainingProgress.from_json(state["progress"])
        history = History.from_json(state["history"])
        weights, good = (self._checked(name, state) for name in ("weights", "good_weights"))
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        np.copyto(self.network.parameters.values, weights)
        np.copyto(self.good_weights, good)
        self.begin_epoch()  # the checkpoint may be between `begin_epoch` and the first step
        if history.stop_reason is not None and not history.stop_reason.final:
            history.stop_reason = history.stopped_in = None
            history.stopped_steps = 0
        self.progress, self.history = progress, history
        self.rate_scale = state.get("rate_scale", 1.0)  # checkpoints before it had none
        for part, options in zip(self.parts_with_options(), state.get("options", ()), strict=False):
            set_options(part, {name: options[name] for name in options_of(part) if name in options})

    def load_callbacks(self, states: Mapping[str, Mapping[str, Any]]) -> None:
        """Load the states of callbacks from `states_of_callbacks`.

        A callback that is new or has another ``config`` starts without a state, and the history
        notes it.
        """
        remaining = dict(states)
        for name, callback in self.callbacks.items():
            made = pack(describe(callback), {})
            kind = name.partition(" ")[0]
            alike = [
                n for n in (name, *remaining) if n in remaining and n.partition(" ")[0] == kind
            ]
            own = next((n for n in alike if pack(remaining[n]["made"], {}) == made), None)
            if own is None:
                note = f"{name} starts without a state: it is new or has another config"
                self.history.notes.append(note)
                continue
            try:
                callback.load_state_dict(remaining.pop(own)["state"])
            except Exception as error:
                raise ModelError(f"the state of {name} cannot be loaded: {error!r}") from error

    def continue_from(self, progress: TrainingProgress) -> None:
        """Continue the counts of another training, for ``options.epochs`` more epochs."""
        self.progress = TrainingProgress(
            progress.epoch + bool(progress.epoch_steps), progress.steps
        )
        self.total_epochs = self.progress.epoch + self.options.epochs

    def _checked(self, name: str, state: Mapping[str, Any]) -> Array:
        """Return saved weights if they match this network."""
        saved: Array = state[name]
        if not isinstance(saved, np.ndarray):
            raise ModelError(f"{name} must be an array, got {type(saved).__name__}")
        check_array(name, saved, self.good_weights.shape, self.good_weights.dtype)
        return saved


def _stop_reasons() -> str:
    """Return the names of the reasons that `TrainingState.stop` accepts."""
    return " or ".join(f"StopReason.{each.name}" for each in StopReason if not each.diverged)


def shapes_of(network: Sequential) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the trained arrays by name, in the order of the vector of weights."""
    return {name: array.shape for name, array in network.parameters.gradients.items()}
