"""Preparation of a training: everything is checked, then bound and made."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, replace
from threading import get_ident
from typing import Any

import numpy as np

from handloom.backend import Backend
from handloom.data.batches import Batch, Order, epoch_order
from handloom.data.dataset import Dataset
from handloom.data.fingerprint import fingerprint
from handloom.data.overlap import are_training_rows
from handloom.data.photos.statistics import statistics_of
from handloom.errors import ConfigurationError
from handloom.model import Model
from handloom.network import Sequential
from handloom.operations import Arrays
from handloom.parallel.partition import batch_count
from handloom.parallel.ranks import ONE, Ranks
from handloom.parallel.threads import Threads, default_threads, usable_cores
from handloom.parameters import Array
from handloom.randomness import Stream
from handloom.secondary import warn
from handloom.training.agreement import Agreement
from handloom.training.checks import split_and_check
from handloom.training.compiled_runner import CompiledRunner
from handloom.training.distribution import Distribution, idle_ranks
from handloom.training.divergence import largest_values
from handloom.training.objective import Measurement, Objective
from handloom.training.objective_making import backend_for, model_for, objective_and_runner
from handloom.training.options import TrainingOptions
from handloom.training.own_losses import check_own_loss
from handloom.training.probe import Probe
from handloom.training.remarks import remarks
from handloom.training.resume import configuration, record_own_parts
from handloom.training.row_weights import RowWeights
from handloom.training.runner import Runner
from handloom.training.same_training import check_same_training, differing_environments
from handloom.training.snapshot import Snapshot
from handloom.training.state import Stateful, TrainingState
from handloom.training.training_data import TrainingData
from handloom.training.warm_start import WarmStart

TRAINING_ROWS = (
    "the validation rows are training rows: validation metrics do not show how the network does on "
    "other rows"
)
"""The warning about a validation set that is part of the training set, and its note."""


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
    _weights_at_error: Array | None = None
    _callbacks_at_error: dict[str, Any] | None = None

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

    def restore_weights(self) -> None:
        """Restore the weights at the error of an earlier run, if there was one."""
        if self._weights_at_error is not None:
            np.copyto(self.state.parameters.values, self._weights_at_error)
            self._weights_at_error = None

    @contextmanager
    def restored_callbacks(self) -> Iterator[None]:
        """Restore the callbacks, which have begun; keep them, and the weights, at an error.

        After the block `on_train_end` changes both, and another run goes on from before it. If a
        callback cannot be kept, the training has ended.
        """
        state = self.state
        if self._callbacks_at_error is not None:
            state.load_callbacks(self._callbacks_at_error)
        elif self.snapshot is not None:
            self.snapshot.restore_callbacks(state)
        try:
            yield
        except BaseException as error:
            try:
                self._callbacks_at_error = deepcopy(state.states_of_callbacks())
                self._weights_at_error = state.parameters.values.copy()
            except BaseException as another:
                state.ended = True
                error.add_note(f"then the states of callbacks could not be kept: {another!r}")
            raise

    def goes_on(self) -> bool:
        """Return whether training has another step on rank 0; every rank makes this call.

        The others take over changes on rank 0, and training ends with their signals.

        Raises
        ------
        RankError
            If the training has failed on another rank.
        """
        return self.agreement.decide(self.state.is_running)

    def order(self, epoch: int) -> Order:
        """Return the order of the rows of an epoch."""
        rows, options = len(self.arrays.inputs), self.state.options
        size = options.rows_per_batch(rows)
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
    data: TrainingData,
    *,
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
    data : TrainingData
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
    train, validation = split_and_check(network, options, data)
    weights = RowWeights.of(train, validation, data, network.parameters.dtype)
    if warm is not None:
        warm.check(network, options.chosen_optimizer)
    size = options.rows_per_batch(len(train))
    epoch_steps = batch_count(len(train), size, network.fewest_rows)
    steps = options.epochs * epoch_steps
    compared = fingerprint_data or ranks.size > 1
    state = TrainingState(
        _model(network, options, train),
        options,
        full_batch=epoch_steps == 1,
        validation=validation,
        callbacks=callbacks or {},
        data_fingerprints=_fingerprints(train, validation, weights) if compared else {},
    )
    arrays = Arrays(train.inputs, train.targets, weights.train)
    check_own_loss(state.loss, state.model, arrays)
    started = time.perf_counter()
    with compiling(state):
        backend, threads = _backend_and_threads(state, len(train), steps, snapshot, ranks)
        if compared:
            record_own_parts(state, steps, complete=fingerprint_data)
        notes, warned = snapshot.compare(state) if snapshot and ranks.leads else ([], [])
        passed = data.validation  # rows that were split off are in one part alone
        if isinstance(passed, Dataset) and are_training_rows(train, passed):
            warned.append(TRAINING_ROWS)
        warned += remarks(
            network, state.loss, state.model.transform, train, options.schedule, steps
        )
        notes += _warn_of(warned)
        check(state)  # before weights, optimizer or average change
        _bind(state, backend, threads, warm)
        objective, runner = objective_and_runner(state, arrays, backend, threads, size, ranks)
        state.history.preparation_seconds = time.perf_counter() - started
    if snapshot:
        snapshot.restore(state)
    history = state.history
    history.ranks, history.compiled_steps = ranks.size, isinstance(runner, CompiledRunner)
    history.notes += [each for each in [*notes, *backend.notes] if each not in history.notes]
    alike = options.distributed is None or _check_ranks(
        state, ranks, threads=threads.threads, rows=size, lanes=objective.lanes(size)
    )
    return PreparedTraining(
        state,
        arrays,
        objective,
        runner,
        threads,
        Agreement(state, ranks, signals, alike=alike),
        validation_weights=weights.validation,
        snapshot=snapshot,
        probe=_probe(state, arrays, epoch_steps) if ranks.leads else None,
    )


def _model(network: Sequential, options: TrainingOptions, train: Dataset) -> Model:
    """Return the network with its transform, the names of its classes and image statistics."""
    model = model_for(network, options.chosen_loss, train, options.chosen_transform)
    return replace(model, image_statistics=statistics_of(train))


def _backend_and_threads(
    state: TrainingState, rows: int, steps: int, snapshot: Snapshot | None, ranks: Ranks
) -> tuple[Backend, Threads]:
    """Choose the backend, which is that of rank 0, and its threads; note both in the history.

    ``rows`` are those of an epoch, ``steps`` those of the training. Every rank makes this call.
    """
    options, name = state.options, state.options.backend
    if snapshot is not None and name == "auto":
        name = snapshot.backend
    backend = backend_for(
        name, state.network, options.epochs * rows, steps, ranks, options.fused_from
    )
    count = options.threads or default_threads(options.lanes, ranks.sharing_cores)
    threads = backend.threads(count, options.lanes)
    state.history.backend, state.history.lanes = backend.name, threads.lanes
    return backend, threads


def _bind(state: TrainingState, backend: Backend, threads: Threads, warm: WarmStart | None) -> None:
    """Bind optimizer and average to the network, with weights and state of a warm start.

    If the optimizer refuses them, the network keeps its weights.
    """
    parameters, optimizer = state.network.parameters, state.options.chosen_optimizer
    before = parameters.values.copy()
    try:
        if warm is not None:
            parameters.load(warm.weights)  # an optimizer of one's own may read them in `bind`
        optimizer.bind(parameters, backend, threads)
        if warm is not None:
            optimizer.load_state_dict(warm.optimizer)
    except BaseException:
        np.copyto(parameters.values, before)
        raise
    if warm is not None:
        state.store_initial_weights()
    if state.options.average is not None:
        state.options.average.bind(parameters, backend, threads)
    state.store_bindings()


def _check_ranks(
    state: TrainingState, ranks: Ranks, *, threads: int, rows: int, lanes: int
) -> bool:
    """Refuse ranks with another training; return whether all of them compute the same bits."""
    # own parts as they were: rank 0 alone may have called some of them since
    check_same_training(ranks, {**configuration(state), "own": state.own_parts})
    shared = Distribution(
        ranks.hosts, threads, rows, lanes, ranks.sharing_cores, len(usable_cores())
    )
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


def _warn_of(remarks: list[str]) -> list[str]:
    """Give a warning for each remark, and return the remarks."""
    for remark in remarks:
        warn(remark)
    return remarks


def _fingerprints(
    train: Dataset, validation: Dataset | None, weights: RowWeights
) -> dict[str, Any]:
    return {
        "data": fingerprint(train),
        "validation": None if validation is None else fingerprint(validation),
        **weights.fingerprints(train.class_names),
    }
