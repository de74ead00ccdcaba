"""Training networks of images, and layers that couple rows and keep statistics of their own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handloom import (
    SGD,
    BatchNorm,
    BestWeights,
    Callback,
    Checkpoints,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPool2D,
    Model,
    ReLU,
    Reshape,
    Sequential,
    SoftmaxCrossEntropy,
    StopReason,
    Trainer,
    evaluate,
    silhouettes,
)
from handloom.data.batches import LoaderOptions
from handloom.data.transforms import AsFloat
from handloom.parallel.threads import Threads
from handloom.parameters import Array
from handloom.training import TrainingState
from handloom.training.objective import Measurement, Objective

DATA = silhouettes(rows=600, test_rows=100)


def flat_network(ghost_batch: int | None = None) -> Sequential:
    layers = [Dense(16), BatchNorm(ghost_batch=ghost_batch), ReLU(), Dropout(0.25), Dense(10)]
    return Sequential(layers).build((784,))


def image_network() -> Sequential:
    layers = [
        Reshape((1, 28, 28)),
        Conv2D(4, 3, padding="same"),
        BatchNorm(ghost_batch=64),
        ReLU(),
        MaxPool2D(4),
        Flatten(),
        Dense(10),
    ]
    return Sequential(layers).build((784,))


@pytest.mark.parametrize("ghost_batch", [None, 32])
@pytest.mark.parametrize("batch_size", [None, 150])
def test_coupled_rows_learn_the_same_for_any_number_of_threads(
    ghost_batch: int | None, batch_size: int | None
) -> None:
    values = []
    for threads in (1, 2, 3, 4):
        network = flat_network(ghost_batch)
        trainer = Trainer(
            network, SGD(momentum=0.9), 0.1, epochs=2, batch_size=batch_size, threads=threads
        )
        trainer.fit(DATA.train)
        values.append(network.parameters.values)
    assert all(np.array_equal(value, values[0]) for value in values)


def test_a_network_of_images_learns_the_same_for_any_number_of_threads() -> None:
    values = []
    for threads in (1, 2):
        network = image_network()
        trainer = Trainer(
            network, SGD(momentum=0.9), 0.05, epochs=3, batch_size=200, threads=threads
        )
        history = trainer.fit(DATA.train)
        values.append(network.parameters.values)
    assert np.array_equal(values[0], values[1])
    assert history["loss"][-1] < 0.7 * history["loss"][0]


def test_running_statistics_are_those_of_the_batches() -> None:
    rate = 0.1  # of a new batch's share, in its running mean
    network = Sequential([BatchNorm(), Dense(10)]).build((784,))
    Trainer(network, SGD(), 1e-9, epochs=1, batch_size=300, shuffle=False).fit(DATA.train)
    x = (DATA.train.inputs.reshape(600, -1).astype(np.float64) - 127.5) / 127.5
    mean = np.zeros(784)
    for batch in (x[:300], x[300:]):
        mean += rate * (batch.mean(axis=0) - mean)
    np.testing.assert_allclose(
        network.parameters.weights["0.batch_norm.running_mean"], mean, atol=1e-5
    )


def test_validation_and_evaluation_use_the_statistics_of_training(tmp_path: Path) -> None:
    network = flat_network()
    trainer = Trainer(network, SGD(momentum=0.9), 0.1, epochs=5, batch_size=100)
    history = trainer.fit(DATA.train, DATA.test)
    trainer.model().save(tmp_path)
    evaluated = evaluate(Model.load(tmp_path), DATA.test)
    assert evaluated.loss == pytest.approx(history["validation_loss"][-1], rel=1e-5)


@pytest.mark.parametrize("ghost_batch", [None, 64])
def test_rows_that_training_couples_are_validated_in_small_shards(ghost_batch: int | None) -> None:
    class Rows(Layer):
        def forward(self, x: Array, *, training: bool = False, rng: object = None) -> Array:
            rows[training].append(len(x))
            return x

        def backward(self, dy: Array, *, need_dx: bool = True) -> Array:
            return dy

    rows: dict[bool, list[int]] = {True: [], False: []}
    layers = [Rows(), BatchNorm(ghost_batch=ghost_batch), Dense(10)]
    options: dict[str, Any] = {"epochs": 1, "shard_rows": 40, "threads": 1, "diagnose": False}
    Trainer(Sequential(layers).build((784,)), SGD(), 0.1, **options).fit(DATA.train, DATA.test)
    assert (sum(rows[False]), max(rows[False])) == (100, 34)
    assert max(rows[True]) >= (ghost_batch or 600)


def test_the_best_weights_come_with_their_statistics() -> None:
    best = BestWeights()
    network = flat_network()
    history = Trainer(
        network, SGD(momentum=0.9), 0.3, epochs=8, batch_size=50, callbacks=[best]
    ).fit(DATA.train, DATA.test)
    assert best.epoch is not None
    evaluated = evaluate_network(network)
    assert evaluated == pytest.approx(history["validation_loss"][best.epoch], rel=1e-5)


def evaluate_network(network: Sequential) -> float:
    trainer = Trainer(network, SGD(), 1e-3)
    trainer.prepare(DATA.train)
    return evaluate(trainer.model(), DATA.test).loss


def test_a_resumed_training_has_the_same_statistics(tmp_path: Path) -> None:
    class Cut(Callback):
        changes_results = False

        def on_step_end(self, *, state: TrainingState, measured: Measurement) -> None:
            if state.progress.steps == 6:
                state.stop(StopReason.INTERRUPTED)

    def run(folder: Path, *callbacks: Callback, resume: bool = False) -> Sequential:
        network = flat_network(32)
        options: dict[str, Any] = {"epochs": 3, "batch_size": 150, "callbacks": callbacks}
        trainer = Trainer(
            network, SGD(momentum=0.9), 0.1, checkpoints=Checkpoints(folder), **options
        )
        trainer.fit(DATA.train, resume=resume)
        return network

    whole = run(tmp_path / "whole")
    run(tmp_path / "cut", Cut())
    resumed = run(tmp_path / "cut", resume=True)
    assert np.array_equal(resumed.parameters.values, whole.parameters.values)


@pytest.mark.parametrize(
    ("layers", "shape", "lanes"),
    [
        ([Conv2D(16, 3, padding=1), Flatten(), Dense(2)], (1, 28, 28), 4),
        ([Dense(12_544), Dense(2)], (64,), 1),
    ],
)
def test_flat_rows_are_left_together_however_wide(
    layers: list[Layer], shape: tuple[int, ...], lanes: int
) -> None:
    network = Sequential(layers).build(shape)
    options = LoaderOptions(shape, network.parameters.dtype, AsFloat())
    with Threads(1) as threads:
        objective = Objective(network, SoftmaxCrossEntropy(), options, pool=threads)
        assert len(objective._shards_by_lane(128)) == lanes
