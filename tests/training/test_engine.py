"""The training engine: agrees with a textbook implementation, and allocates no memory in steps."""

import importlib.util
import time
import tracemalloc
from threading import Event, Timer
from typing import Any

import numpy as np
import pytest
from benchmarks.textbook import Textbook
from tests.training.test_trainer import DATA, network
from threadpoolctl import ThreadpoolController

from handloom import SGD, Adam, Callback, Dense, Layer, ReLU, Sequential, Trainer
from handloom.backend import FusedBackend
from handloom.initializers import ScaledNormal
from handloom.optimizers import Optimizer
from handloom.parallel.pool import matmul
from handloom.parallel.threads import Threads, default_threads
from handloom.parameters import Array
from handloom.training import EpochRecord, TrainingState

BACKENDS = [
    "numpy",
    pytest.param(
        "fused",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("numba") is None, reason="needs the extra fast"
        ),
    ),
]
ROWS = DATA.train


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_fifty_steps_agree_with_the_textbook(backend: str, threads: int, optimizer: str) -> None:
    layers = [
        Dense(16, weights_l2=5e-4, biases_l2=5e-4),
        ReLU(),
        Dense(16, weights=ScaledNormal(0.3)),
        ReLU(),
        Dense(10),
    ]
    made = Sequential(layers).build((784,), dtype=np.float64)
    textbook: Any = Textbook(list(made.parameters.weights.values()), l2=5e-4)
    x = (ROWS.inputs.reshape(len(ROWS), -1).astype(np.float64) - 127.5) / 127.5
    losses = []
    for _ in range(50):
        loss, gradients = textbook.loss_and_gradients(x, ROWS.targets)
        losses.append(loss)
        if optimizer == "adam":
            textbook.adam(gradients, 0.003)
        else:
            textbook.sgd(gradients, 0.05, 0.5 if optimizer == "momentum" else 0.0)

    optimizers: dict[str, Optimizer] = {"sgd": SGD(), "momentum": SGD(momentum=0.5), "adam": Adam()}
    rate = 0.003 if optimizer == "adam" else 0.05
    trainer = Trainer(
        made, optimizers[optimizer], rate, epochs=50, threads=threads, backend=backend
    )
    history = trainer.fit(ROWS)
    assert history.backend == backend
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-10)
    reached = np.concatenate([array.reshape(-1) for array in textbook.arrays])
    distance = np.linalg.norm(made.parameters.vector - reached) / np.linalg.norm(reached)
    assert distance < 1e-10


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("batch_size", "units"), [(None, 64), (500, 64), (64, 64), (300, 400)])
def test_the_same_bits_for_any_number_of_threads(
    backend: str, batch_size: int | None, units: int
) -> None:
    vectors = []
    for threads in (1, 2, 3, 4):
        made = network(
            ROWS, units=units, l2=1e-4
        )  # the widest shares its matrix products and updates
        options: dict[str, Any] = {"batch_size": batch_size, "threads": threads}
        Trainer(made, Adam(), 1e-3, epochs=2, backend=backend, **options).fit(ROWS)
        vectors.append(made.parameters.vector)
    assert all(np.array_equal(vector, vectors[0]) for vector in vectors)


def test_a_product_that_is_shared_is_the_product() -> None:
    generator = np.random.default_rng(0)
    with Threads(3) as threads:
        for n, d, h in ((300, 400, 500), (600, 800, 3), (64, 1000, 401)):
            a, b = generator.standard_normal((n, d)), generator.standard_normal((d, h))
            shared = matmul(a, b, np.empty((n, h)), threads)
            np.testing.assert_allclose(shared, a @ b, rtol=1e-10, atol=1e-10)
            back = matmul(a.T, shared, np.empty((d, h)), threads)
            np.testing.assert_allclose(back, a.T @ (a @ b), rtol=1e-10, atol=1e-7)


class Noise(Layer):
    """Multiplies by random zeros and twos in training, as dropout does."""

    kind = "noise"
    stochastic = True

    def forward(self, x: Array, *, training: bool = False, rng: Any = None) -> Array:
        if not training:
            return x
        self.mask = 2.0 * (rng.random(x.shape, np.float32) < 0.5)
        y: Array = (x * self.mask).astype(x.dtype)
        return y

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        dx: Array = (dy * self.mask).astype(dy.dtype)
        return dx


@pytest.mark.parametrize("batch_size", [None, 500, 64])
def test_random_layers_draw_the_same_for_any_number_of_threads(batch_size: int | None) -> None:
    vectors = []
    for seed, threads in ((0, 1), (0, 2), (0, 3), (0, 4), (1, 2)):
        layers = [Dense(64), Noise(), ReLU(), Noise(), Dense(10)]
        made = Sequential(layers).build((784,))
        options: dict[str, Any] = {"batch_size": batch_size, "threads": threads, "seed": seed}
        Trainer(made, SGD(), 0.1, epochs=2, **options).fit(ROWS)
        vectors.append(made.parameters.vector)
    assert all(np.array_equal(vector, vectors[0]) for vector in vectors[:4])
    assert not np.array_equal(vectors[4], vectors[0])


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


def test_an_error_in_a_lane_reaches_the_caller_after_all_lanes_have_ended() -> None:
    ended = []

    def work(number: int) -> int:
        if number == 1:
            raise ValueError("lane 1")
        ended.append(number)
        return number

    with Threads(3) as pool:
        calls = [lambda number=number: work(number) for number in range(4)]
        with pytest.raises(ValueError, match="lane 1"):
            pool.run(calls)
        assert sorted(ended) == [0, 2, 3]
        assert pool.run([lambda: 1, lambda: 2, lambda: 3]) == [1, 2, 3]


def test_threads_that_stay_awake_see_each_task_and_sleep_when_there_is_none() -> None:
    pytest.importorskip("numba")
    with FusedBackend(np.float32).threads(3) as pool:
        assert pool.run([lambda k=k: k * k for k in range(4)]) == [0, 1, 4, 9]  # type: ignore[misc]
        time.sleep(0.2)  # longer than threads spin
        used = time.process_time()
        time.sleep(0.2)
        assert time.process_time() - used < 0.1
        assert pool.run([lambda k=k: k + 1 for k in range(4)]) == [1, 2, 3, 4]  # type: ignore[misc]


def test_a_wait_ends_when_the_counter_moves_on() -> None:
    pytest.importorskip("numba")
    from handloom.fused.atomics import wait

    counter = np.zeros(1, np.int64)
    Timer(0.05, lambda: counter.__setitem__(0, 7)).start()
    started = time.perf_counter()
    while counter[0] == 0:
        wait(counter, 0)
    assert time.perf_counter() - started >= 0.04
    wait(counter, 0)  # returns at once


def test_a_lent_thread_comes_back_before_there_is_other_work() -> None:
    back = Event()
    with Threads(2) as pool:
        assert pool.lend(lambda: back.wait(10), back.set)
        assert pool.run([lambda: 1, lambda: 2]) == [1, 2]
        assert back.is_set()
        again = Event()
        assert pool.lend(lambda: again.wait(10), again.set)
    assert again.is_set()


def test_what_limits_the_threads_of_blas_limits_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    free = default_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "64,2")  # not a number
    monkeypatch.setenv("MKL_NUM_THREADS", "64")
    assert default_threads() == free
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    assert default_threads() == 1


def test_an_error_of_a_lent_thread_is_raised_in_the_end() -> None:
    def fail() -> None:
        raise ArithmeticError("lent")

    with pytest.raises(ArithmeticError, match="lent"), Threads(2) as pool:
        pool.lend(fail, lambda: None)


def test_where_there_is_no_other_thread_none_is_lent() -> None:
    with Threads(1) as pool:
        assert not pool.lend(lambda: None, lambda: None)


def test_blas_has_its_threads_back_when_the_last_of_several_trainings_ends() -> None:
    blas = ThreadpoolController().select(user_api="blas")

    def threads() -> list[int]:
        return [library["num_threads"] for library in blas.info()]

    with blas.limit(limits=2):
        before = threads()
        first, second = Threads(2), Threads(2)
        with first:
            second.__enter__()
        assert set(threads()) == {1}, "another training still runs"
        second.__exit__(None, None, None)
        assert threads() == before
