"""Callbacks that watch may come and go; each gets the saved state of an equal one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import HELD_OUT, ROWS
from tests.training.helpers import Boom, Stop, StopAt, Watcher, trainer

from handloom import (
    Adam,
    BestModel,
    BestWeights,
    Checkpoints,
    ConfigurationError,
    EarlyStopping,
    Model,
)
from handloom.training import EpochRecord, Measurement, TrainingState


def test_state_goes_only_to_a_watcher_made_alike(tmp_path: Path) -> None:
    first = BestModel(tmp_path / "a", "validation_loss")
    trainer(tmp_path / "run", first, StopAt(5)).fit(ROWS, HELD_OUT)
    second = BestModel(tmp_path / "b", "validation_accuracy")
    made = trainer(tmp_path / "run", second)
    history = made.fit(ROWS, HELD_OUT, resume=True)
    assert second.value == history["validation_accuracy"][1:].max()
    assert Model.load(tmp_path / "b").class_names
    assert any("BestModel starts without a state" in note for note in history.notes)


def test_the_best_model_moves_to_a_new_folder(tmp_path: Path) -> None:
    trainer(tmp_path / "run", BestModel(tmp_path / "a", "loss"), StopAt(5)).fit(ROWS)
    last = BestModel(tmp_path / "b", "loss", min_delta=0.0)
    made = trainer(tmp_path / "run", last, epochs=2, optimizer=Adam())
    made.fit(ROWS, resume=True)
    saved = Model.load(tmp_path / "b").network.parameters.values
    np.testing.assert_array_equal(saved, last.weights)


def test_watchers_that_change_places_keep_their_own_state(tmp_path: Path) -> None:
    def both() -> tuple[BestModel, BestModel]:
        return BestModel(tmp_path / "a", "loss"), BestModel(tmp_path / "b", "accuracy")

    loss, accuracy = both()
    trainer(tmp_path / "run", loss, accuracy, StopAt(7)).fit(ROWS)
    again, other = both()
    again.on_epoch_end = other.on_epoch_end = lambda **_: None  # type: ignore[method-assign]
    history = trainer(tmp_path / "run", other, again).fit(ROWS, resume=True)
    assert (again.value, other.value) == (loss.value, accuracy.value)
    alone = both()[1]
    alone.on_epoch_end = lambda **_: None  # type: ignore[method-assign]
    trainer(tmp_path / "run", alone).fit(ROWS, resume=True)
    assert alone.value == accuracy.value
    assert not any("starts without a state" in note for note in history.notes)


class Counts(Watcher):
    """Counts calls; the count is its state."""

    def __init__(self) -> None:
        self.begun = self.ended = self.steps = 0

    def on_epoch_begin(self, *, state: TrainingState) -> None:
        self.begun += 1

    def on_step_end(self, *, state: TrainingState, measured: Measurement) -> None:
        self.steps += 1

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        self.ended += 1

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)


@pytest.mark.parametrize("step", [3, 4, 6])
@pytest.mark.parametrize(
    "hook", ["on_epoch_begin", "on_step_begin", "on_step_end", "on_validation_end", "on_epoch_end"]
)
@pytest.mark.parametrize("kind", [Stop, Boom])
def test_every_hook_is_called_once_for_what_happened_once(
    tmp_path: Path, kind: Any, hook: str, step: int
) -> None:
    """A callback that fails, or stops, does not keep others from being called."""
    made = trainer(tmp_path, kind(hook, step), Counts(), EarlyStopping("loss", patience=9))
    if kind is Stop:
        made.fit(ROWS, HELD_OUT)
    elif step % 3 and hook in ("on_epoch_begin", "on_validation_end", "on_epoch_end"):
        made.fit(ROWS, HELD_OUT)  # the hook is not called at this step
    else:
        with pytest.raises(RuntimeError, match="mine"):
            made.fit(ROWS, HELD_OUT)
    counts, stopping = Counts(), EarlyStopping("loss", patience=9)
    resumed = trainer(tmp_path, counts, stopping)
    resumed.fit(ROWS, HELD_OUT, resume=True)
    whole_stopping = EarlyStopping("loss", patience=9)
    whole = trainer(None, whole_stopping)
    whole.fit(ROWS, HELD_OUT)
    assert (counts.begun, counts.steps, counts.ended) == (3, 9, 3)
    assert (stopping.epoch, stopping.waited) == (whole_stopping.epoch, whole_stopping.waited)
    assert np.array_equal(resumed.network.parameters.values, whole.network.parameters.values)


def test_callbacks_go_on_in_a_training_that_is_run_by_hand(tmp_path: Path) -> None:
    trainer(tmp_path, BestWeights("loss"), StopAt(7)).fit(ROWS)
    best = BestWeights("loss")
    made = trainer(tmp_path, best)
    snapshot = Checkpoints(tmp_path).newest()
    history = made.run(made.prepare(ROWS, snapshot=snapshot))
    assert best.value == history["loss"].min()
    assert len(history) == 3
    with pytest.raises(ConfigurationError, match="resumed or starts warm, not both"):
        made.prepare(ROWS, snapshot=snapshot, warm=made.state)
