"""Ranks share one training: the same call, options and rows, sent or read by each."""

import copy
import pickle
from functools import partial
from pathlib import Path
from threading import current_thread
from typing import Any, ClassVar
from unittest.mock import patch

import numpy as np
import pytest
from benchmarks.digest_cases import digest
from tests.helpers.distributed import digests, fitted, made, network
from tests.helpers.ranks import Meeting, ThreadRanks, on_ranks
from tests.helpers.training import BACKENDS, HELD_OUT, ROWS
from tests.training.helpers import StopAt

from handloom import (
    SGD,
    Adam,
    BatchNorm,
    Callback,
    Checkpoints,
    Dense,
    ReLU,
    SoftmaxCrossEntropy,
    Trainer,
)
from handloom.errors import ConfigurationError, RankError
from handloom.losses import Targets
from handloom.parameters import Array
from handloom.training import epoch
from handloom.training.runner import StepRunner

pytestmark = pytest.mark.filterwarnings("ignore")


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


def test_own_layers_that_count_their_calls_are_shared(tmp_path: Path) -> None:
    def make() -> Trainer:
        class Counting(ReLU):
            calls: ClassVar = [0]

            def forward(self, x: Array, **options: Any) -> Array:
                self.calls[0] += 1
                return super().forward(x, **options)

        kept = Checkpoints(tmp_path / "kept") if current_thread().name == "rank-0" else None
        return made(network=network(Dense(8), Counting(), Dense(3)), checkpoints=kept)

    assert len(digests(fitted(make, 3))) == 1  # rank 0 has tried to save it before training


def test_ranks_that_make_different_calls_are_refused(tmp_path: Path) -> None:
    def fit(ranks: ThreadRanks) -> None:
        kept = Checkpoints(tmp_path / "kept") if ranks.leads else None
        made(checkpoints=kept).fit(ROWS, resume=ranks.leads)

    def prepare(ranks: ThreadRanks) -> None:
        made().fit(ROWS) if ranks.rank == 1 else made().prepare(ROWS)

    results = [on_ranks(3, fit), on_ranks(3, prepare)]
    assert {(type(each), str(each)) for each in results[0]} == {
        (
            ConfigurationError,
            "all ranks must make the same call: that of rank 1 (here) is fit with resume=False, "
            "that of rank 0 (here) is fit with resume=True",
        )
    }
    assert all(isinstance(each, ConfigurationError) for each in results[1])


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


def test_a_trainer_is_copied_after_a_training_on_ranks() -> None:
    def fit(_: ThreadRanks) -> Trainer:
        one = made()
        one.fit(ROWS, HELD_OUT)
        again = copy.deepcopy(pickle.loads(pickle.dumps(one)))  # noqa: S301 - our own
        assert np.array_equal(again.network.parameters.vector, one.network.parameters.vector)
        return one

    assert len(digests(on_ranks(2, fit))) == 1


class OfNumPy(SoftmaxCrossEntropy):
    """Returns figures of NumPy, as a loss of one's own may."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        value, gradient = super().__call__(*arguments, **options)
        return np.float32(value), gradient

    def correct(self, predictions: Array, targets: Targets) -> int:
        return np.int64(super().correct(predictions, targets))  # type: ignore[return-value]


def test_figures_of_numpy_are_those_of_one_process() -> None:
    make = partial(made, loss=OfNumPy())
    assert digests(fitted(make, 3)) == digests(fitted(make, 1))


def test_fewer_lanes_than_ranks_are_told() -> None:
    one, *_ = fitted(lambda: made(shard_rows=None), 3)
    told = [note for note in one.history.notes if "lane for 3 ranks" in note]
    assert told
    assert "smaller shard_rows or more lanes" in told[0]


def test_ranks_that_compute_otherwise_get_the_weights_of_rank_0_in_every_epoch() -> None:
    class Drifting(ReLU):
        """Changes weights on one rank, as another processor would."""

        def forward(self, x: Array, **options: Any) -> Array:
            if current_thread().name == "rank-1":
                x = x * np.float32(1.0 + 1e-6)
            return super().forward(x, **options)

    def environment() -> dict[str, Any]:
        return {"versions": {}, "cores": 1, "blas": current_thread().name}

    seen: dict[str, list[bytes]] = {"rank-0": [], "rank-1": []}

    def steps(runner: StepRunner, *arguments: Any) -> Any:
        values = runner.objective.network.parameters.values
        seen[current_thread().name].append(values.tobytes())
        return run(runner, *arguments)

    run = StepRunner.run
    with (
        patch("handloom.training.same_training.environment", environment),
        patch.object(StepRunner, "run", steps),
        patch.object(epoch, "CALL_SECONDS", 1e9),
    ):

        def make() -> Trainer:
            return made(network=network(Dense(8), Drifting(), Dense(3)), shard_rows=None)

        one, two = fitted(make, 2)
    assert any("ranks differ" in note for note in one.history.notes)
    epochs = [seen["rank-0"][0], *seen["rank-0"][-2:]]
    assert epochs == [seen["rank-1"][0], *seen["rank-1"][-2:]]
    assert digest(one.network, one.history) == digest(two.network, two.history)


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
        # to prepare and to end 14; an epoch has 4 and one for each call, of which a slow machine
        # makes as many as there are steps
        assert len(each) - 2 * steps < 14 + 4 * (4 + 5)
        first = each.index("exchange")
        assert {each[i + 1] for i in range(first, len(each)) if each[i] == "exchange"} == {
            "complete"
        }
