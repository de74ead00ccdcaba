"""An error on one rank ends the training on all of them."""

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.distributed import digests, fitted, made, network
from tests.helpers.ranks import ThreadRanks, on_ranks
from tests.helpers.training import BACKENDS, HELD_OUT, ROWS, At

from handloom import (
    SGD,
    Callback,
    Dense,
    Layer,
    Trainer,
)
from handloom.data import read_npy
from handloom.errors import DataError, ModelError, RankError
from handloom.parameters import Array
from handloom.training import TrainingState

pytestmark = pytest.mark.filterwarnings("ignore")


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


class SlowEnd(Callback):
    """Takes its time on rank 0, when training has failed."""

    changes_results = False

    def __init__(self) -> None:
        self.ended = False

    def on_train_end(self, *, state: TrainingState) -> None:
        time.sleep(0.3)
        self.ended = True


def test_the_same_error_in_two_trainings_is_told_twice() -> None:
    mine = RuntimeError("mine")

    class Raising(Callback):
        changes_results = False

        def on_epoch_end(self, **_: object) -> None:
            raise mine

    def fit(ranks: ThreadRanks) -> Trainer:
        for _ in range(2):
            with pytest.raises((RuntimeError, RankError), match="mine"):
                made(*([Raising()] if ranks.leads else [])).fit(ROWS)
        one = made()
        one.fit(ROWS, HELD_OUT)
        return one

    assert len(digests(on_ranks(3, fit))) == 1


def test_no_rank_leaves_before_rank_0_has_ended_a_failed_training() -> None:
    slow = SlowEnd()

    def fit(ranks: ThreadRanks) -> bool:
        own = network(Dense(8), FailsOn(1, 9), Dense(3))
        with pytest.raises((ValueError, RankError), match="mine"):
            made(*([slow] if ranks.leads else []), network=own).fit(ROWS)
        return slow.ended

    assert on_ranks(3, fit) == [True, True, True]


class UnprintableError(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


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
    ("call", "error"), [(1, ValueError), (9, KeyboardInterrupt), (14, UnprintableError)]
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
        text = "" if error is UnprintableError else ": mine"
        assert str(each) == f"rank {rank} (here): {error.__name__}{text}"


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


def test_a_distributed_training_within_a_callback_is_refused() -> None:
    class Nested(Callback):
        changes_results = False

        def on_epoch_end(self, *, state: TrainingState, record: object) -> None:
            made().fit(ROWS)

    own, *others = fitted(lambda: made(Nested()), 3)
    assert isinstance(own, ModelError)
    assert str(own).startswith("the group of ranks is in use by the training that called this")
    assert all(isinstance(each, RankError) for each in others)
