"""The best model is saved whole, and again if it could not be."""

import resource
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.training import HELD_OUT, ROWS, loss_of, network
from tests.training.helpers import no_file_larger_than

from handloom import SGD, BestModel, Callback, Dense, Model, Sequential, Trainer
from handloom.training import EpochRecord, TrainingState


def test_the_best_model_is_saved_whole(tmp_path: Path) -> None:
    best, made = BestModel(tmp_path / "best"), network(ROWS)
    Trainer(made, SGD(momentum=0.9), 1.5, epochs=30, callbacks=[best]).fit(ROWS, HELD_OUT)
    saved = Model.load(tmp_path / "best")
    assert loss_of(saved.network.parameters.vector, HELD_OUT) == pytest.approx(best.value, rel=1e-5)


def test_a_best_model_that_cannot_be_saved_is_tried_again(tmp_path: Path) -> None:
    network = Sequential([Dense(3)]).build((5,))
    best = BestModel(tmp_path / "model", "loss")

    class Full(Callback):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (10 if record.epoch < 2 else -1, -1))

    made = Trainer(network, SGD(), 0.1, epochs=3, callbacks=[Full(), best])
    with no_file_larger_than(10), pytest.warns(UserWarning, match="tried again when training ends"):
        made.fit(ROWS)
    assert np.array_equal(Model.load(tmp_path / "model").network.parameters.vector, best.weights)  # type: ignore[arg-type]
