"""Norms of weights, gradients and updates are measured epoch by epoch."""

import numpy as np
import pytest
from tests.helpers.training import ROWS, short_trainer

from handloom import History
from handloom.training import LayerNorms


def test_the_norms_of_layers_are_measured_epoch_by_epoch() -> None:
    start: dict[str, np.ndarray] = {}
    made = short_trainer(LayerNorms(), epochs=2)
    start = {name: array.copy() for name, array in made.network.parameters.weights.items()}
    history = made.fit(ROWS)
    assert [(record.epoch, record.array) for record in history.layer_norms] == [
        (epoch, name) for epoch in (0, 1) for name in start
    ]
    weights = made.network.parameters.weights
    for record in history.layer_norms[4:]:
        assert record.weights == pytest.approx(np.linalg.norm(weights[record.array]), rel=1e-5)
        gradient = made.network.parameters.gradients[record.array]
        assert record.gradient == pytest.approx(np.linalg.norm(gradient), rel=1e-5)
    moved = [np.linalg.norm(weights[name] - start[name]) for name in start]
    first, second = history.layer_norms[:4], history.layer_norms[4:]
    both = [one.update + other.update for one, other in zip(first, second, strict=True)]
    assert all(m <= b for m, b in zip(moved, both, strict=True))
    assert History.from_json(history.to_json()).layer_norms == history.layer_norms
