"""The loss and its gradient, penalties included, as a step or a line search takes them."""

import numpy as np
import pytest
from tests.helpers.training import BACKENDS, features, network

from handloom import SGD, Trainer
from handloom.data.batches import Batch


def test_loss_and_gradient_can_be_measured_for_a_line_search() -> None:
    data = features()
    made = network(data, l2=0.01, dtype=np.float64)
    prepared = Trainer(made, SGD(), 0.1).prepare(data)
    batch = Batch(prepared.arrays, slice(0, len(data)))
    with prepared.threads:
        before = prepared.objective(batch).loss
        gradient = made.parameters.gradient.copy()
        made.parameters.vector -= 1e-6 * gradient
        after = prepared.objective(batch).loss
    assert (before - after) / 1e-6 == pytest.approx(gradient @ gradient, rel=1e-4)
    assert prepared.state.progress.steps == 0


def test_a_penalty_per_row_is_divided_by_the_rows_of_the_step() -> None:
    data = features(80)
    vectors = []
    for l2, per_row in ((0.4 / 20, False), (0.4, True)):
        made = network(data, l2=l2, dtype=np.float64)
        options = {"batch_size": 20, "epochs": 3, "penalty_per_row": per_row}
        history = Trainer(made, SGD(), 0.1, **options).fit(data)  # type: ignore[arg-type]
        vectors.append([*made.parameters.vector, *history["penalty"]])
    np.testing.assert_allclose(vectors[0], vectors[1], rtol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_batch_of_weight_zero_has_no_penalty_per_row(backend: str) -> None:
    data = features(40)
    vectors = []
    for rows in (data, data.take(slice(20, 40))):
        made = network(data, l2=0.4)
        options = {"batch_size": 20, "epochs": 1, "shuffle": False, "backend": backend}
        trainer = Trainer(made, SGD(), 0.1, penalty_per_row=True, **options)  # type: ignore[arg-type]
        trainer.fit(rows, sample_weights=np.arange(40)[-len(rows) :] >= 20)
        vectors.append(made.parameters.vector)
    np.testing.assert_allclose(vectors[0], vectors[1], rtol=1e-6)
