"""Both backends agree with a textbook implementation, and allocate no memory in steps."""

import tracemalloc
from functools import cache
from typing import Any

import numpy as np
import pytest
from benchmarks.textbook import Textbook
from tests.helpers.training import BACKENDS, DATA, network

from handloom import SGD, Adam, Callback, Dense, ReLU, Sequential, Trainer
from handloom.initializers import ScaledNormal
from handloom.optimizers import Optimizer
from handloom.training import EpochRecord, TrainingState

ROWS = DATA.train
SOME = ROWS.take(slice(0, 2100))  # three shards


def small_network() -> Sequential:
    layers = [
        Dense(16, weights_l2=5e-4, biases_l2=5e-4),
        ReLU(),
        Dense(16, weights=ScaledNormal(0.3)),
        ReLU(),
        Dense(10),
    ]
    return Sequential(layers).build((784,), dtype=np.float64)


@cache
def fifty_steps_of_the_textbook(optimizer: str) -> tuple[list[float], Any]:
    """Return the losses of the steps, and the weights after them."""
    textbook: Any = Textbook(list(small_network().parameters.weights.values()), l2=5e-4)
    x = (SOME.inputs.reshape(len(SOME), -1).astype(np.float64) - 127.5) / 127.5
    losses = []
    for _ in range(50):
        loss, gradients = textbook.loss_and_gradients(x, SOME.targets)
        losses.append(loss)
        if optimizer == "adam":
            textbook.adam(gradients, 0.003)
        else:
            textbook.sgd(gradients, 0.05, 0.5 if optimizer == "momentum" else 0.0)
    return losses, np.concatenate([array.reshape(-1) for array in textbook.arrays])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("threads", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_fifty_steps_agree_with_the_textbook(backend: str, threads: int, optimizer: str) -> None:
    losses, reached = fifty_steps_of_the_textbook(optimizer)
    made = small_network()
    optimizers: dict[str, Optimizer] = {"sgd": SGD(), "momentum": SGD(momentum=0.5), "adam": Adam()}
    rate = 0.003 if optimizer == "adam" else 0.05
    trainer = Trainer(
        made, optimizers[optimizer], rate, epochs=50, threads=threads, backend=backend
    )
    history = trainer.fit(SOME)
    assert history.backend == backend
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-10)
    distance = np.linalg.norm(made.parameters.vector - reached) / np.linalg.norm(reached)
    assert distance < 1e-10


@pytest.mark.parametrize("batch_size", [500, 64])
def test_both_backends_learn_the_same(batch_size: int) -> None:
    pytest.importorskip("numba")
    losses = []
    for backend in ("numpy", "fused"):
        made = network(ROWS, units=32)
        trainer = Trainer(made, Adam(), 1e-3, epochs=1, batch_size=batch_size, backend=backend)
        losses.append(trainer.fit(ROWS, DATA.test)["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("batch_size", [None, 500])
def test_after_the_first_epoch_a_step_takes_no_memory_of_the_size_of_a_batch(
    backend: str, batch_size: int | None
) -> None:
    class Watch(Callback):
        peaks: list[int]
        start: int

        def on_train_begin(self, *, state: TrainingState) -> None:
            self.peaks = []
            self.start = 0

        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            current, peak = tracemalloc.get_traced_memory()
            self.peaks.append(peak - self.start if record.epoch else 0)
            tracemalloc.reset_peak()
            self.start = current

    watch = Watch()
    made = network(ROWS, units=64)
    trainer = Trainer(
        made,
        Adam(),
        1e-3,
        epochs=4,
        batch_size=batch_size,
        threads=2,
        backend=backend,
        callbacks=[watch],
        diagnose=False,
    )
    tracemalloc.start()
    try:
        trainer.fit(ROWS)
    finally:
        tracemalloc.stop()
    rows = batch_size or 1024  # a full batch is taken in shards of so many rows
    smallest_activation = rows * 64 * 4
    order = 8 * len(ROWS)  # the epoch's order of rows
    assert max(watch.peaks[1:]) < smallest_activation + order
