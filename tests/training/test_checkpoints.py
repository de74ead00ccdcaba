"""Checkpoints: their contents, written by one training alone, and only of good weights."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import ROWS, features
from tests.training.helpers import StopAt, Watcher, figures, steps_kept, stoppable, trainer

from handloom import (
    EMA,
    SGD,
    BestWeights,
    Callback,
    Checkpoints,
    ConfigurationError,
    EarlyStopping,
    Trainer,
)
from handloom.files import FileError
from handloom.training import EpochRecord, Measurement, TrainingState
from handloom.training.probe import Probe
from handloom.training.snapshot import Snapshot

HELD_OUT = features(seed=1)


def test_what_a_checkpoint_holds_can_be_read_by_people(tmp_path: Path) -> None:
    stoppable(tmp_path, last_step=7).fit(ROWS)
    (state,) = tmp_path.glob("step-000000007/state-*.json")
    described = json.loads(state.read_text())
    assert described["values"]["progress"]["epoch"] == 1
    assert described["configuration"]["seed"] == 0
    assert "numpy" in described["values"]["environment"]["versions"]
    assert set(Snapshot.load(state.parent).arrays) == {
        "weights",
        "good_weights",
        "optimizer.first_moment",
        "optimizer.second_moment",
    }


def test_a_new_training_does_not_replace_the_checkpoints_of_another(tmp_path: Path) -> None:
    stoppable(tmp_path, last_step=7).fit(ROWS)
    with pytest.raises(FileError, match=r"holds the checkpoints .*step-000000007.*resume=True"):
        stoppable(tmp_path).fit(ROWS)
    assert steps_kept(tmp_path) == [7]


def test_what_is_not_a_checkpoint_is_left_alone(tmp_path: Path) -> None:
    for name in ("step-by-step", "step-000000001-mine", "steps"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text("mine")
    stoppable(tmp_path, every=1).fit(ROWS)
    assert len(list(tmp_path.glob("*/notes.txt"))) == 3


def test_two_trainings_do_not_write_to_one_folder(tmp_path: Path) -> None:
    class Second(Watcher):
        refused = ""

        def on_epoch_end(self, **_: Any) -> None:
            with pytest.raises(FileError) as error:
                stoppable(tmp_path).fit(ROWS, resume=True)
            self.refused = str(error.value)

    second = Second()
    stoppable(tmp_path, callbacks=(second,), epochs=1).fit(ROWS)
    assert f"{tmp_path} is being written to by another training (process " in second.refused
    stoppable(tmp_path).fit(ROWS, resume=True)  # afterwards it is free again


def test_what_no_checkpoint_can_hold_is_refused_before_the_first_step(tmp_path: Path) -> None:
    class Odd(Callback):
        def state_dict(self) -> dict[str, Any]:
            return {"odd": {1, 2}}

    made = stoppable(tmp_path, callbacks=(Odd(),))
    with pytest.raises(ConfigurationError, match="no checkpoint can hold this training"):
        made.fit(ROWS)
    assert made.state.progress.steps == 0


def test_a_training_that_is_run_by_hand_replaces_no_checkpoints(tmp_path: Path) -> None:
    trainer(tmp_path).fit(ROWS)
    with pytest.raises(FileError, match="holds the checkpoints of a training"):
        trainer(tmp_path, epochs=1).prepare(ROWS)
    assert steps_kept(tmp_path) == [9]


def test_trainings_with_checkpoints_are_copied_and_pickled(tmp_path: Path) -> None:
    made = trainer(tmp_path)
    again: Trainer = pickle.loads(pickle.dumps(made))  # noqa: S301 - our own
    for each in (again, copy.deepcopy(made)):
        assert each.options.checkpoints is not None
        assert each.options.checkpoints.folder == tmp_path


@pytest.mark.filterwarnings("ignore::handloom.DivergenceWarning")
def test_a_diverged_training_is_not_written_over_the_good_one(tmp_path: Path) -> None:
    def rate(step: int) -> float:
        return 1e20 if step == 12 else 0.01

    made = stoppable(tmp_path, every=1, rule=SGD, learning_rate=rate)
    reason = made.fit(ROWS).stop_reason
    assert reason is not None
    assert reason.diverged
    assert steps_kept(tmp_path) == [5, 10]
    assert np.isfinite(Checkpoints(tmp_path).newest().arrays["weights"]).all()  # type: ignore[union-attr]


@pytest.mark.filterwarnings("ignore::handloom.DivergenceWarning")
@pytest.mark.parametrize("batch_size", [None, 100])
def test_a_training_that_diverges_leaves_the_last_good_checkpoint_as_it_is(
    tmp_path: Path, batch_size: int | None
) -> None:
    def rate(step: int) -> float:
        return 1e30 if step >= 6 else 0.01

    made = trainer(
        tmp_path, optimizer=SGD(), learning_rate=rate, every=1, epochs=9, batch_size=batch_size
    )
    assert made.fit(ROWS).divergence is not None
    for folder in tmp_path.glob("step-*"):
        state = Checkpoints(tmp_path).newest()
        assert state is not None, folder
        assert state.values["history"]["divergence"] is None
        assert state.values["history"]["stop_reason"] is None


@pytest.mark.filterwarnings("ignore::handloom.DivergenceWarning")
def test_weights_that_are_ruined_are_in_no_checkpoint(tmp_path: Path) -> None:
    class Always:
        def reset(self, state: TrainingState) -> None: ...

        def due(self, state: TrainingState) -> bool:
            return True

    def rate(step: int) -> float:
        return 3e38 if step == 5 else 0.01

    made = trainer(tmp_path, StopAt(99), optimizer=SGD(), learning_rate=rate, every=Always())
    assert made.fit(ROWS).divergence is not None
    for snapshot in map(Snapshot.load, tmp_path.glob("step-*")):
        assert np.isfinite(snapshot.arrays["weights"]).all()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("hook", ["on_step_end", "on_epoch_end", "on_epoch_begin"])
def test_whatever_a_hook_raises_the_last_step_is_kept(
    tmp_path: Path, hook: str, error: type[BaseException]
) -> None:
    class Raises(Watcher):
        pass

    def leave(self: Callback, *, state: TrainingState, **_: Any) -> None:
        if state.progress.steps >= 4:
            raise error

    setattr(Raises, hook, leave)
    ended = Ends()
    made = trainer(tmp_path, Raises(), ended)
    with pytest.raises(error):
        made.fit(ROWS)
    assert steps_kept(tmp_path) == [made.state.progress.steps]
    assert ended.calls == 1


class Ends(Watcher):
    calls = 0

    def on_train_end(self, *, state: TrainingState) -> None:
        self.calls += 1


def test_a_callback_that_fails_costs_no_training(tmp_path: Path) -> None:
    class Fails(Watcher):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            if record.epoch == 1:
                raise RuntimeError("mine")

    best = BestWeights("loss")
    made = stoppable(tmp_path, callbacks=(best, Fails()))
    with pytest.raises(RuntimeError, match="mine"):
        made.fit(ROWS)
    assert steps_kept(tmp_path) == [10]
    assert np.array_equal(made.network.parameters.vector, best.weights)  # type: ignore[arg-type]


def test_a_callback_that_fails_after_a_step_costs_no_training(tmp_path: Path) -> None:
    class Fails(Watcher):
        def on_step_end(self, *, state: TrainingState, measured: Measurement) -> None:
            if state.progress.steps == 7:
                raise RuntimeError("mine")

    made = stoppable(tmp_path, callbacks=(Fails(),))
    with pytest.raises(RuntimeError, match="mine"):
        made.fit(ROWS)
    assert steps_kept(tmp_path) == [7]
    resumed = stoppable(tmp_path)
    resumed.fit(ROWS, resume=True)
    whole = stoppable(tmp_path / "whole")
    whole.fit(ROWS)
    assert np.array_equal(resumed.network.parameters.vector, whole.network.parameters.vector)


class SavesIn(Watcher):
    """Saves a checkpoint in a hook of the second epoch, to a folder of its own."""

    def __init__(self, hook: str, folder: Path) -> None:
        def save(*, state: TrainingState, **_: Any) -> None:
            if state.progress.epoch == 1:
                Checkpoints(folder).save(state)

        setattr(self, hook, save)


@pytest.mark.parametrize(
    "hook",
    ["on_epoch_begin", "on_step_end", "on_validation_begin", "on_validation_end", "on_epoch_end"],
)
def test_a_checkpoint_saved_in_any_hook_is_resumed_like_those_of_the_trainer(
    tmp_path: Path, hook: str
) -> None:
    def train(folder: Path, *callbacks: Callback, resume: bool = False) -> Trainer:
        stopping = EarlyStopping("validation_loss", patience=2, min_delta=0.5)
        made = trainer(folder, stopping, *callbacks, epochs=6, average=EMA(0.9))
        made.fit(ROWS, HELD_OUT, resume=resume)
        return made

    whole = train(tmp_path / "whole", SavesIn(hook, tmp_path / "own"))
    resumed = train(tmp_path / "own", resume=True)
    assert figures(resumed.history) == figures(whole.history)
    assert resumed.history.stop_reason is whole.history.stop_reason
    assert np.array_equal(resumed.network.parameters.values, whole.network.parameters.values)


def test_copies_made_while_an_epoch_ends_can_be_saved(tmp_path: Path) -> None:
    copies: list[TrainingState] = []

    class Copies(Watcher):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            Checkpoints(tmp_path / "own", warn=print).save(state)
            copies.append(copy.deepcopy(state))

    trainer(tmp_path, Copies(), epochs=1).fit(ROWS)
    (copied,) = copies
    Checkpoints(tmp_path / "copy").save(copied)
    assert steps_kept(tmp_path / "copy") == steps_kept(tmp_path / "own") == [3]


@pytest.mark.parametrize(
    ("part", "method"), [(TrainingState, "end_epoch"), (Probe, "_measure"), (Probe, "measure")]
)
def test_an_interruption_at_the_end_of_an_epoch_gives_it_once_in_the_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: type, method: str
) -> None:
    original = getattr(part, method)

    def interrupted(self: Any, *arguments: Any) -> None:
        original(self, *arguments)
        monkeypatch.setattr(part, method, original)
        raise KeyboardInterrupt

    monkeypatch.setattr(part, method, interrupted)
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path, diagnose=True).fit(ROWS, HELD_OUT)
    history = trainer(tmp_path, diagnose=True).fit(ROWS, HELD_OUT, resume=True)
    assert [record.epoch for record in history] == [0, 1, 2]
    whole = trainer(tmp_path / "whole", diagnose=True).fit(ROWS, HELD_OUT)
    assert figures(history) == figures(whole)


def test_the_hooks_of_an_epoch_run_also_if_its_measurement_is_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    ended: list[int] = []

    class Ended(Watcher):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            ended.append(record.epoch)

    monkeypatch.setattr(Probe, "measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trainer(None, Ended(), diagnose=True).fit(ROWS)
    assert ended == [0]


def test_after_an_error_in_an_update_no_hook_can_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class SavesAtEnd(Watcher):
        def on_train_end(self, *, state: TrainingState) -> None:
            Checkpoints(tmp_path).save(state)

    def fails(*_: object) -> None:
        raise ArithmeticError

    made = trainer(None, SavesAtEnd(), average=EMA(0.9))
    monkeypatch.setattr(EMA, "update", fails)
    with pytest.raises(ArithmeticError):
        made.fit(ROWS)
    assert not steps_kept(tmp_path)
