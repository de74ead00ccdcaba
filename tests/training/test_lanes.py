"""Results are the same to the bit for any number of threads, and those of an unsharded step."""

from typing import Any

import numpy as np
import pytest
from tests.helpers.own_layers import Noise
from tests.helpers.training import BACKENDS, DATA, features, network
from threadpoolctl import ThreadpoolController

from handloom import (
    SGD,
    Adam,
    Dense,
    InverseTimeDecay,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
    Trainer,
)
from handloom.parameters import Array

ROWS = DATA.train


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("batch_size", "units"), [(None, 64), (500, 64), (64, 64), (300, 400)])
@pytest.mark.slow
def test_the_same_bits_for_any_number_of_threads(
    backend: str, batch_size: int | None, units: int
) -> None:
    vectors = []
    # OpenBLAS rounds these products differently with two threads, if training lets it have them
    for threads, blas_threads in ((1, 1), (2, 2), (3, 1), (4, 2)):
        # the widest network cuts its matrix products and updates into pieces
        made = network(ROWS, units=units, l2=1e-4)
        options: dict[str, Any] = {"batch_size": batch_size, "threads": threads}
        with ThreadpoolController().limit(limits=blas_threads, user_api="blas"):
            Trainer(made, Adam(), 1e-3, epochs=2, backend=backend, **options).fit(ROWS)
        vectors.append(made.parameters.vector)
    assert all(np.array_equal(vector, vectors[0]) for vector in vectors)


@pytest.mark.parametrize("threads", [1, 2])
def test_blas_has_one_thread_in_a_step(threads: int) -> None:
    blas = ThreadpoolController().select(user_api="blas")
    seen: set[int] = set()

    class Observed(ReLU):
        def forward(self, x: Array, *, training: bool = False, rng: object = None) -> Array:
            seen.update(library["num_threads"] for library in blas.info())
            return super().forward(x, training=training)

    made = Sequential([Dense(8), Observed(), Dense(10)]).build((784,))
    with blas.limit(limits=2):
        Trainer(made, SGD(), 0.1, epochs=1, batch_size=2500, threads=threads).fit(ROWS)
    assert seen == {1}


@pytest.mark.parametrize("batch_size", [None, 2048, 100])
def test_results_are_the_same_to_the_bit_for_any_number_of_threads(batch_size: int | None) -> None:
    vectors, losses = [], []
    for threads in (1, 2, 3, 4):
        made = network(DATA.train)
        trainer = Trainer(
            made, Adam(), 1e-3, epochs=2, batch_size=batch_size, threads=threads, seed=5
        )
        trainer.fit(DATA.train, DATA.test)
        vectors.append(made.parameters.vector)
        losses.append([trainer.history["loss"], trainer.history["validation_loss"]])
    assert all(np.array_equal(vector, vectors[0]) for vector in vectors)
    assert all(np.array_equal(loss, losses[0]) for loss in losses)


def test_a_sharded_step_is_the_unsharded_step() -> None:
    data = features(rows=3000)
    made = network(data, dtype=np.float64, l2=0.01)
    reference = network(data, dtype=np.float64, l2=0.01).without_activation("softmax")
    losses = []
    for step in range(50):
        value, dlogits = SoftmaxCrossEntropy()(
            reference.forward(data.inputs.astype(np.float64), training=True), data.targets
        )
        reference.backward(dlogits)
        losses.append(value + reference.parameters.penalty())
        reference.parameters.add_penalty_gradient()
        reference.parameters.vector -= 0.1 / (1 + 0.01 * step) * reference.parameters.gradient

    trainer = Trainer(made, SGD(), InverseTimeDecay(0.1, 0.01), epochs=50)
    history = trainer.fit(data)
    np.testing.assert_allclose(made.parameters.vector, reference.parameters.vector, rtol=1e-10)
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-10)


@pytest.mark.parametrize("batch_size", [None, 500, 64])
@pytest.mark.slow
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
