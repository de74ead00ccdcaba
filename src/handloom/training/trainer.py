"""The training loop: ``fit`` runs epochs, an epoch runs steps, many of them in one call."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from numbers import Real

import numpy as np
import numpy.typing as npt

from handloom.backend import BACKENDS, Backend, choose_backend
from handloom.data.augment import Augmentation, check_images
from handloom.data.batches import Batch, LoaderOptions, Order, epoch_order
from handloom.data.dataset import Dataset
from handloom.data.fingerprint import checksum, fingerprint
from handloom.data.transforms import Transform, transform_for
from handloom.errors import (
    ConfigurationError,
    DataError,
    ModelError,
    require_bool,
    require_count,
    require_known,
    require_number,
)
from handloom.losses import (
    CategoricalCrossEntropy,
    ClassificationLoss,
    Loss,
    SoftmaxCrossEntropy,
)
from handloom.model import Model
from handloom.network import Sequential
from handloom.operations import Arrays
from handloom.optimizers import Optimizer
from handloom.parallel.partition import LANES
from handloom.parallel.threads import Threads
from handloom.parameters import Array, l2_norm
from handloom.randomness import Stream
from handloom.schedules import Schedule, schedule
from handloom.training.averaging import EMA
from handloom.training.callbacks import Callback, looks_at_steps
from handloom.training.checkpoints import Checkpoints
from handloom.training.checks import check_data, check_weights
from handloom.training.divergence import Divergence, first_bad_weights
from handloom.training.history import EpochRecord, History, StopReason
from handloom.training.interrupts import ON_SIGNAL, OnSignal, deliver, on_interrupt
from handloom.training.objective import Measured, Objective
from handloom.training.position import Position
from handloom.training.runner import Advance, LayerByLayer, Runner
from handloom.training.snapshot import Snapshot
from handloom.training.step import compose

CALL_SECONDS = 0.1
"""How long a call of the runner should last: between calls the clock, signals and checkpoints are
looked at."""


class Trainer:
    """Trains a network.

    Parameters
    ----------
    network : Sequential
        A built network that ends in logits or in a softmax.
    optimizer : Optimizer
        The update rule; `fit` binds it anew.
    learning_rate : float or schedule
        A rate, or a function from the step, counted from 0, to a rate. It is asked for the rates of
        several steps ahead, within an epoch.
    epochs : int
        How often to go through the training rows.
    batch_size : int, optional
        Rows a step; without it every step takes all rows. An epoch's last batch may be smaller.
    shuffle : bool
        Whether batches take the rows in a new random order each epoch.
    penalty_per_row : bool
        Whether the penalty of a step is divided by the weight of its rows, so that it counts for
        less in larger batches.
    loss : Loss
        From logits; by default `SoftmaxCrossEntropy`.
    count_correct : bool
        Whether to count the rows that are predicted right, where the loss knows right from wrong;
        without it the history has no accuracy, and a small step is some percent quicker.
    clip_norm : float, optional
        The longest that the gradient of a step, penalty included, may be; a longer one is scaled
        down to it.
    average : EMA, optional
        An average of the weights, which validation measures and the network ends with. Training
        goes on from the weights themselves, and training figures are theirs.
    augment : sequence of Augmentation
        What changes the stored images of a step, in this order, before they are transformed.
        Validation sees them as they are.
    transform : Transform, optional
        From stored rows to the network's input; by default images are scaled to -1..1 and
        features are left as they are.
    seed : int
        What shuffling, augmentation and stochastic layers draw from.
    callbacks : sequence of Callback
        Called in this order.
    threads : int, optional
        How many threads share a step; by default the cores there are. A step has work for at most
        four. The result is the same, to the bit, for any number.
    backend : str
        What runs the arithmetic: ``"numpy"``, ``"fused"``, which is compiled (the extra ``fast``),
        or ``"auto"``: fused where it is installed and the training is long enough for loading it to
        pay. The two agree to rounding; bits are promised for each by itself.
    checkpoints : Checkpoints, optional
        Where training is written down, so that it can go on after anything.
    on_signal : str
        Whether a signal that ended training is ``"deliver"``ed to the application afterwards, or
        training takes it as a wish to ``"finish"`` and nothing more; see `fit`.

    Attributes
    ----------
    history : History
        What was measured, epoch by epoch, and why training ended.
    steps : int
        How many updates have been made.
    position : Position
        Where training stands.
    signals : list of int
        Which signals have ended the last training.
    gradient_norm : float or None
        The Euclidean norm of the gradient at the last update.
    good_weights : array, shape (size + untrained,)
        The last weights, with what is not trained, that were seen to be good: those before the
        epoch's first update.

    Raises
    ------
    ConfigurationError
        If an option means nothing.
    """

    def __init__(
        self,
        network: Sequential,
        optimizer: Optimizer,
        learning_rate: float | Schedule,
        *,
        epochs: int = 10,
        batch_size: int | None = None,
        shuffle: bool = True,
        penalty_per_row: bool = False,
        loss: Loss | None = None,
        count_correct: bool = True,
        clip_norm: float | None = None,
        average: EMA | None = None,
        augment: Sequence[Augmentation] = (),
        transform: Transform | None = None,
        seed: int = 0,
        callbacks: Sequence[Callback] = (),
        threads: int | None = None,
        backend: str = "auto",
        checkpoints: Checkpoints | None = None,
        on_signal: OnSignal = "deliver",
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.schedule = schedule(learning_rate)
        self.epochs = require_count("epochs", epochs)
        self.batch_size = None if batch_size is None else require_count("batch_size", batch_size)
        self.shuffle, self._penalty_per_row = shuffle, penalty_per_row
        if isinstance(loss, CategoricalCrossEntropy):
            raise ConfigurationError(
                "CategoricalCrossEntropy takes probabilities, and a trainer has logits: "
                "loss=SoftmaxCrossEntropy() is the same loss of logits"
            )
        self.loss, self._loss_is_given = loss or SoftmaxCrossEntropy(), loss is not None
        self.count_correct = require_bool("count_correct", count_correct)
        self._clip_norm = None
        if clip_norm is not None:
            self._clip_norm = require_number("clip_norm", clip_norm, minimum=0.0, exclusive=True)
        self.average, self._augment = average, tuple(augment)
        self.transform = transform
        self.stream = Stream(require_count("seed", seed, minimum=0))
        self.callbacks = tuple(callbacks)
        self.threads = None if threads is None else require_count("threads", threads)
        require_known("backend", backend, BACKENDS)
        self.backend = backend
        self.checkpoints = checkpoints
        require_known("on_signal", on_signal, ON_SIGNAL)
        self.on_signal: OnSignal = on_signal
        self.signals: list[int] = []
        self.history = History()
        self.steps = 0
        self.position = Position()
        self.good_weights: Array = np.empty(0)
        self.fingerprints: dict[str, object] = {}
        self._until = 0
        self.gradient_norm: float | None = None
        self._data: Dataset | None = None
        self._validation: Dataset | None = None
        self._sample_weights: Array | None = None

    @property
    def clip_norm(self) -> float | None:
        """The largest l2 norm of a gradient; it cannot be changed."""
        return self._clip_norm

    @property
    def augment(self) -> tuple[Augmentation, ...]:
        """What changes the stored images of a step; it cannot be changed."""
        return self._augment

    @property
    def penalty_per_row(self) -> bool:
        """Whether penalties are divided by the weight of a step's rows; it cannot be changed."""
        return self._penalty_per_row

    @property
    def counts_correct(self) -> bool:
        """Whether rows that are predicted right are counted."""
        return self.count_correct and self._classifies

    @property
    def _classifies(self) -> bool:
        return isinstance(self.loss, ClassificationLoss)

    @property
    def validates(self) -> bool:
        """Whether rows are held out and measured after each epoch."""
        return self._validation is not None

    def fit(
        self,
        train: Dataset,
        validation: Dataset | float | None = None,
        *,
        sample_weights: npt.NDArray[np.floating] | None = None,
        resume: bool = False,
        warm: bool = False,
    ) -> History:
        """Train the network, from its present weights or from where a training was left.

        Ctrl-C and SIGTERM end training within about a tenth of a second, after whole steps and with
        a last checkpoint. Then the application gets the signal: its handler is called, or SIGTERM
        ends the process, also where a callback has raised. Only Ctrl-C as Python answers it has
        done its work by then, and so has any signal with ``on_signal="finish"``. A second signal
        acts at once.

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
        warm : bool
            Keep what the optimizer remembers, if it has made a step, and go on counting from
            ``steps`` and ``position``; the history begins anew.

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
        if warm and self.average is not None:
            raise ConfigurationError(
                "a warm fit goes on from the weights that training had, but the network has their "
                "average now"
            )
        snapshot = self._snapshot(resume=resume, warm=warm)
        threads = self.begin(
            train, validation, sample_weights=sample_weights, warm=warm, snapshot=snapshot
        )
        alone = self.checkpoints.alone() if self.checkpoints else nullcontext()
        with self.interruptible(), threads, alone:
            begun: list[Callback] = []
            try:
                for callback in self.callbacks:
                    callback.on_train_begin(trainer=self)
                    begun.append(callback)
                if snapshot:
                    snapshot.restore_callbacks(self)
                if self.checkpoints:
                    self.checkpoints.rehearse(self)
                self._run_epochs()
                if self.average is not None and self.history.divergence is None:
                    self.average.keep()
            finally:
                self._end(begun)
        return self.history

    def _snapshot(self, *, resume: bool, warm: bool) -> Snapshot | None:
        """Return the moment to go on from, if there is one."""
        if self.checkpoints is None:
            if resume:
                raise ConfigurationError("to resume, the trainer needs checkpoints to resume from")
            return None
        if warm:
            raise ConfigurationError("a training with checkpoints is resumed, not warm")
        if resume:
            return self.checkpoints.newest()
        self.checkpoints.require_none()
        return None

    def _end(self, begun: Sequence[Callback]) -> None:
        """Let callbacks end that have begun, whatever another does; then raise the first error."""
        errors = []
        for callback in begun:
            try:
                callback.on_train_end(trainer=self)
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def begin(
        self,
        train: Dataset,
        validation: Dataset | float | None = None,
        *,
        sample_weights: npt.NDArray[np.floating] | None = None,
        warm: bool = False,
        snapshot: Snapshot | None = None,
    ) -> Threads:
        """Make everything ready for a training, for those who want to run its epochs by hand.

        The arguments, and what raises, are those of `fit`; a snapshot is a moment to go on from.

        Returns
        -------
        Threads
            `run_epoch` needs to run inside of ``with threads:``.
        """
        self._prepare(train, validation, sample_weights)
        remembered = self.optimizer.state_dict() if warm and self.optimizer.steps else None
        self.history, self.gradient_norm = History(), None
        if remembered is None:
            self.steps, self.position = 0, Position()
        self._until = self.position.epoch + self.epochs
        started = time.perf_counter()
        backend = self._choose_backend(None if snapshot is None else snapshot.backend)
        threads = backend.threads(self.threads, LANES if snapshot is None else snapshot.lanes)
        self.optimizer.bind(self.network.parameters, backend, threads)
        if self.average is not None:
            self.average.bind(self.network.parameters, backend, threads)
        if remembered is not None:
            self.optimizer.load_state_dict(remembered)
        self._make_runner(backend, threads)
        self.history.backend, self.history.lanes = backend.name, threads.lanes
        self.history.preparation_seconds = time.perf_counter() - started
        self.good_weights = self.network.parameters.values.copy()
        self._before_epoch = self.good_weights.copy()
        self._seconds_per_step = math.inf
        if snapshot is not None:
            snapshot.restore(self)
        return threads

    def _choose_backend(self, recorded: str | None) -> Backend:
        """Return the backend. Where it may choose, a training that goes on keeps the one it had."""
        rows, size = len(self._train), self.batch_size or len(self._train)
        return choose_backend(
            recorded if recorded and self.backend == "auto" else self.backend,
            self.network.parameters.dtype,
            weights=len(self.network.parameters),
            rows=self.epochs * rows,
            steps=self.epochs * -(-rows // size),
        )

    def _make_runner(self, backend: Backend, threads: Threads) -> None:
        """Make what runs steps, with everything compiled that it needs."""
        network, transform = self.network, self.model().transform
        operations = compose(
            network,
            transform,
            self.loss,
            self.optimizer,
            penalty_per_row=self.penalty_per_row,
            clip_norm=self.clip_norm,
            average=self.average,
        )
        options = LoaderOptions(
            network.input_shape,
            network.parameters.dtype,
            transform,
            self.augment,
            self.stream.seed,
            network.stochastic,
        )
        self._objective = Objective(
            network,
            self.loss,
            options,
            backend,
            threads,
            layers=operations.layers,
            penalty_per_row=self.penalty_per_row,
            count_correct=self.count_correct,
        )
        self._objective.open(min(self.batch_size or len(self._train), len(self._train)))
        self._runner: Runner = LayerByLayer(
            self._objective, self.optimizer, clip_norm=self.clip_norm, average=self.average
        )

    def _run_epochs(self) -> None:
        while self.position.epoch < self._until and self.history.stop_reason is None:
            epoch = self.position.epoch
            record = self.run_epoch(epoch)
            if record is None:
                self.history.stopped_in = epoch
                break
            self.history.records.append(record)
            self.position = Position(epoch + 1)
            with self._saving():
                for callback in self.callbacks:
                    callback.on_epoch_end(trainer=self, record=record)
            if self.checkpoints:
                self.checkpoints.after_epoch(self)
        if self.position.epoch >= self._until:
            self.stop(StopReason.MAX_EPOCHS)
        if self.checkpoints and self.history.divergence is None:
            self.checkpoints.save(self)

    @contextmanager
    def _saving(self) -> Iterator[None]:
        """Write a checkpoint if a callback raises: its error costs no more than itself."""
        try:
            yield
        except Exception:
            if self.checkpoints:
                self.checkpoints.save(self)
            raise

    @np.errstate(over="ignore", invalid="ignore")  # looked for at every step, not warned about
    def run_epoch(self, epoch: int) -> EpochRecord | None:
        """Make one pass over the training rows; return None if it did not reach its end."""
        if self.position.epoch != epoch:
            self.position = Position(epoch)
        position = self.position  # past the first step where training was resumed
        started = time.perf_counter() - position.seconds
        order = self._order(epoch)
        while position.steps < len(order):
            if not self._run_steps(order):
                return None
            position.seconds = time.perf_counter() - started
            if self.checkpoints:
                self.checkpoints.after_step(self)
            if self.history.stop_reason is not None:
                return None
        if not math.isfinite(l2_norm(self.network.parameters.values)):  # an update may overflow
            bad = first_bad_weights(self.network) or "the sum of the weights' squares"
            self._fall_back(StopReason.NON_FINITE_WEIGHTS, bad, self.steps - 1)
            return None
        validation = self._validate()
        data_loss, penalty, accuracy = position.means()
        counted = self.counts_correct
        return EpochRecord(
            epoch=epoch,
            loss=data_loss + penalty,
            data_loss=data_loss,
            penalty=penalty,
            accuracy=accuracy if counted else None,
            learning_rate=self.schedule(self.steps - 1),
            seconds=time.perf_counter() - started,
            validation_loss=None if validation is None else validation.data_loss,
            validation_accuracy=None if validation is None or not counted else validation.accuracy,
        )

    @np.errstate(over="ignore", invalid="ignore")
    def measure(self) -> Measured:
        """Measure loss and gradient over all training rows, for those who search along a line.

        Returns
        -------
        Measured
            The gradient, penalty included, is in ``network.parameters.gradient``.
        """
        arrays = self._arrays(self._train, self._sample_weights)
        return self._objective(Batch(arrays, slice(0, len(self._train)), self.position.epoch, 0))

    def _run_steps(self, order: Order) -> bool:
        """Make the next steps of an epoch in one call; return whether training may go on.

        A call lasts about `CALL_SECONDS`, or one step where a callback looks at every step. Where
        calls are cut changes nothing.
        """
        position, values = self.position, self.network.parameters.values
        if position.steps == 0:
            np.copyto(self._before_epoch, values)
        rates = self._rates(min(self._steps_of_call(), len(order) - position.steps))
        arrays = self._arrays(self._train, self._sample_weights)
        started = time.perf_counter()
        advance = self._runner.run(arrays, order.part(position.steps, len(rates)), rates)
        self._seconds_per_step = max(time.perf_counter() - started, 1e-9) / len(rates)
        self._count(advance)
        if advance.error is not None:
            raise advance.error
        if advance.stopped is not None:
            self._fall_back(advance.stopped, advance.bad_array, self.steps)
            return False
        return True

    def _steps_of_call(self) -> int:
        """Return how many steps the next call of the runner should make."""
        return 1 if self._step_hooks() else max(1, int(CALL_SECONDS / self._seconds_per_step))

    def _step_hooks(self) -> list[Callback]:
        """Return the callbacks that look at every step."""
        return [callback for callback in self.callbacks if looks_at_steps(callback)]

    def _count(self, advance: Advance) -> None:
        """Note the steps that were made."""
        if advance.measured and self.position.steps == 0:  # the weights before were good
            self.good_weights, self._before_epoch = self._before_epoch, self.good_weights
        for measured in advance.measured:
            self.position.add(measured)
            self.gradient_norm = measured.gradient_norm
            self.steps += 1
            with self._saving():
                for callback in self._step_hooks():
                    callback.on_step_end(trainer=self, measured=measured)

    def _order(self, epoch: int) -> Order:
        rows = len(self._train)
        size = rows if self._full_batch else self.batch_size or rows
        return epoch_order(rows, size, self.stream if self.shuffle else None, epoch)

    def _arrays(self, data: Dataset, weights: Array | None = None) -> Arrays:
        return Arrays(data.inputs, data.targets, weights)

    def stop(self, reason: StopReason) -> None:
        """End training, for a reason that the history keeps.

        The first one given counts, but an interruption gives way to any other: a training that
        would have ended by itself has ended, and is not resumed.
        """
        if self.history.stop_reason in (None, StopReason.INTERRUPTED):
            self.history.stop_reason = reason

    def weights_measured(self, monitor: str) -> Array:
        """Return the values that a figure of the latest epoch belongs to: weights and untrained.

        Training figures of a full-batch epoch are measured before its update; all others belong to
        the weights after the epoch, and those of validation to their average where there is one.
        """
        values = self.network.parameters.values
        if monitor.startswith("validation"):
            return values if self.average is None else self.average.values
        return self.good_weights if self._full_batch else values

    def model(self) -> Model:
        """Return the network with its transform and the names of the classes that it learns."""
        transform = self.transform or transform_for(self._train.inputs)
        train = self._train
        return Model(
            self.network,
            transform,
            train.class_names,
            train.input_shape,
            str(train.inputs.dtype),
            train.name,
            getattr(self.loss, "output_activation", "softmax" if self._classifies else "identity"),
        )

    @property
    def _train(self) -> Dataset:
        if self._data is None:
            raise ModelError("fit the trainer first")
        return self._data

    @property
    def _full_batch(self) -> bool:
        return self.batch_size is None or self.batch_size >= len(self._train)

    def _rates(self, steps: int) -> list[float]:
        """Return the learning rates of the next steps, up to one that the schedule does not give.

        Raises
        ------
        ConfigurationError
            If it gives none for the very next step; what the schedule itself raises, likewise.
        """
        rates: list[float] = []
        for step in range(self.steps, self.steps + steps):
            try:
                rates.append(self._rate(step))
            except Exception:
                if not rates:
                    raise
                break  # the steps before it are made first
        return rates

    def _rate(self, step: int) -> float:
        rate: object = self.schedule(step)
        if not isinstance(rate, Real) or not math.isfinite(rate) or float(rate) < 0.0:
            raise ConfigurationError(
                f"the schedule gives a learning rate of {rate!r} at step {step}, "
                "and it must be a finite number of at least 0"
            )
        return float(rate)

    def _validate(self) -> Measured | None:
        if self._validation is None:
            return None
        batch = Batch(self._arrays(self._validation), slice(0, len(self._validation)))
        with self.average.in_place() if self.average is not None else nullcontext():
            return self._objective(batch, gradient=False)

    def _fall_back(self, reason: StopReason, bad_array: str, step: int) -> None:
        """Note where a step broke, and give the network back its last good weights."""
        self.history.divergence = Divergence(
            bad_array,
            self.position.epoch,
            step,
            self.schedule(max(0, self.steps - 1)),
            self.gradient_norm,
        )
        np.copyto(self.network.parameters.values, self.good_weights)
        self.stop(reason)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Have Ctrl-C and SIGTERM end training in a block, as `fit` says."""
        self.signals.clear()
        try:
            with on_interrupt(partial(self.stop, StopReason.INTERRUPTED), self.signals):
                yield
        finally:
            if self.on_signal == "deliver":
                deliver(self.signals)

    def _prepare(
        self,
        train: Dataset,
        validation: Dataset | float | None,
        sample_weights: npt.NDArray[np.floating] | None,
    ) -> None:
        if validation is not None and not isinstance(validation, Dataset):
            if sample_weights is not None:
                raise ConfigurationError(
                    "sample_weights belong to rows: hold the validation rows out yourself"
                )
            train, validation = train.split(validation, self.stream)
        for what, part in (("training", train), ("validation", validation)):
            if part is not None:
                check_data(self.network, what, part)
        if self.augment:
            check_images(train)
        if not train.has_classes and not self._loss_is_given:
            raise ConfigurationError(
                f"the rows of {train.name} have numbers as targets, not classes: "
                "name the loss, for instance loss=MeanSquaredError()"
            )
        if train.has_classes and np.count_nonzero(train.rows_per_class) < 2:
            raise DataError("the training rows hold a single class: there is nothing to learn")
        if sample_weights is not None:
            sample_weights = np.asarray(sample_weights, self.network.parameters.dtype)
            check_weights(sample_weights, len(train))
        self._data, self._validation = train, validation
        self._sample_weights = sample_weights
        if self.checkpoints:
            self.fingerprints = {
                "data": fingerprint(train),
                "validation": None if validation is None else fingerprint(validation),
                "sample_weights": None if sample_weights is None else checksum(sample_weights),
            }
