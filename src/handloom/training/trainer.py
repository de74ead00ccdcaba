"""The training loop: ``fit`` runs epochs, an epoch runs steps, a step descends once."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from numbers import Real

import numpy as np
import numpy.typing as npt

from handloom.data.augment import Augmentation, StepAugmentation, check_images
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
from handloom.kernels import Kernels
from handloom.losses import (
    CategoricalCrossEntropy,
    ClassificationLoss,
    Loss,
    SoftmaxCrossEntropy,
)
from handloom.model import Model
from handloom.network import Sequential
from handloom.optimizers import Optimizer
from handloom.parameters import Array, length
from handloom.randomness import Purpose, Stream
from handloom.schedules import Schedule, schedule
from handloom.training.averaging import EMA
from handloom.training.callbacks import Callback
from handloom.training.checkpoints import Checkpoints
from handloom.training.checks import check_data, check_weights
from handloom.training.divergence import Divergence
from handloom.training.history import EpochRecord, History, StopReason
from handloom.training.interrupts import on_interrupt
from handloom.training.kernel_choice import NAMES, choose
from handloom.training.objective import Batch, Measured, Objective, Rows
from handloom.training.position import Position
from handloom.training.snapshot import Snapshot
from handloom.training.workers import Workers


class Trainer:
    """Trains a network.

    Parameters
    ----------
    network : Sequential
        A built network that ends in logits or in a softmax.
    optimizer : Optimizer
        The update rule; `fit` binds it anew.
    learning_rate : float or schedule
        A rate, or a function from the step, counted from 0, to a rate.
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
    kernels : str
        Whose inner loops to use: ``"numpy"``, ``"fused"`` (the extra ``fast``), or ``"auto"``:
        fused where they are installed and the job is long enough for loading them to pay. The two
        agree to rounding; bits are promised for each by itself.
    checkpoints : Checkpoints, optional
        Where training is written down, so that it can go on after anything.

    Attributes
    ----------
    history : History
        What was measured, epoch by epoch, and why training ended.
    steps : int
        How many updates have been made.
    position : Position
        Where training stands.
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
        kernels: str = "auto",
        checkpoints: Checkpoints | None = None,
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.schedule = schedule(learning_rate)
        self.epochs = require_count("epochs", epochs)
        self.batch_size = None if batch_size is None else require_count("batch_size", batch_size)
        self.shuffle, self.penalty_per_row = shuffle, penalty_per_row
        if isinstance(loss, CategoricalCrossEntropy):
            raise ConfigurationError(
                "CategoricalCrossEntropy takes probabilities, and a trainer has logits: "
                "loss=SoftmaxCrossEntropy() is the same loss of logits"
            )
        self.loss, self._loss_is_given = loss or SoftmaxCrossEntropy(), loss is not None
        self.count_correct = require_bool("count_correct", count_correct)
        self.clip_norm = None
        if clip_norm is not None:
            self.clip_norm = require_number("clip_norm", clip_norm, minimum=0.0, exclusive=True)
        self.average, self.augment = average, tuple(augment)
        self.transform = transform
        self.stream = Stream(require_count("seed", seed, minimum=0))
        self.callbacks = tuple(callbacks)
        self.threads = None if threads is None else require_count("threads", threads)
        require_known("set of kernels", kernels, NAMES)
        self.kernels = kernels
        self.checkpoints = checkpoints
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

        Ctrl-C and SIGTERM end training after the step it is in. A loss or gradient that is not
        finite ends it before the update, weights that are not finite end it after the epoch; then
        the network gets back the last weights that were seen to be good: those before the first
        update of the epoch, or of the epoch before. ``history.divergence`` names what broke.

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
        workers = self.begin(
            train, validation, sample_weights=sample_weights, warm=warm, snapshot=snapshot
        )
        alone = self.checkpoints.alone() if self.checkpoints else nullcontext()
        with workers, alone, on_interrupt(self._interrupt):
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
    ) -> Workers:
        """Make everything ready for a training, for those who want to run its epochs by hand.

        The arguments, and what raises, are those of `fit`; a snapshot is a moment to go on from.

        Returns
        -------
        Workers
            `run_epoch` needs to run inside of ``with workers:``.
        """
        self._prepare(train, validation, sample_weights)
        remembered = self.optimizer.state_dict() if warm and self.optimizer.steps else None
        self.history, self.gradient_norm = History(), None
        if remembered is None:
            self.steps, self.position = 0, Position()
        self._until = self.position.epoch + self.epochs
        kernels = self._choose_kernels(None if snapshot is None else snapshot.kernels)
        workers = Workers(self.threads, kernels.wait)
        shared = kernels.sharing(workers.run, workers.lend)
        self.optimizer.bind(self.network.parameters, shared)
        if self.average is not None:
            self.average.bind(self.network.parameters, shared)
        if remembered is not None:
            self.optimizer.load_state_dict(remembered)
        self.good_weights = self.network.parameters.values.copy()
        self._objective = Objective(
            self.network,
            self.loss,
            self.model().transform,
            workers,
            shared,
            penalty_per_row=self.penalty_per_row,
            count_correct=self.count_correct,
        )
        if snapshot is not None:
            snapshot.restore(self)
        return workers

    def _choose_kernels(self, recorded: str | None) -> Kernels:
        """Return the kernels, ready to run; the history says which, and how long that took.

        Where the trainer may choose, a training that goes on keeps those that it had.
        """
        started = time.perf_counter()
        rows, size = len(self._train), self.batch_size or len(self._train)
        kernels = choose(
            recorded if recorded and self.kernels == "auto" else self.kernels,
            weights=len(self.network.parameters),
            rows=self.epochs * rows,
            steps=self.epochs * -(-rows // size),
        )
        network = self.network
        kernels.prepare(network.parameters.dtype, images=network.images, plain=network.plain)
        self.history.kernels = kernels.name
        self.history.preparation_seconds = time.perf_counter() - started
        return kernels

    def _run_epochs(self) -> None:
        while self.position.epoch < self._until and self.history.stop_reason is None:
            epoch = self.position.epoch
            record = self.run_epoch(epoch)
            if record is None:
                self.history.stopped_in = epoch
                break
            self.history.records.append(record)
            self.position = Position(epoch + 1)
            self._tell_callbacks(record)
            if self.checkpoints:
                self.checkpoints.after_epoch(self)
        if self.position.epoch >= self._until:
            self.stop(StopReason.MAX_EPOCHS)
        if self.checkpoints and self.history.divergence is None:
            self.checkpoints.save(self)

    def _tell_callbacks(self, record: EpochRecord) -> None:
        """Run callbacks after an epoch; an error in one of them costs no more than itself."""
        try:
            for callback in self.callbacks:
                callback.on_epoch_end(trainer=self, record=record)
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
        for place, rows in enumerate(self._batches(epoch)):
            if place < position.steps:
                continue
            measured = self.train_step(rows, epoch, place)
            if measured is None:
                return None
            position.add(measured)
            position.seconds = time.perf_counter() - started
            if self.checkpoints:
                self.checkpoints.after_step(self)
            if self.history.stop_reason is not None:
                return None
        if not math.isfinite(length(self.network.parameters.values)):  # an update may overflow
            none = self._batch(slice(0, 0), epoch, position.steps)
            self._fall_back(StopReason.NON_FINITE_WEIGHTS, none, self.steps - 1)
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
        return self._objective(self._batch(slice(0, len(self._train)), self.position.epoch, 0))

    def train_step(self, rows: Rows, epoch: int, place: int) -> Measured | None:
        """Measure loss and gradient of some rows and, if they are finite, update the weights once.

        Numbers that overflow are looked for; `run_epoch` has NumPy not warn of them.

        Parameters
        ----------
        rows : slice or integer array
            The training rows of this step.
        epoch, place : int
            The epoch, and the step's place in it.

        Returns
        -------
        Measured or None
            None where training ended instead of an update.
        """
        parameters, batch = self.network.parameters, self._batch(rows, epoch, place)
        measured = self._objective(batch)
        norm = measured.gradient_norm
        if not math.isfinite(measured.loss):
            reason = StopReason.NON_FINITE_LOSS
        elif not math.isfinite(norm):
            reason = StopReason.NON_FINITE_GRADIENT
        else:
            if place == 0:
                np.copyto(self.good_weights, parameters.values)
            self.gradient_norm = norm
            if self.clip_norm is not None and norm > self.clip_norm:
                parameters.gradient *= self.clip_norm / norm
            self.optimizer.step(self._rate())
            self._objective.commit_statistics()
            if self.average is not None:
                self.average.update()
            self.steps += 1
            return measured
        self._fall_back(reason, batch, self.steps)
        return None

    def _batch(self, rows: Rows, epoch: int, place: int) -> Batch:
        """Return training rows with what their step draws from, if anything draws."""
        stream = augment = None
        if self.network.stochastic:
            stream = self.stream.at(Purpose.LAYER, epoch, place)
        if self.augment:
            changes = self.stream.at(Purpose.AUGMENT, epoch, place)
            augment = StepAugmentation(self.augment, changes, epoch)
        train = self._train
        return Batch(train.inputs, train.targets, rows, self._sample_weights, stream, augment)

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

    def _batches(self, epoch: int) -> Iterator[Rows]:
        rows = len(self._train)
        size = rows if self._full_batch else self.batch_size or rows
        if size == rows or not self.shuffle:
            yield from (slice(start, min(start + size, rows)) for start in range(0, rows, size))
            return
        order = self.stream.at(Purpose.SHUFFLE, epoch).generator().permutation(rows)
        for start in range(0, rows, size):
            yield order[start : start + size]

    def _rate(self) -> float:
        rate: object = self.schedule(self.steps)
        if not isinstance(rate, Real) or not math.isfinite(rate) or rate < 0.0:
            raise ConfigurationError(
                f"the schedule gives a learning rate of {rate!r} at step {self.steps}, "
                "and it must be a finite number of at least 0"
            )
        return float(rate)

    def _validate(self) -> Measured | None:
        if self._validation is None:
            return None
        held = self._validation
        batch = Batch(held.inputs, held.targets, slice(0, len(held)), None)
        with self.average.in_place() if self.average is not None else nullcontext():
            return self._objective(batch, gradient=False)

    def _fall_back(self, reason: StopReason, batch: Batch, step: int) -> None:
        """Find out where a step broke, and give the network back its last good weights."""
        self.history.divergence = Divergence(
            self._objective.first_bad_array(batch),
            self.position.epoch,
            step,
            self.schedule(max(0, self.steps - 1)),
            self.gradient_norm,
        )
        np.copyto(self.network.parameters.values, self.good_weights)
        self.stop(reason)

    def _interrupt(self) -> None:
        self.stop(StopReason.INTERRUPTED)

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
