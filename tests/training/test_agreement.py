"""All ranks of a training follow rank 0.

Here ranks are threads of one process; `tests.parallel.test_mpi` has processes.
"""

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from tests.helpers.distributed import digests, fitted, made, network
from tests.helpers.ranks import ThreadRanks, on_ranks
from tests.helpers.training import BACKENDS, HELD_OUT, ROWS
from tests.training.helpers import StopAt

from handloom import (
    EMA,
    SGD,
    Adam,
    BatchNorm,
    BestWeights,
    Callback,
    Checkpoints,
    Dense,
    EarlyStopping,
    ReLU,
    Residual,
    Sequential,
    StopReason,
    Trainer,
    silhouettes,
)
from handloom.data.augment import Draw
from handloom.parameters import Array
from handloom.training import TrainingState

pytestmark = pytest.mark.filterwarnings("ignore")


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
    block.block.layers[0].momentum = 0.5


def rewind(state: TrainingState) -> None:
    assert state.average is not None
    for part in (state.optimizer, state.average):
        part.load_state_dict({**part.state_dict(), "steps": 1})


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("change", [halve_momentum, set_weights, rewind, stop])
def test_every_rank_follows_what_callbacks_change(
    backend: str, change: Callable[[TrainingState], object]
) -> None:
    def make(*callbacks: Callback) -> Trainer:
        optimizer = SGD(momentum=0.9) if change is halve_momentum else Adam()
        return made(*callbacks, optimizer=optimizer, average=EMA(0.9), backend=backend)

    alone = digests(fitted(lambda: make(Changing(change)), 1))
    assert digests(fitted(lambda: make(Changing(change)), 3)) == alone
    assert digests(fitted(make, 1)) != alone


def test_layers_in_a_residual_block_are_followed_and_stay_whole() -> None:
    def make() -> Trainer:
        block = Residual([BatchNorm(ghost_batch=8), ReLU(), Dense(8)])
        return made(Changing(set_batch_norm), network=network(Dense(8), block, Dense(3)))

    trainers = fitted(make, 3)
    assert digests(trainers) == digests(fitted(make, 1))
    predictions = [each.network.predict(ROWS.inputs.astype(np.float32)) for each in trainers]
    assert all(np.array_equal(each, predictions[0]) for each in predictions)
    assert all(each.network.layers[0].weights.keys() >= {"weights"} for each in trainers)


class Brighten:
    """An augmentation with options that are no arguments of its constructor."""

    def __init__(self) -> None:
        self.factor, self.unknown = 1.0, float("nan")

    def __call__(self, images: Array, draw: Draw) -> None:
        np.copyto(images, np.minimum(images * self.factor, 255), casting="unsafe")


class Brighter(Brighten):
    """A transform of the same kind."""

    def __call__(self, inputs: Array, out: Array) -> Array:  # type: ignore[override]
        return np.multiply(inputs.reshape(out.shape), self.factor, out=out, casting="unsafe")

    def to_config(self) -> dict[str, Any]:
        return {"name": "brighter"}


def brighten_transform(state: TrainingState) -> None:
    state.model.transform.factor = 3.0  # type: ignore[attr-defined]


def brighten_augmentation(state: TrainingState) -> None:
    state.options.augment[0].factor = 3.0  # type: ignore[attr-defined]


@pytest.mark.parametrize("change", [brighten_transform, brighten_augmentation])
def test_every_rank_follows_changes_of_augmentations_and_of_the_transform(
    change: Callable[[TrainingState], object],
) -> None:
    images = silhouettes(rows=200, test_rows=20)

    def fit(ranks: int, *changes: Callable[[TrainingState], object]) -> set[str]:
        def fit_one(_: ThreadRanks) -> Trainer:
            own = Sequential([Dense(8), ReLU(), Dense(10)]).build((784,), seed=1)
            options: dict[str, Any] = {"transform": Brighter(), "augment": [Brighten()]}
            one = made(*map(Changing, changes), network=own, **options)
            one.fit(images.train, images.test)
            return one

        return digests(on_ranks(ranks, fit_one))

    alone = fit(1, change)
    assert fit(3, change) == alone
    assert fit(1) != alone


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


def test_a_signal_at_the_end_of_an_epoch_stops_all_ranks_alike() -> None:
    finite = TrainingState.weights_are_finite

    def stops(state: TrainingState) -> bool:  # called at the end of an epoch
        if threading.current_thread().name == "rank-0" and state.progress.epoch == 1:
            state.stop(StopReason.INTERRUPTED)
        return finite(state)

    with patch.object(TrainingState, "weights_are_finite", stops):
        trainers = fitted(made, 3)
    assert len(digests(trainers)) == 1
    assert [len(each.history) for each in trainers] == [1, 1, 1]


def test_a_warm_start_is_that_of_rank_0() -> None:
    def fit(ranks: ThreadRanks) -> Trainer:
        first = made(epochs=1 + ranks.rank, distributed=None)
        first.fit(ROWS)
        one = made()
        one.fit(ROWS, warm=first.state)
        return one

    assert digests(on_ranks(3, fit)) == digests(on_ranks(1, fit))
