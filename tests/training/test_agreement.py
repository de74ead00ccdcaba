"""All ranks of a training follow rank 0, and an error on one of them ends it on all.

Here ranks are threads of one process; `tests.parallel.test_mpi` has processes.
"""

import copy
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.digest_cases import digest
from tests.helpers.ranks import Meeting, ThreadRanks, on_ranks, threads_for_mpi
from tests.helpers.training import BACKENDS, HELD_OUT, ROWS, At
from tests.training.helpers import StopAt

from handloom import (
    SGD,
    Adam,
    BatchNorm,
    BestWeights,
    Callback,
    Checkpoints,
    Dense,
    EarlyStopping,
    Layer,
    ReLU,
    Residual,
    Sequential,
    StopReason,
    Trainer,
)
from handloom.data import read_npy
from handloom.errors import ConfigurationError, DataError, ModelError, RankError
from handloom.parameters import Array
from handloom.training import TrainingState

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def _threads_for_mpi() -> Iterator[None]:
    with threads_for_mpi():
        yield


def network(*layers: Layer) -> Sequential:
    return Sequential(layers or (Dense(8), ReLU(), Dense(3))).build((5,), seed=1)


def made(*callbacks: Callback, **options: Any) -> Trainer:
    """Return a trainer whose steps have 4 lanes, and the last one of an epoch 3."""
    own = options.pop("network", None) or network()
    optimizer, rate = options.pop("optimizer", Adam()), options.pop("learning_rate", 0.01)
    options = {"epochs": 3, "batch_size": 64, "shard_rows": 16, "backend": "numpy", **options}
    options = {"threads": 1, "diagnose": False, "distributed": "mpi", **options}
    return Trainer(own, optimizer, rate, callbacks=callbacks, **options)


def fitted(make: Callable[[], Trainer], ranks: int, meeting: Meeting | None = None) -> list[Any]:
    """Return the trainer of each rank, or its error."""

    def fit(_: ThreadRanks) -> Trainer:
        one = make()
        one.fit(ROWS, HELD_OUT)
        return one

    return on_ranks(ranks, fit, meeting)


def digests(trainers: list[Any]) -> set[str]:
    for each in trainers:
        if isinstance(each, BaseException):
            raise each
    return {digest(each.network, each.history) for each in trainers}


class Changing(Callback):
    """Changes something on rank 0 after the first epoch."""

    def __init__(self, change: Callable[[TrainingState], object]) -> None:
        self.change = change

    def on_epoch_end(self, *, state: TrainingState, record: object) -> None:
        if state.progress.epoch == 0:
            self.change(state)


def halve_momentum(state: TrainingState) -> None:
    state.optimizer.momentum = np.float64(0.45)  # type: ignore[attr-defined]


def set_weights(state: TrainingState) -> None:
    state.network.parameters.vector[:3] = 0.125


def stop(state: TrainingState) -> None:
    state.stop(StopReason.EARLY_STOPPING)


def set_batch_norm(state: TrainingState) -> None:
    _, block = state.network.named_layers()[1]
    assert isinstance(block, Residual)
    block.block.layers[0].momentum = 0.5  # type: ignore[attr-defined]


def clear_optimizer(state: TrainingState) -> None:
    for array in state.optimizer.state.values():
        array[...] = 0.0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("change", [halve_momentum, set_weights, clear_optimizer, stop])
def test_every_rank_follows_what_callbacks_change(
    backend: str, change: Callable[[TrainingState], object]
) -> None:
    def make() -> Trainer:
        return made(Changing(change), optimizer=SGD(momentum=0.9), backend=backend)

    alone = digests(fitted(make, 1))
    assert digests(fitted(make, 3)) == alone
    assert digests(fitted(lambda: made(optimizer=SGD(momentum=0.9), backend=backend), 1)) != alone


def test_layers_in_a_residual_block_are_followed_and_stay_whole() -> None:
    def make() -> Trainer:
        block = Residual([BatchNorm(ghost_batch=8), ReLU(), Dense(8)])
        return made(Changing(set_batch_norm), network=network(Dense(8), block, Dense(3)))

    trainers = fitted(make, 3)
    assert digests(trainers) == digests(fitted(make, 1))
    predictions = [each.network.predict(ROWS.inputs.astype(np.float32)) for each in trainers]
    assert all(np.array_equal(each, predictions[0]) for each in predictions)
    assert all(each.network.layers[0].weights.keys() >= {"weights"} for each in trainers)


def test_early_stopping_and_the_best_weights_are_those_of_rank_0() -> None:
    def make() -> Trainer:
        watching = EarlyStopping(patience=2), BestWeights("validation_accuracy")
        return made(*watching, epochs=40, learning_rate=0.3)

    (alone,), trainers = fitted(make, 1), fitted(make, 3)
    assert alone.history.stop_reason is StopReason.EARLY_STOPPING
    assert digests(trainers) == digests([alone])


def test_training_begins_with_the_weights_of_rank_0() -> None:
    def fit(ranks: ThreadRanks) -> Trainer:
        own = Sequential([Dense(8), ReLU(), Dense(3)]).build((5,), seed=1 + ranks.rank)
        one = made(network=own)
        one.fit(ROWS, HELD_OUT)
        return one

    assert digests(on_ranks(3, fit)) == digests(fitted(made, 1))


class Counting(Callback):
    """Has arguments and a state that no config describes; only rank 0 has it."""

    def __init__(self, seen: list[int]) -> None:
        self.seen, self.own = seen, {"a": 1}

    def on_epoch_end(self, *, state: TrainingState, record: object) -> None:
        self.seen.append(state.progress.epoch)


def test_rank_0_alone_may_have_callbacks_and_checkpoints(tmp_path: Path) -> None:
    seen: list[int] = []

    def fit(ranks: ThreadRanks) -> Trainer:
        one = made(*[Counting(seen)] if ranks.leads else [])
        one.fit(ROWS, HELD_OUT)
        kept = Checkpoints(tmp_path / "kept", every=1) if ranks.leads else None
        two = made(checkpoints=kept)
        two.fit(ROWS, HELD_OUT)
        return two

    assert digests(on_ranks(3, fit)) == digests(fitted(made, 1))
    assert seen == [0, 1, 2]
    assert [*(tmp_path / "kept").glob("step-*/manifest.json")]


class Failing(Callback):
    """Raises in one hook."""

    changes_results = False

    def __init__(self, hook: str) -> None:
        def fail(**_: object) -> None:
            raise RuntimeError("mine")

        setattr(self, hook, fail)


@pytest.mark.parametrize(
    "hook",
    [
        "on_train_begin",
        "on_epoch_begin",
        "on_step_end",
        "on_validation_begin",
        "on_validation_end",
        "on_epoch_end",
        "on_train_end",
    ],
)
def test_a_callback_that_raises_on_rank_0_ends_training_on_all(hook: str) -> None:
    kind = type("FailingIn", (Failing,), {hook: lambda *_, **__: None})
    own, *others = fitted(lambda: made(kind(hook)), 3)
    assert isinstance(own, RuntimeError)
    for each in others:
        assert isinstance(each, RankError)
        assert str(each) == "rank 0 (here): RuntimeError: mine"


class FailsOn(Layer):
    """Raises on one rank, in one of its calls."""

    def __init__(self, rank: int, call: int, error: type[BaseException] = ValueError) -> None:
        super().__init__()
        self.rank, self.call, self.error = rank, call, error
        self.calls = [0]

    def config(self) -> dict[str, object]:
        return {"rank": self.rank, "call": self.call, "error": self.error.__name__}

    def forward(self, x: Array, *, training: bool = False, rng: object = None) -> Array:
        self.calls[0] += 1
        here = int(threading.current_thread().name.removeprefix("rank-"))
        if here == self.rank and self.calls[0] == self.call:
            raise self.error("mine")
        return x

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return dy


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize(
    ("call", "error"), [(1, ValueError), (9, KeyboardInterrupt), (14, ValueError)]
)
@pytest.mark.parametrize("shard_rows", [16, None])  # of one lane, nothing is sent
def test_a_layer_that_raises_on_one_rank_ends_training_on_all(
    backend: str, rank: int, call: int, error: type[BaseException], shard_rows: int | None
) -> None:
    def make() -> Trainer:
        own = network(Dense(8), FailsOn(rank, call, error), Dense(3))
        return made(network=own, backend=backend, shard_rows=shard_rows)

    results = fitted(make, 3)
    assert isinstance(results.pop(rank), error)
    for each in results:
        assert isinstance(each, RankError)
        assert str(each) == f"rank {rank} (here): {error.__name__}: mine"


@pytest.mark.parametrize("step", [0, 1, 5, 7])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_schedule_that_fails_when_training_is_that_of_rank_0(rank: int, step: int) -> None:
    def rate(index: int) -> float:
        here: Any = threading.current_thread()
        if here.name == f"rank-{rank}" and index == step:
            here.calls = getattr(here, "calls", 0) + 1
            if here.calls > 2:  # the first ones sample the schedule before training
                raise ValueError("mine")
        return 0.01

    results = fitted(lambda: made(learning_rate=rate), 3)
    if rank == 0:
        assert isinstance(results[0], ValueError)
        assert all(str(each) == "rank 0 (here): ValueError: mine" for each in results[1:])
    else:
        assert digests(results) == digests(fitted(made, 1))


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("batch_size", (64, 32)),
        ("lanes", (4, 8)),
        ("shard_rows", (16, 8)),
        ("seed", (0, 1)),
        ("epochs", (3, 4)),
        ("learning_rate", (0.01, 0.02)),
        ("clip_norm", (None, 1.0)),
        ("optimizer", (Adam(), SGD())),
        ("network", (None, network(Dense(9), ReLU(), Dense(3)))),
    ],
)
def test_ranks_with_other_options_are_refused(option: str, values: tuple[Any, Any]) -> None:
    def fit(ranks: ThreadRanks) -> Trainer:
        one = made(**copy.deepcopy({option: values[ranks.rank == 2]}))
        one.fit(ROWS)
        return one

    for each in on_ranks(3, fit):
        assert isinstance(each, ConfigurationError)
        assert option in str(each)
        assert "rank 2 (here)" in str(each)


def test_ranks_with_other_rows_or_weights_are_refused() -> None:
    def fit(ranks: ThreadRanks) -> None:
        made().fit(HELD_OUT if ranks.rank == 1 else ROWS)

    def weighted(ranks: ThreadRanks) -> None:
        made().fit(ROWS, sample_weights=np.full(len(ROWS), 1.0 + (ranks.rank == 2)))

    def validated(ranks: ThreadRanks) -> None:
        made().fit(ROWS, HELD_OUT if ranks.rank else ROWS.take(slice(0, 30)))

    for run, name in ((fit, "data"), (weighted, "sample_weights"), (validated, "validation")):
        for each in on_ranks(3, run):
            assert isinstance(each, ConfigurationError), each
            assert f"{name} " in str(each)


def test_data_of_rank_0_are_sent_to_ranks_without() -> None:
    weights = np.arange(len(ROWS)) % 3 / 2.0

    def fit(ranks: ThreadRanks) -> Trainer:
        one = made()
        if ranks.leads:
            one.fit(ROWS, HELD_OUT, sample_weights=weights)
        else:
            one.fit(None)
        return one

    def fit_with_fraction(ranks: ThreadRanks) -> Trainer:
        one = made()
        one.fit(*(ROWS, 0.2) if ranks.rank == 0 else (None,))
        return one

    for run in (fit, fit_with_fraction):
        assert digests(on_ranks(3, run)) == digests(on_ranks(1, run))
    results = on_ranks(2, lambda ranks: made().fit(ROWS if ranks.rank else None))
    assert all(isinstance(each, ConfigurationError | RankError) for each in results)


def test_data_that_cannot_be_read_on_one_rank_end_training_on_all(tmp_path: Path) -> None:
    np.save(tmp_path / "inputs.npy", ROWS.inputs)
    np.save(tmp_path / "targets.npy", ROWS.targets)

    def fit(ranks: ThreadRanks) -> None:
        own = tmp_path / str(ranks.rank)
        own.mkdir()
        for name in ("inputs.npy", "targets.npy"):
            content = (tmp_path / name).read_bytes()
            if not (ranks.rank == 1 and name == "inputs.npy"):
                (own / name).write_bytes(content)
        with ranks.together():
            data = read_npy(own / "inputs.npy", own / "targets.npy")
        made().fit(data)

    results = on_ranks(3, fit)
    assert isinstance(results[1], DataError)
    for each in (results[0], results[2]):
        assert isinstance(each, RankError)
        assert "rank 1 (here)" in str(each)
        assert "inputs.npy" in str(each)


@pytest.mark.parametrize(("first", "second"), [(3, 2), (1, 4), (2, 1)])
def test_a_training_is_resumed_on_another_number_of_ranks(
    tmp_path: Path, first: int, second: int
) -> None:
    def fit(ranks: ThreadRanks, *callbacks: Callback) -> Trainer:
        kept = Checkpoints(tmp_path / "kept", every=1) if ranks.leads else None
        one = made(*callbacks, checkpoints=kept)
        one.fit(ROWS, HELD_OUT, resume=True)
        return one

    stopped = on_ranks(first, lambda ranks: fit(ranks, StopAt(7)))
    assert len(digests(stopped)) == 1
    assert digests(on_ranks(second, fit)) == digests(fitted(made, 1))


def test_a_signal_of_one_rank_ends_training_on_all() -> None:
    class Signaled(ReLU):
        def __init__(self, signals: list[int]) -> None:
            super().__init__()
            self.signals, self.calls = signals, [0]

        def config(self) -> dict[str, object]:
            return {"signals": None}

        def forward(self, x: Array, **options: Any) -> Array:
            self.calls[0] += 1
            if threading.current_thread().name == "rank-1" and self.calls[0] == 20:
                self.signals.append(signal.SIGTERM)
            return super().forward(x, **options)

    def fit(_: ThreadRanks) -> Trainer:
        signals: list[int] = []
        own = network(Dense(8), Signaled(signals), Dense(3))
        one = made(StopAt(10**6), network=own, epochs=1000, on_signal="finish")
        one.signals = signals
        one.fit(ROWS, HELD_OUT)
        return one

    trainers = on_ranks(3, fit)
    assert len(digests(trainers)) == 1
    for each in trainers:
        assert isinstance(each, Trainer)
        assert each.history.stop_reason is StopReason.INTERRUPTED


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_ranks_diverge_alike(backend: str) -> None:
    def make() -> Trainer:
        return made(optimizer=SGD(), learning_rate=1e30, backend=backend)

    trainers = fitted(make, 3)
    assert digests(trainers) == digests(fitted(make, 1))
    assert trainers[2].history.divergence == trainers[0].history.divergence
    assert trainers[2].history.divergence is not None


def test_weights_that_a_callback_makes_infinite_end_training_on_all() -> None:
    def make() -> Trainer:
        return made(At(1, lambda state: state.network.parameters.vector.fill(np.inf)))

    trainers = fitted(make, 3)
    assert digests(trainers) == digests(fitted(make, 1))
    assert trainers[0].history.divergence is not None


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_step_has_two_collective_calls_whatever_the_layers(backend: str) -> None:
    def make(depth: int) -> Trainer:
        layers = [each for _ in range(depth) for each in (Dense(8), BatchNorm(ghost_batch=16))]
        return made(network=network(*layers, Dense(3)), epochs=4, backend=backend)

    calls = []
    for depth in (0, 6):
        meeting = Meeting(3)
        digests(fitted(partial(make, depth), 3, meeting))
        calls.append(meeting.calls)
    steps = 4 * 5
    for each in calls:
        assert each.count("exchange") == each.count("complete") == steps
        assert len(each) - 2 * steps < 80
        first = each.index("exchange")
        assert {each[i + 1] for i in range(first, len(each)) if each[i] == "exchange"} == {
            "complete"
        }


def test_one_rank_trains_as_without_mpi() -> None:
    assert digests(fitted(made, 1)) == digests(fitted(lambda: made(distributed=None), 1))


def test_trainings_one_after_another_and_in_parts() -> None:
    def run(ranks: ThreadRanks) -> Trainer:
        made().fit(ROWS)
        one = made()
        one.run(one.prepare(ROWS, HELD_OUT))
        two = made()
        two.fit(ROWS, HELD_OUT)
        assert digest(one.network, one.history) == digest(two.network, two.history)
        three = made()
        prepared = three.prepare(ROWS)
        with prepared.threads:
            three.run_epoch(prepared)
            three.run_epoch(prepared)
        assert three.history["loss"].tolist() == two.history["loss"].tolist()[:2]
        return two

    assert digests(on_ranks(3, run)) == digests(fitted(made, 1))


def test_a_distributed_training_within_a_callback_is_refused() -> None:
    class Nested(Callback):
        changes_results = False

        def on_epoch_end(self, *, state: TrainingState, record: object) -> None:
            made().fit(ROWS)

    own, *others = fitted(lambda: made(Nested()), 3)
    assert isinstance(own, ModelError)
    assert str(own).startswith("the group of ranks is in use by the training that called this")
    assert all(isinstance(each, RankError) for each in others)
