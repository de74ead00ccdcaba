"""Preparation of a training: checks data, binds the optimizer, makes objective and runner."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from threading import get_ident
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.backend import Backend, choose_backend
from handloom.data.augment import Augmentation, check_images
from handloom.data.batches import Batch, LoaderOptions, Order, epoch_order
from handloom.data.dataset import Dataset
from handloom.data.fingerprint import fingerprint
from handloom.data.overlap import are_training_rows
from handloom.data.photos.statistics import statistics_of
from handloom.data.transforms import Transform, transform_for
from handloom.errors import ConfigurationError, DataError
from handloom.losses import LOSSES, ClassificationLoss, Loss, output_activation_of, output_names_of
from handloom.losses.base import RowLoss
from handloom.model import Model
from handloom.network import Sequential
from handloom.operations import Arrays, LayerOperation
from handloom.optimizers.clipping import ClipByNorm
from handloom.parallel.partition import LANES, batch_count
from handloom.parallel.ranks import ONE, Ranks
from handloom.parallel.threads import Threads, default_threads, usable_cores
from handloom.parameters import Array
from handloom.randomness import Stream
from handloom.secondary import warn
from handloom.training.agreement import Agreement
from handloom.training.checks import check_batches, check_data, check_trainable
from handloom.training.class_weights import ClassWeight
from handloom.training.compiled_runner import (
    CompiledRunner,
    CompiledRunnerOptions,
    compiled_runner,
)
from handloom.training.datasets import check_same_names, check_same_rows, require_dataset
from handloom.training.distribution import Distribution, idle_ranks
from handloom.training.divergence import largest_values
from handloom.training.objective import Measurement, Objective
from handloom.training.options import TrainingOptions
from handloom.training.probe import Probe
from handloom.training.remarks import remarks
from handloom.training.resume import configuration, record_own_parts
from handloom.training.row_weights import RowWeights
from handloom.training.runner import Runner, StepRunner
from handloom.training.same_training import (
    RowWeightArguments,
    check_same_training,
    differing_environments,
)
from handloom.training.snapshot import Snapshot
from handloom.training.state import DEFAULT_LOSS, Stateful, TrainingState
from handloom.training.step import compose
from handloom.training.warm_start import WarmStart

TRAINING_ROWS = (
    "the validation rows are training rows: validation metrics do not show how the network does on "
    "other rows"
)
"""The warning about a validation set that is part of the training set, and its note."""

ROWS_PER_UPDATE = 32
"""The approximate cost of an update of the weights, in rows of which each weight is one product."""


@dataclass
class PreparedTraining:
    """A training that is ready to run.

    Attributes
    ----------
    state : TrainingState
    arrays : Arrays
        The training rows.
    objective : Objective
    runner : Runner
    threads : Threads
        Steps run inside ``with prepared.threads:``.
    agreement : Agreement
        Has the ranks follow rank 0.
    validation_weights : array, shape (n,), or None
        The weights of the validation rows.
    snapshot : Snapshot or None
        The snapshot that training resumes from.
    probe : Probe or None
        Measures the training, with the option ``diagnose``; on rank 0.
    seconds_per_step : float
        The mean time of a step in the latest call of the runner; infinite before the first.
    """

    state: TrainingState
    arrays: Arrays
    objective: Objective
    runner: Runner
    threads: Threads
    agreement: Agreement
    validation_weights: Array | None = None
    snapshot: Snapshot | None = None
    probe: Probe | None = None
    seconds_per_step: float = math.inf
    _thread: int | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the training in this thread until the end of the block, with its parts in use."""
        self._thread = get_ident()
        try:
            yield
        finally:
            self._thread = None

    @property
    def runs_in_this_thread(self) -> bool:
        """Whether this thread is inside of `running`."""
        return self._thread == get_ident()

    def order(self, epoch: int) -> Order:
        """Return the order of the rows of an epoch."""
        rows, options = len(self.arrays.inputs), self.state.options
        size = min(options.batch_size or rows, rows)
        stream = Stream(options.seed) if options.shuffle else None
        return epoch_order(rows, size, stream, epoch, fewest=self.state.network.fewest_rows)

    def due_probe(self, epoch: int) -> Probe | None:
        """Return the probe if it measures after an epoch, counted from 0."""
        return self.probe if self.probe is not None and self.probe.due(epoch) else None

    def largest_values(self) -> tuple[float, float]:
        """Return the largest absolute values of inputs and targets; see `Divergence`."""
        return largest_values(self.arrays, self.state.model.transform, self.state.network)

    def measure_validation(self) -> Measurement | None:
        """Measure the validation rows, if there are any, with the network's current weights."""
        data = self.state.validation
        if data is None:
            return None
        arrays = Arrays(data.inputs, data.targets, self.validation_weights)
        batch = Batch(arrays, slice(0, len(data)))
        return self.objective(batch, gradient=False)


def prepare(
    network: Sequential,
    options: TrainingOptions,
    train: Dataset,
    validation: Dataset | float | None = None,
    *,
    sample_weights: npt.ArrayLike | None = None,
    validation_weights: npt.ArrayLike | None = None,
    class_weight: ClassWeight | None = None,
    callbacks: Mapping[str, Stateful] | None = None,
    check: Callable[[TrainingState], None] = lambda _: None,
    compiling: Callable[[TrainingState], AbstractContextManager[None]] = lambda _: nullcontext(),
    fingerprint_data: bool = False,
    snapshot: Snapshot | None = None,
    warm: WarmStart | None = None,
    ranks: Ranks = ONE,
    signals: list[int] | None = None,
) -> PreparedTraining:
    """Prepare a training, from the network's weights or from a snapshot.

    Parameters
    ----------
    network : Sequential
        Built.
    options : TrainingOptions
    train, validation, sample_weights, validation_weights, class_weight
        As in `Trainer.fit`.
    callbacks : mapping of str to Stateful, optional
        The callbacks that have a state.
    check : callable
        Raises an error for an unsuitable training, before anything is changed.
    compiling : callable
        Returns the block in which code is compiled; see `handloom.compilation`.
    fingerprint_data : bool
        Whether to compute fingerprints of the data and to record own parts, which checkpoints need;
        several ranks compare them in any case.
    snapshot : Snapshot, optional
        The snapshot to resume from.
    warm : WarmStart, optional
        The initial weights and state of the optimizer.
    ranks : Ranks
        Share the training; each of them makes this call.
    signals : list of int, optional
        Receives the signals of this process.

    Returns
    -------
    PreparedTraining

    Raises
    ------
    ConfigurationError, DataError, ModelError
        As in `Trainer.fit`.
    """
    if snapshot is not None and warm is not None:
        raise ConfigurationError("a training is resumed or starts warm, not both")
    split_here = not isinstance(validation, Dataset)  # then no row is in both parts
    train, validation = _split_and_check(
        network, options, train, validation, weights=(sample_weights, validation_weights)
    )
    weights = RowWeights.of(
        train,
        validation,
        sample_weights=sample_weights,
        validation_weights=validation_weights,
        class_weight=class_weight,
        dtype=network.parameters.dtype,
    )
    if warm is not None:
        warm.check(network, options.chosen_optimizer)
    compared = fingerprint_data or ranks.size > 1
    size = min(options.batch_size or len(train), len(train))
    loss = options.chosen_loss or DEFAULT_LOSS
    batches = batch_count(len(train), size, network.fewest_rows)
    state = TrainingState(
        replace(
            model_for(network, loss, train, options.chosen_transform),
            image_statistics=statistics_of(train),
        ),
        options,
        full_batch=batches == 1,
        validation=validation,
        callbacks=callbacks or {},
        data_fingerprints=_fingerprints(train, validation, weights) if compared else {},
    )
    started, planned = time.perf_counter(), options.epochs * batches
    with compiling(state):
        wanted = snapshot.backend if snapshot and options.backend == "auto" else options.backend
        backend = _backend(wanted, network, options.epochs * len(train), planned, ranks)
        count = options.threads or default_threads(options.lanes, ranks.sharing_cores)
        threads = backend.threads(count, options.lanes)
        state.history.backend, state.history.lanes = backend.name, threads.lanes
        if compared:
            record_own_parts(state, planned, complete=fingerprint_data)
        notes, warned = snapshot.compare(state) if snapshot and ranks.leads else ([], [])
        if not split_here and validation is not None and are_training_rows(train, validation):
            warned.append(TRAINING_ROWS)
        transform = state.model.transform
        warned += remarks(network, loss, transform, train, options.schedule, planned)
        notes += _warn_of(warned)
        check(state)
        if warm is not None:  # everything was checked before anything is changed
            network.parameters.load(warm.weights)
            state.store_initial_weights()
        for part in (options.chosen_optimizer, options.average):
            if part is not None:
                part.bind(network.parameters, backend, threads)
        state.store_bindings()
        arrays = Arrays(train.inputs, train.targets, weights.train)
        objective, runner = _objective_and_runner(state, arrays, backend, threads, size, ranks)
        state.history.preparation_seconds = time.perf_counter() - started
    notes += backend.notes
    if snapshot:
        snapshot.restore(state)
    state.history.ranks = ranks.size
    state.history.compiled_steps = isinstance(runner, CompiledRunner)
    state.history.notes += [note for note in notes if note not in state.history.notes]
    if warm is not None:
        options.chosen_optimizer.load_state_dict(warm.optimizer)
    shared = Distribution(
        ranks.hosts,
        threads.threads,
        size,
        objective.lanes(size),
        ranks.sharing_cores,
        len(usable_cores()),
    )
    alike = options.distributed is None or _check_ranks(state, ranks, shared)
    probe = _probe(state, arrays, -(-len(train) // size)) if ranks.leads else None
    agreement = Agreement(state, ranks, signals, alike=alike)
    return PreparedTraining(
        state,
        arrays,
        objective,
        runner,
        threads,
        agreement,
        validation_weights=weights.validation,
        snapshot=snapshot,
        probe=probe,
    )


def _check_ranks(state: TrainingState, ranks: Ranks, shared: Distribution) -> bool:
    """Refuse ranks with another training; return whether all of them compute the same bits."""
    # own parts as they were: rank 0 alone may have called some of them since
    check_same_training(ranks, {**configuration(state), "own": state.own_parts})
    state.distribution = shared
    unlike = differing_environments(ranks)
    state.history.notes += _warn_of(unlike + idle_ranks(shared))
    return not unlike


def _probe(state: TrainingState, arrays: Arrays, steps: int) -> Probe | None:
    """Return the probe of a training that is diagnosed."""
    if not state.options.diagnose:
        return None
    probe = Probe(state, arrays, steps)
    probe.begin()
    return probe


def _backend(name: str, network: Sequential, rows: int, steps: int, ranks: Ranks) -> Backend:
    """Return the backend of a training, for so many rows and steps: that of rank 0."""
    choose = partial(
        choose_backend,
        dtype=network.parameters.dtype,
        work=_work(network, rows, steps),
    )
    own = choose(name)
    chosen = ranks.share(own.name)
    return own if chosen == own.name else choose(chosen)


def _work(network: Sequential, rows: int, steps: int) -> int:
    """Return the multiplications of forward passes and, in kind, those of updates."""
    return network.multiplications * rows + len(network.parameters) * ROWS_PER_UPDATE * steps


def _warn_of(remarks: list[str]) -> list[str]:
    """Give a warning for each remark, and return the remarks."""
    for remark in remarks:
        warn(remark, stacklevel=6)  # the caller of `Trainer.fit`
    return remarks


def model_for(
    network: Sequential, loss: Loss, train: Dataset, transform: Transform | None = None
) -> Model:
    """Return a network with its transform and the names of its classes or outputs."""
    return Model(
        network,
        transform or transform_for(train.inputs),
        output_names_of(loss, train.class_names),
        train.input_shape,
        str(train.inputs.dtype),
        train.name,
        output_activation_of(loss, network.output_activation),
        train.column_names,
        columns=train.columns,
    )


def make_objective(
    model: Model,
    loss: Loss,
    backend: Backend,
    threads: Threads,
    *,
    rows: int,
    seed: int = 0,
    augment: tuple[Augmentation, ...] = (),
    layers: Sequence[LayerOperation] | None = None,
    penalty_per_row: bool = False,
    count_correct: bool = True,
    shard_rows: int | None = None,
    ranks: Ranks = ONE,
) -> Objective:
    """Return the objective, which computes the loss and the gradient of a batch.

    Its functions are fetched from the backend, and compiled if the backend compiles.

    Parameters
    ----------
    model : Model
    loss : Loss
    backend : Backend
    threads : Threads
    rows : int
        The rows of a batch.
    seed : int
        The seed of random draws in a step.
    augment : tuple of Augmentation
    layers, penalty_per_row, count_correct, ranks
        As in `Objective`.
    shard_rows : int, optional
        The most rows of a shard.

    Returns
    -------
    Objective
        With its lanes made for batches of ``rows`` rows.
    """
    network = model.before_loss
    loading = LoaderOptions(
        network.input_shape,
        network.parameters.dtype,
        model.transform,
        augment,
        seed,
        network.stochastic,
    )
    objective = Objective(
        network,
        loss,
        loading,
        backend,
        threads,
        layers=layers,
        penalty_per_row=penalty_per_row,
        count_correct=count_correct,
        most_rows=shard_rows,
        ranks=ranks,
    )
    objective.prepare_lanes(rows)
    return objective


def full_batch_objective(
    network: Sequential,
    loss: Loss,
    data: Dataset,
    sample_weights: Array | None = None,
    *,
    penalty_per_row: bool = False,
    threads: int | None = None,
    backend: str = "auto",
    expected_calls: int = 1,
) -> tuple[Callable[[], Measurement], Threads]:
    """Return loss and gradient over all rows as a function, for full-batch methods such as L-BFGS.

    Parameters
    ----------
    network : Sequential
        Built. The function uses its current weights, and writes the gradient into its gradient
        vector.
    loss : Loss
    data : Dataset
    sample_weights : array, shape (n,), optional
    penalty_per_row, threads, backend
        As in `TrainingOptions`.
    expected_calls : int
        About how often the function will be called; ``"auto"`` uses it to choose the backend.

    Returns
    -------
    measure : callable
    threads : Threads
        ``measure`` is called inside ``with threads:``.
    """
    parameters, rows = network.parameters, len(data)
    chosen = choose_backend(
        backend,
        parameters.dtype,
        work=_work(network, expected_calls * rows, expected_calls),
    )
    pool = chosen.threads(threads, LANES)
    model = model_for(network, loss, data)
    objective = make_objective(
        model,
        loss,
        chosen,
        pool,
        rows=rows,
        layers=model.before_loss.operations(),
        penalty_per_row=penalty_per_row,
        count_correct=False,
    )
    arrays = Arrays(data.inputs, data.targets, sample_weights)
    return partial(objective, Batch(arrays, slice(0, rows))), pool


def _objective_and_runner(
    state: TrainingState,
    arrays: Arrays,
    backend: Backend,
    threads: Threads,
    size: int,
    ranks: Ranks,
) -> tuple[Objective, Runner]:
    """Return the objective of a training, and the runner of its steps."""
    options = state.options
    clip = None if options.clip_norm is None else ClipByNorm(options.clip_norm)
    operations = compose(
        state.model.before_loss,
        state.model.transform,
        state.loss,
        options.chosen_optimizer,
        penalty_per_row=options.penalty_per_row,
        clip=clip,
        average=options.average,
        seed=options.seed,
    )
    objective = make_objective(
        state.model,
        state.loss,
        backend,
        threads,
        rows=size,
        seed=options.seed,
        augment=tuple(options.augment),
        layers=operations.layers,
        penalty_per_row=options.penalty_per_row,
        count_correct=options.count_correct,
        shard_rows=options.shard_rows,
        ranks=ranks,
    )
    steps = StepRunner(objective, options.chosen_optimizer, clip=clip, average=options.average)
    if not isinstance(objective.loss, RowLoss):
        return objective, steps
    order = epoch_order(len(arrays.targets), size, None, 0, fewest=state.network.fewest_rows)
    compiled = CompiledRunnerOptions(
        operations, objective.loss, backend, threads, order.most_rows, state.counts_correct
    )
    return objective, compiled_runner(steps, arrays, compiled)


def _split_and_check(
    network: Sequential,
    options: TrainingOptions,
    train: Dataset,
    validation: Dataset | float | None,
    *,
    weights: RowWeightArguments,
) -> tuple[Dataset, Dataset | None]:
    """Return training and validation rows, if they match and no row weights need a split."""
    require_dataset("train", train)
    if validation is not None and not isinstance(validation, float | int | np.number):
        require_dataset("validation", validation)
    if validation is not None and not isinstance(validation, Dataset):
        for name, each in zip(("sample_weights", "validation_weights"), weights, strict=True):
            if each is not None:
                raise ConfigurationError(
                    f"validation must be a Dataset if there are {name}, got a fraction"
                )
        train, validation = train.split(validation, Stream(options.seed))
    loss = options.chosen_loss or DEFAULT_LOSS
    check_data(network, "training", train, output_names_of(loss, train.class_names))
    if validation is not None:
        check_same_names(train, validation)
        names = output_names_of(loss, validation.class_names)
        check_data(network, "validation", validation, names)
        check_same_rows(train, validation)
    check_batches(network, len(train), options.batch_size)
    if options.augment:
        check_images(train)
    if not train.has_classes and options.loss is None:
        if _are_one_hot(train.targets):
            raise ConfigurationError(
                f"the targets of {train.name} are one-hot rows of {train.targets.dtype}, which "
                f"are continuous targets: for classes pass targets.argmax(axis=1); for several "
                f"labels a row, loss=BinaryCrossEntropy()"
            )
        raise ConfigurationError(
            f"loss must be set for the continuous targets of {train.name}, "
            "for instance loss=MeanSquaredError(); if they are classes, pass integers: "
            "targets.astype(int), or targets.argmax(axis=1) of one-hot rows"
        )
    if train.has_classes and _takes_continuous_targets(options.chosen_loss):
        raise ConfigurationError(
            f"{type(options.loss).__name__} takes continuous targets, and those of {train.name} "
            "are classes: if they are not, pass targets.astype('float32'); else another loss, such "
            "as SoftmaxCrossEntropy()"
        )
    check_trainable(network, loss, train)
    if train.has_classes and np.count_nonzero(train.rows_per_class) < 2:
        raise DataError("the training rows must have at least two classes, got a single class")
    return train, validation


def _takes_continuous_targets(loss: Loss | None) -> bool:
    """Return whether a loss of the library takes continuous targets only."""
    return type(loss) in LOSSES.values() and not isinstance(loss, ClassificationLoss)


def _fingerprints(
    train: Dataset, validation: Dataset | None, weights: RowWeights
) -> dict[str, Any]:
    return {
        "data": fingerprint(train),
        "validation": None if validation is None else fingerprint(validation),
        **weights.fingerprints(train.class_names),
    }


def _are_one_hot(targets: npt.NDArray[np.floating]) -> bool:
    """Return whether each row of targets, shape (n, k), holds a single 1 and zeros."""
    binary = ((targets == 0.0) | (targets == 1.0)).all()
    return targets.shape[1] > 1 and bool(binary) and bool((targets.sum(axis=1) == 1.0).all())
