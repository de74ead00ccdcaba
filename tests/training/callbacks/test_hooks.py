"""Hooks: called in order, at no cost if not overridden; an error in one leaves a valid state."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import HELD_OUT, ROWS, short_trainer

from handloom import (
    EMA,
    Callback,
    Checkpoints,
    CSVLog,
    EarlyStopping,
    Progress,
    StopReason,
    Trainer,
)
from handloom.locks import only_writer
from handloom.training import EpochRecord, TrainingState, epoch
from handloom.training.callbacks.base import Hooks
from handloom.training.objective import Measurement

HOOKS = [
    name
    for name in vars(Callback)
    if name.startswith("on_") and "compile" not in name  # those are in test_compilation.py
]


class Diary(Callback):
    """Records every call of every hook."""

    changes_results = False

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name in HOOKS:
            self.calls.append(name)
        return super().__getattribute__(name)


def test_hooks_are_called_in_order() -> None:
    diary = Diary()
    made = short_trainer(diary)
    diary.calls.clear()
    made._hooks.has_step_hooks = True
    made.fit(ROWS, HELD_OUT)
    hooks_of_epoch = [
        "on_epoch_begin",
        *(2 * ["on_step_begin", "on_step_end"]),
        *("on_validation_begin", "on_validation_end", "on_epoch_end"),
    ]
    assert diary.calls == ["on_train_begin", *hooks_of_epoch, *hooks_of_epoch, "on_train_end"]


def test_a_hook_gets_the_state_as_it_is_then() -> None:
    seen: list[tuple[object, ...]] = []

    class Look(Callback):
        def on_epoch_begin(self, *, state: TrainingState) -> None:
            seen.append(("epoch", state.progress.epoch, len(state.history)))

        def on_step_begin(self, *, state: TrainingState) -> None:
            seen.append(("step", state.progress.steps, state.progress.epoch_steps))

        def on_validation_end(self, *, state: TrainingState, measured: Measurement) -> None:
            seen.append(("validated", measured.rows, len(state.history)))

        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            assert state.history.records[-1] is record
            assert state.progress.epoch == record.epoch
            seen.append(("end", record.epoch, len(state.history)))

    short_trainer(Look()).fit(ROWS, HELD_OUT)
    assert seen == [
        *[("epoch", 0, 0), ("step", 0, 0), ("step", 1, 1), ("validated", 300, 0), ("end", 0, 1)],
        *[("epoch", 1, 1), ("step", 2, 0), ("step", 3, 1), ("validated", 300, 1), ("end", 1, 2)],
    ]


def test_step_hooks_cost_nothing_where_no_callback_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epoch, "CALL_SECONDS", 1e9)
    calls: list[str] = []

    class Epochs(Callback):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None: ...

    class Before(Callback):
        def on_step_begin(self, *, state: TrainingState) -> None:
            calls.append("step")

    assert not Hooks([Epochs(), CSVLog("log.csv"), EarlyStopping(), Progress()]).has_step_hooks
    assert Hooks([Epochs(), Before()]).has_step_hooks
    short_trainer(Before()).fit(ROWS)
    assert len(calls) == 4


def test_the_validation_hooks_see_the_averaged_weights() -> None:
    seen: list[bool] = []

    class Look(Callback):
        def on_validation_begin(self, *, state: TrainingState) -> None:
            values = state.network.parameters.values
            seen.append(np.array_equal(values, state.validated_weights))

        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            values = state.network.parameters.values
            seen.append(np.array_equal(values, state.validated_weights))

    short_trainer(Look(), average=EMA(0.9), epochs=1).fit(ROWS, HELD_OUT)
    assert seen == [True, False]


def test_a_stop_in_any_hook_ends_training() -> None:
    steps = {
        "on_train_begin": 0,
        "on_epoch_begin": 0,
        "on_step_begin": 1,
        "on_step_end": 1,
        "on_validation_begin": 2,
        "on_validation_end": 2,
        "on_epoch_end": 2,
    }
    for hook, made_steps in steps.items():

        class Stop(Callback):
            pass

        def stop(self: Callback, *, state: TrainingState, **_: Any) -> None:
            state.stop(StopReason.EARLY_STOPPING)

        setattr(Stop, hook, stop)
        made = short_trainer(Stop())
        history = made.fit(ROWS, HELD_OUT)
        assert history.stop_reason is StopReason.EARLY_STOPPING, hook
        assert made.state.progress.steps == made_steps, hook


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_runs_in_the_error_state_of_the_caller(hook: str) -> None:
    seen: list[object] = []

    class Look(Callback):
        pass

    def look(self: Callback, **_: Any) -> None:
        seen.append(np.geterr())

    setattr(Look, hook, look)
    with np.errstate(over="raise", invalid="call", divide="ignore"):
        expected = np.geterr()
        short_trainer(Look(), average=EMA(0.9)).fit(ROWS, HELD_OUT)
    assert seen
    assert all(state == expected for state in seen)


@pytest.mark.parametrize("average", [None, 0.9])
@pytest.mark.parametrize("hook", HOOKS)
def test_an_error_in_any_hook_leaves_everything_in_order(
    tmp_path: Path, hook: str, average: float | None
) -> None:
    class Raises(Callback):
        changes_results = False

    def fail(self: Callback, *, state: TrainingState, **_: Any) -> None:
        at_the_end = hook == "on_train_end"
        if at_the_end or hook == "on_train_begin" or state.progress.steps >= 3:
            raise RuntimeError("mine")

    setattr(Raises, hook, fail)
    log, ended = tmp_path / "log.csv", Ended()
    options: dict[str, Any] = {"average": None if average is None else EMA(average), "epochs": 3}

    def make(*callbacks: Callback, folder: str = "cut") -> Trainer:
        return short_trainer(*callbacks, checkpoints=Checkpoints(tmp_path / folder), **options)

    made = make(CSVLog(log), ended, Raises())
    with pytest.raises(RuntimeError, match="mine"):
        made.fit(ROWS, HELD_OUT)
    state = made.state
    assert ended.calls == 1
    assert log.read_text() == state.history.to_csv()
    with only_writer(tmp_path / "cut"):  # the lock is free
        pass
    (tmp_path / "cut" / ".lock").unlink(missing_ok=True)
    if hook != "on_train_begin":
        steps = [int(path.name.removeprefix("step-")) for path in (tmp_path / "cut").glob("step-*")]
        assert max(steps) == state.progress.steps
    whole = make(folder="whole")
    whole.fit(ROWS, HELD_OUT)
    resumed = make()
    resumed.fit(ROWS, HELD_OUT, resume=True)
    assert np.array_equal(whole.network.parameters.values, resumed.network.parameters.values)
    columns = [name for name in whole.history.columns if name != "seconds"]
    for name in columns:
        np.testing.assert_array_equal(whole.history[name], resumed.history[name])


class Ended(Callback):
    """Counts how often training ended."""

    changes_results = False
    calls = 0

    def on_train_end(self, *, state: TrainingState) -> None:
        self.calls += 1
