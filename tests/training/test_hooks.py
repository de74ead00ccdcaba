"""Hooks: called in order, at no cost if not overridden; an error in one leaves a valid state."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.training.test_trainer import features

from handloom import (
    EMA,
    Adam,
    BestWeights,
    Callback,
    Checkpoints,
    ConfigurationError,
    CSVLog,
    Dense,
    EarlyStopping,
    History,
    Progress,
    ReLU,
    Sequential,
    StopReason,
    Trainer,
)
from handloom.locks import only_writer
from handloom.training import EpochRecord, LayerNorms, TrainingState, trainer as loop
from handloom.training.callbacks.base import Hooks
from handloom.training.objective import Measured

ROWS, HELD_OUT = features(), features(seed=1)
HOOKS = [name for name in vars(Callback) if name.startswith("on_")]


def trainer(*callbacks: Callback, **options: Any) -> Trainer:
    network = Sequential([Dense(8), ReLU(), Dense(3)]).build((5,))
    options = {"epochs": 2, "batch_size": 150, "threads": 1, "backend": "numpy", **options}
    return Trainer(network, Adam(), 0.01, callbacks=callbacks, **options)


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
    made = trainer(diary)
    diary.calls.clear()
    made._hooks.steps = True
    made.fit(ROWS, HELD_OUT)
    epoch = [
        "on_epoch_begin",
        *(2 * ["on_step_begin", "on_step_end"]),
        *("on_validation_begin", "on_validation_end", "on_epoch_end"),
    ]
    assert diary.calls == ["on_train_begin", *epoch, *epoch, "on_train_end"]


def test_a_hook_gets_the_state_as_it_is_then() -> None:
    seen: list[tuple[object, ...]] = []

    class Look(Callback):
        def on_epoch_begin(self, *, state: TrainingState) -> None:
            seen.append(("epoch", state.progress.epoch, len(state.history)))

        def on_step_begin(self, *, state: TrainingState) -> None:
            seen.append(("step", state.progress.steps, state.progress.epoch_steps))

        def on_validation_end(self, *, state: TrainingState, measured: Measured) -> None:
            seen.append(("validated", measured.rows, len(state.history)))

        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            assert state.history.records[-1] is record
            assert state.progress.epoch == record.epoch
            seen.append(("end", record.epoch, len(state.history)))

    trainer(Look()).fit(ROWS, HELD_OUT)
    assert seen == [
        *[("epoch", 0, 0), ("step", 0, 0), ("step", 1, 1), ("validated", 300, 0), ("end", 0, 1)],
        *[("epoch", 1, 1), ("step", 2, 0), ("step", 3, 1), ("validated", 300, 1), ("end", 1, 2)],
    ]


def test_step_hooks_cost_nothing_where_no_callback_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "CALL_SECONDS", 1e9)
    calls: list[str] = []

    class Epochs(Callback):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None: ...

    class Before(Callback):
        def on_step_begin(self, *, state: TrainingState) -> None:
            calls.append("step")

    assert not Hooks([Epochs(), CSVLog("log.csv"), EarlyStopping(), Progress()]).steps
    assert Hooks([Epochs(), Before()]).steps
    trainer(Before()).fit(ROWS)
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

    trainer(Look(), average=EMA(0.9), epochs=1).fit(ROWS, HELD_OUT)
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
        made = trainer(Stop())
        history = made.fit(ROWS, HELD_OUT)
        assert history.stop_reason is StopReason.EARLY_STOPPING, hook
        assert made.state.progress.steps == made_steps, hook


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
        return trainer(*callbacks, checkpoints=Checkpoints(tmp_path / folder), **options)

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


class Errors(Callback):
    """Records the fraction of wrong predictions on validation rows."""

    changes_results = False

    def on_validation_end(self, *, state: TrainingState, measured: Measured) -> None:
        state.record("validation_error", 1.0 - measured.accuracy)


def test_a_recorded_figure_is_a_column_like_any_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, best = tmp_path / "log.csv", BestWeights("validation_error", goal="low")
    made = trainer(CSVLog(log), best, Progress(every=1), Errors(), epochs=4)
    history = made.fit(ROWS, HELD_OUT)
    np.testing.assert_allclose(
        history["validation_error"], 1.0 - history["validation_accuracy"], rtol=1e-12
    )
    assert best.epoch == int(history["validation_error"].argmin())
    assert log.read_text() == history.to_csv()
    (first, *_) = csv.DictReader(log.read_text().splitlines())
    assert float(first["validation_error"]) == history["validation_error"][0]
    assert "validation_error 0." in capsys.readouterr().err
    again = History.from_json(history.to_json())
    assert again.columns == history.columns
    np.testing.assert_array_equal(again["validation_error"], history["validation_error"])


def test_a_figure_that_is_recorded_now_and_then_is_nan_in_between(tmp_path: Path) -> None:
    class Odd(Callback):
        def on_epoch_begin(self, *, state: TrainingState) -> None:
            if state.progress.epoch % 2:
                state.record("odd", state.progress.epoch)

    log = tmp_path / "log.csv"
    history = trainer(Odd(), CSVLog(log), epochs=4).fit(ROWS)
    np.testing.assert_array_equal(history["odd"], [np.nan, 1.0, np.nan, 3.0])
    assert log.read_text() == history.to_csv()
    again = History.from_json(history.to_json())
    np.testing.assert_array_equal(again["odd"], history["odd"])


def test_a_figure_recorded_in_the_middle_of_an_epoch_survives_a_stop(tmp_path: Path) -> None:
    class Early(Callback):
        changes_results = False

        def on_epoch_begin(self, *, state: TrainingState) -> None:
            state.record("rate", 0.5 + state.progress.epoch)

    class Stop(Callback):
        changes_results = False

        def on_step_end(self, *, state: TrainingState, measured: Measured) -> None:
            if state.progress.steps == 3:
                state.stop(StopReason.INTERRUPTED)

    trainer(Early(), Stop(), checkpoints=Checkpoints(tmp_path)).fit(ROWS)
    history = trainer(Early(), checkpoints=Checkpoints(tmp_path)).fit(ROWS, resume=True)
    assert list(history["rate"]) == [0.5, 1.5]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("loss", 1.0, "'loss' is measured by the trainer"),
        ("top 5", 1.0, "must be a word"),
        ("a,b", 1.0, "must be a word"),
        ("", 1.0, "must be a word"),
        ("top5", "high", "top5 must be a number, got 'high'"),
        ("top5", True, "top5 must be a number"),
        ("top5", None, "top5 must be a number"),
    ],
)
def test_a_figure_that_no_column_can_hold_is_refused(name: str, value: Any, message: str) -> None:
    class Records(Callback):
        def on_epoch_begin(self, *, state: TrainingState) -> None:
            state.record(name, value)

    with pytest.raises(ConfigurationError, match=message):
        trainer(Records()).fit(ROWS)


def test_an_unknown_monitor_names_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"'val_loss'.*Did you mean 'validation_loss'"):
        EarlyStopping("val_loss")
    with pytest.raises(ConfigurationError, match=r"'top4'.*top5.*Did you mean 'top5'"):
        trainer(Top5(), BestWeights("top4", goal="high")).fit(ROWS, HELD_OUT)
    with pytest.raises(ConfigurationError, match="'loss' is best low, got goal='high'"):
        BestWeights("loss", goal="high")
    with pytest.raises(ConfigurationError, match="unknown goal 'max'"):
        BestWeights("top5", goal="max")  # type: ignore[arg-type]


class Top5(Callback):
    def on_validation_end(self, *, state: TrainingState, measured: Measured) -> None:
        state.record("top5", measured.accuracy)


def test_a_criterion_of_improvement_can_be_passed() -> None:
    def any_at_all(value: float, best: float) -> bool:
        return value != best

    last = BestWeights("validation_loss", improves=any_at_all)
    trainer(last, epochs=5).fit(ROWS, HELD_OUT)
    assert last.epoch == 4
    never = EarlyStopping("loss", patience=2, improves=lambda value, best: False)
    assert len(trainer(never, epochs=9).fit(ROWS)) == 3
    with pytest.raises(ConfigurationError, match="improves replaces goal and min_delta"):
        BestWeights("loss", improves=any_at_all, min_delta=0.1)


def test_the_norms_of_layers_are_measured_epoch_by_epoch() -> None:
    start: dict[str, np.ndarray] = {}
    made = trainer(LayerNorms(), epochs=2)
    start = {name: array.copy() for name, array in made.network.parameters.weights.items()}
    history = made.fit(ROWS)
    assert [(record.epoch, record.array) for record in history.layers] == [
        (epoch, name) for epoch in (0, 1) for name in start
    ]
    weights = made.network.parameters.weights
    for record in history.layers[4:]:
        assert record.weights == pytest.approx(np.linalg.norm(weights[record.array]), rel=1e-5)
        gradient = made.network.parameters.gradients[record.array]
        assert record.gradient == pytest.approx(np.linalg.norm(gradient), rel=1e-5)
    moved = [np.linalg.norm(weights[name] - start[name]) for name in start]
    both = [history.layers[index].update + history.layers[index + 4].update for index in range(4)]
    assert all(m <= b for m, b in zip(moved, both, strict=True))
    assert History.from_json(history.to_json()).layers == history.layers
