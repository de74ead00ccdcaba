"""Attacks on a training: unusual callbacks, options, states and stops, and their results."""

import copy
import math
import pickle
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.training.test_trainer import features

from handloom import (
    EMA,
    SGD,
    Adam,
    BestModel,
    BestWeights,
    BinaryCrossEntropy,
    Callback,
    Checkpoints,
    ConfigurationError,
    CSVLog,
    Dataset,
    Dense,
    EarlyStopping,
    History,
    Huber,
    Layer,
    LayerNorms,
    MeanAbsoluteError,
    MeanSquaredError,
    Model,
    ModelError,
    Poisson,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
    StopReason,
    Tanh,
    Trainer,
    Warmup,
)
from handloom.data.augment import AUGMENTATIONS, named_augmentation
from handloom.files import FileError
from handloom.optimizers import OPTIMIZERS, Optimizer
from handloom.schedules import SCHEDULES, named_schedule
from handloom.training import EpochRecord, Measured, TrainingState
from handloom.training.configuration import describe, known_by_name
from handloom.training.serialization import pack, unpack
from handloom.training.snapshot import Snapshot

ROWS, HELD_OUT = features(), features(seed=1)


def network(*layers: Layer, seed: int = 0) -> Sequential:
    return Sequential(layers or (Dense(8), ReLU(), Dense(3))).build((5,), seed=seed)


def trainer(folder: Path | None, *callbacks: Callback, **options: Any) -> Trainer:
    optimizer, rate = options.pop("optimizer", Adam()), options.pop("learning_rate", 0.01)
    every = options.pop("every", 10**6)
    options = {"epochs": 3, "batch_size": 100, "threads": 1, "backend": "numpy", **options}
    checkpoints = None if folder is None else Checkpoints(folder, every=every, keep=50)
    return Trainer(
        network(), optimizer, rate, callbacks=callbacks, checkpoints=checkpoints, **options
    )


def steps_kept(folder: Path) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in folder.glob("step-*"))


class Watcher(Callback):
    """May come and go between stop and resume."""

    changes_results = False


class StopAt(Watcher):
    """Stops as Ctrl-C would, after some optimizer steps."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, *, state: TrainingState, measured: Measured) -> None:
        if state.progress.steps == self.step:
            state.stop(StopReason.INTERRUPTED)


# checkpoints


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


def test_a_schedule_may_give_numbers_of_numpy(tmp_path: Path) -> None:
    rates = np.full(100, 0.01, np.float32)
    history = trainer(tmp_path, learning_rate=lambda step: rates[step], every=1).fit(ROWS)
    assert steps_kept(tmp_path) == [3, 6, 9]
    assert type(history.records[0].learning_rate) is float
    assert History.from_json(history.to_json()).records == history.records


class Odd(Watcher):
    """Has a state of every kind that a checkpoint holds."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}

    def state_dict(self) -> dict[str, Any]:
        return {
            "best": -math.inf,
            "nan": math.nan,
            "count": np.int64(3),
            "rate": np.float32(0.5),
            "a": {"b": np.arange(3), "c": [np.ones(2), {"d": None}]},
            "a.b": np.arange(4.0),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.state = dict(state)


def test_a_state_may_hold_infinity_nested_arrays_and_dots(tmp_path: Path) -> None:
    trainer(tmp_path, Odd(), EarlyStopping("loss", patience=math.inf), StopAt(4)).fit(ROWS)
    odd = Odd()
    trainer(tmp_path, odd, EarlyStopping("loss", patience=math.inf)).fit(ROWS, resume=True)
    state = odd.state
    assert state["best"] == -math.inf
    assert math.isnan(state["nan"])
    assert (state["count"], state["rate"]) == (3, 0.5)
    np.testing.assert_array_equal(state["a"]["b"], [0, 1, 2])
    np.testing.assert_array_equal(state["a"]["c"][0], [1, 1])
    assert state["a"]["c"][1] == {"d": None}
    np.testing.assert_array_equal(state["a.b"], [0, 1, 2, 3])


@pytest.mark.parametrize("value", [{1, 2}, np.array(["a"]), np.array([1j]), object(), {1: 2}])
def test_a_state_that_no_checkpoint_can_hold_is_refused_by_its_place(
    tmp_path: Path, value: Any
) -> None:
    class Holds(Watcher):
        def state_dict(self) -> dict[str, Any]:
            return {"deep": [{"er": value}]}

    with pytest.raises(ConfigurationError, match=r"callbacks\.Holds\.state\.deep\.0\.er"):
        trainer(tmp_path, Holds()).fit(ROWS)


def test_a_state_dict_that_raises_later_costs_a_checkpoint_and_not_the_training(
    tmp_path: Path,
) -> None:
    class Breaks(Watcher):
        calls = 0

        def state_dict(self) -> dict[str, Any]:
            self.calls += 1
            if self.calls == 2:
                raise LookupError("mine")
            return {}

    said: list[str] = []
    made = Trainer(
        *(network(), Adam(), 0.01),
        epochs=3,
        callbacks=[Breaks()],
        checkpoints=Checkpoints(tmp_path, every=1, warn=said.append, keep=9),
    )
    assert made.fit(ROWS).stop_reason is StopReason.MAX_EPOCHS
    assert len(said) == 1
    assert "mine" in said[0]
    assert steps_kept(tmp_path) == [2, 3]


def test_a_figure_that_is_not_a_number_in_the_middle_of_an_epoch_is_kept(tmp_path: Path) -> None:
    class Records(Watcher):
        def on_step_end(self, *, state: TrainingState, measured: Measured) -> None:
            state.record("odd", math.nan if state.progress.steps < 6 else 1.0)

    trainer(tmp_path, Records(), StopAt(4)).fit(ROWS)
    assert steps_kept(tmp_path) == [4]
    history = trainer(tmp_path, Records()).fit(ROWS, resume=True)
    np.testing.assert_array_equal(history["odd"], [math.nan, 1.0, 1.0])


def test_trainings_with_checkpoints_are_copied_and_pickled(tmp_path: Path) -> None:
    made = trainer(tmp_path)
    again: Trainer = pickle.loads(pickle.dumps(made))  # noqa: S301 - our own
    for each in (again, copy.deepcopy(made)):
        assert each.options.checkpoints is not None
        assert each.options.checkpoints.folder == tmp_path


def test_a_trigger_may_have_any_attributes(tmp_path: Path) -> None:
    @dataclass
    class WhenAFileAppears:
        path: Path
        rows: np.ndarray

        def reset(self, state: TrainingState) -> None: ...

        def due(self, state: TrainingState) -> bool:
            return self.path.exists()

    every = WhenAFileAppears(tmp_path / "now", np.arange(3))
    trainer(tmp_path / "run", every=every).fit(ROWS)
    assert steps_kept(tmp_path / "run") == [9]


# resume


def test_epochs_are_not_fewer_than_were_begun(tmp_path: Path) -> None:
    trainer(tmp_path, StopAt(5)).fit(ROWS)
    with pytest.raises(ModelError, match="2 epochs were begun already, epochs is 1"):
        trainer(tmp_path, epochs=1).fit(ROWS, resume=True)
    assert len(trainer(tmp_path, epochs=2).fit(ROWS, resume=True)) == 2


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ({"restore": True}, {"restore": False}, "restore is True there, False here"),
        ({"min_delta": 0.1}, {"min_delta": 0.2}, "min_delta is 0.1 there, 0.2 here"),
        ({"patience": 3}, {"patience": 4}, "patience is 3 there, 4 here"),
    ],
)
def test_a_callback_that_was_made_otherwise_is_refused(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], message: str
) -> None:
    trainer(tmp_path, EarlyStopping("loss", **before), StopAt(4)).fit(ROWS)
    with pytest.raises(ModelError, match=message):
        trainer(tmp_path, EarlyStopping("loss", **after)).fit(ROWS, resume=True)


def test_a_config_does_not_make_a_watcher_of_a_callback() -> None:
    class Sly(Callback):
        def config(self) -> dict[str, object]:
            return {"changes_results": False, "kind": "EarlyStopping"}

    assert describe(Sly())["kind"].endswith("Sly")
    made = trainer(None, Sly())
    assert made.options.describe()["watchers"] == []


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


@pytest.mark.parametrize("step", range(1, 9))
@pytest.mark.parametrize("batch_size", [100, None])
def test_measurements_of_layers_are_the_same_wherever_a_training_was_stopped(
    tmp_path: Path, step: int, batch_size: int | None
) -> None:
    options: dict[str, Any] = {"batch_size": batch_size, "epochs": 3 if batch_size else 9}
    whole = trainer(None, LayerNorms(), **options).fit(ROWS)
    trainer(tmp_path, LayerNorms(), StopAt(step), **options).fit(ROWS)
    resumed = trainer(tmp_path, LayerNorms(), **options).fit(ROWS, resume=True)
    assert resumed.layers == whole.layers


class Counts(Watcher):
    """Counts calls; the count is its state."""

    def __init__(self) -> None:
        self.begun = self.ended = self.steps = 0

    def on_epoch_begin(self, *, state: TrainingState) -> None:
        self.begun += 1

    def on_step_end(self, *, state: TrainingState, measured: Measured) -> None:
        self.steps += 1

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        self.ended += 1

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)


class Stop(Watcher):
    """Stops training in a hook, once."""

    def __init__(self, hook: str, step: int) -> None:
        def stop(*, state: TrainingState, **_: Any) -> None:
            if state.progress.steps == step:
                state.stop(StopReason.INTERRUPTED)

        setattr(self, hook, stop)


class Boom(Watcher):
    """Raises in a hook."""

    def __init__(self, hook: str, step: int) -> None:
        def fail(*, state: TrainingState, **_: Any) -> None:
            if state.progress.steps == step:
                raise RuntimeError("mine")

        setattr(self, hook, fail)


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


def test_what_cannot_be_compared_is_told(tmp_path: Path) -> None:
    trainer(tmp_path, StopAt(4), learning_rate=lambda step: 0.01).fit(ROWS)
    history = trainer(tmp_path, learning_rate=lambda step: 0.02).fit(ROWS, resume=True)
    assert any("learning_rate (" in note and "by name" in note for note in history.notes)


def test_a_refused_resume_leaves_the_finished_training_as_it_is(tmp_path: Path) -> None:
    made = trainer(tmp_path)
    made.fit(ROWS)
    moment = made.state.optimizer.state["first_moment"].copy()
    with pytest.raises(ModelError, match="data is"):
        made.fit(HELD_OUT, resume=True)
    assert (made.state.optimizer.steps, made.state.progress.steps) == (9, 9)
    np.testing.assert_array_equal(made.state.optimizer.state["first_moment"], moment)


def test_damaged_weights_of_a_callback_are_refused_by_the_checkpoint(tmp_path: Path) -> None:
    trainer(tmp_path, BestWeights("loss"), StopAt(7)).fit(ROWS)
    snapshot = Checkpoints(tmp_path).newest()
    assert snapshot is not None
    snapshot.arrays["callbacks.BestWeights.state.weights"] = np.zeros(1)
    state = trainer(None, BestWeights("loss")).prepare(ROWS).state
    best = state.callbacks["BestWeights"]
    assert isinstance(best, BestWeights)
    best.on_train_begin(state=state)
    with pytest.raises(ModelError, match="the best weights must be float32 of shape"):
        snapshot.restore_callbacks(state)
    snapshot.values["callbacks"]["BestWeights"]["state"] = {}
    with pytest.raises(ModelError, match=r"the state of BestWeights cannot be loaded: Key"):
        snapshot.restore_callbacks(state)


# warm starts


def test_a_warm_start_goes_by_names_or_not_at_all() -> None:
    first = trainer(None, optimizer=SGD(), epochs=9)
    first.fit(ROWS)
    frozen = Sequential([Dense(8), ReLU(), Dense(3)])
    frozen.build((5,)).freeze("0.dense")
    others = [
        (frozen, "among the trained arrays, 0.dense.weights"),
        (network(Dense(4), ReLU(), Dense(6), ReLU(), Dense(3)), "among the arrays"),
    ]
    for other, message in others:
        start = other.parameters.values.copy()
        with pytest.raises(ModelError, match=message):
            Trainer(other, SGD(), 0.1).fit(ROWS, warm=first.state)
        np.testing.assert_array_equal(other.parameters.values, start)
    again = network(Dense(8), Tanh(), Dense(3), seed=9)
    second = Trainer(again, SGD(), 1e-30, epochs=1)
    second.fit(ROWS, warm=first.state)
    for name, array in first.network.parameters.weights.items():
        np.testing.assert_array_equal(again.parameters.weights[name], array)


def test_a_refused_warm_start_changes_nothing() -> None:
    first, second = trainer(None, optimizer=SGD(momentum=0.9)), trainer(None)
    first.fit(ROWS)
    second.fit(ROWS)
    weights = second.network.parameters.values.copy()
    with pytest.raises(ModelError, match="the optimizer is sgd with velocity there, adam"):
        second.fit(ROWS, warm=first.state)
    np.testing.assert_array_equal(second.network.parameters.values, weights)
    assert (second.state.optimizer.steps, len(second.history)) == (9, 3)
    with pytest.raises(ConfigurationError, match="warm must be an instance of Training"):
        second.fit(ROWS, warm=first)  # type: ignore[arg-type]


def test_a_warm_start_with_an_average_ends_with_the_warm_weights() -> None:
    class StopAtOnce(Callback):
        def on_epoch_begin(self, *, state: TrainingState) -> None:
            state.stop(StopReason.INTERRUPTED)

    first = trainer(None)
    first.fit(ROWS)
    second = trainer(None, StopAtOnce(), average=EMA())
    second.network.parameters.values[...] = np.nan
    second.fit(ROWS, warm=first.state)
    np.testing.assert_array_equal(second.network.parameters.values, first.network.parameters.values)


def test_no_training_starts_warm_from_one_that_diverged() -> None:
    first = trainer(None, optimizer=SGD(momentum=0.9), learning_rate=1e30)
    first.fit(ROWS)
    with pytest.raises(ModelError, match="that diverged"):
        trainer(None, optimizer=SGD(momentum=0.9)).fit(ROWS, warm=first.state)


# callbacks and figures


def test_a_refused_training_leaves_the_log_of_the_one_before(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    trainer(None, CSVLog(log)).fit(ROWS)
    before = log.read_text()
    with pytest.raises(ConfigurationError, match="EarlyStopping watches 'validation_loss', which"):
        trainer(None, CSVLog(log), EarlyStopping()).fit(ROWS)
    assert log.read_text() == before


def test_the_error_that_ended_training_is_the_one_that_is_raised() -> None:
    class Also(Callback):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            raise KeyError("second")

        def on_train_end(self, *, state: TrainingState) -> None:
            raise LookupError("third")

    with pytest.raises(RuntimeError, match="mine") as caught:
        trainer(None, Boom("on_epoch_end", 3), Also()).fit(ROWS)
    assert any("second" in note for note in caught.value.__notes__)
    assert any("third" in note for note in caught.value.__notes__)


def test_an_exit_in_one_end_does_not_keep_others_from_theirs() -> None:
    class Leaves(Callback):
        def on_train_end(self, *, state: TrainingState) -> None:
            sys.exit(3)

    best = BestWeights("loss")
    made = trainer(None, Leaves(), best)
    with pytest.raises(SystemExit):
        made.fit(ROWS)
    np.testing.assert_array_equal(made.network.parameters.values, best.weights)


@pytest.mark.parametrize("reason", ["plateau", None, 3])
def test_a_reason_to_stop_is_one_of_those_there_are(reason: Any) -> None:
    class Stops(Callback):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            state.stop(reason)

    with pytest.raises(ConfigurationError, match=r"unknown StopReason .*early_stopping"):
        trainer(None, Stops()).fit(ROWS)


@pytest.mark.parametrize(
    "value", [np.array([1.0, 2.0]), np.array([1.0]), 10**400, "1.5", np.bool_(1), 1j, None]
)
def test_a_recorded_figure_is_one_number(value: Any) -> None:
    class Records(Callback):
        def on_epoch_begin(self, *, state: TrainingState) -> None:
            state.record("mine", value)

    with pytest.raises(ConfigurationError, match="mine must be a number"):
        trainer(None, Records()).fit(ROWS)


def test_a_figure_cannot_be_recorded_after_the_last_epoch() -> None:
    class Late(Callback):
        def on_train_end(self, *, state: TrainingState) -> None:
            state.record("late", 1.0)

    with pytest.raises(ConfigurationError, match="late: training has ended"):
        trainer(None, Late()).fit(ROWS)


def test_a_figure_may_be_recorded_in_some_epochs_only() -> None:
    class Third(Callback):
        def on_epoch_begin(self, *, state: TrainingState) -> None:
            if state.progress.epoch % 3 == 0:
                state.record("third", -state.progress.epoch)

    best = EarlyStopping("third", goal="high", patience=2)
    assert len(trainer(None, Third(), best, epochs=9).fit(ROWS)) == 7
    assert best.epoch == 0


@pytest.mark.parametrize("monitor", ["epoch", "seconds", "learning_rate", "bad name", 3])
def test_what_no_figure_can_be_is_not_watched(monitor: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"unknown figure to monitor|must be a word"):
        EarlyStopping(monitor, goal="low")


def test_a_hook_with_other_arguments_is_refused_where_it_is_defined() -> None:
    with pytest.raises(ConfigurationError, match=r"Old\.on_epoch_end is called with state, record"):

        class Old(Callback):
            def on_epoch_end(self, *, trainer: Any, record: Any) -> None: ...  # type: ignore[override]

    class Fine(Callback):
        def on_epoch_end(self, **_: Any) -> None: ...

    Fine()


def test_a_copy_of_the_options_knows_that_no_loss_was_passed() -> None:
    continuous = Dataset(ROWS.inputs, np.ones((300, 1)), ("a",))
    made = Trainer(network(Dense(1)), Adam(), 0.01, epochs=1)
    for each in (made, copy.deepcopy(made)):
        with pytest.raises(ConfigurationError, match="loss must be set"):
            each.fit(continuous)


@pytest.mark.parametrize(
    ("option", "value"),
    [("optimizer", "adam"), ("optimizer", Adam), ("average", 0.99), ("checkpoints", "folder")],
)
def test_an_option_of_another_kind_is_refused_at_once(option: str, value: Any) -> None:
    options: dict[str, Any] = {"optimizer": Adam(), option: value}
    with pytest.raises(ConfigurationError, match=f"{option} must be an instance of"):
        Trainer(network(), options.pop("optimizer"), 0.1, **options)


def test_a_training_that_stopped_before_the_first_step_of_an_epoch_keeps_its_good_weights(
    tmp_path: Path,
) -> None:
    def rate(step: int) -> float:
        return 1e30 if step >= 6 else 0.01

    options: dict[str, Any] = {"optimizer": SGD(), "learning_rate": rate, "epochs": 4}
    whole = trainer(None, LayerNorms(), **options)
    assert whole.fit(ROWS).divergence is not None
    for stop in (Stop("on_epoch_begin", 3), Stop("on_step_begin", 3)):
        folder = tmp_path / next(iter(vars(stop)))
        trainer(folder, LayerNorms(), stop, **options).fit(ROWS)
        resumed = trainer(folder, LayerNorms(), **options)
        resumed.network.parameters.values[...] = 0.0  # what a new process begins with
        history = resumed.fit(ROWS, resume=True)
        assert history.layers == whole.history.layers
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


def test_a_training_that_is_run_by_hand_replaces_no_checkpoints(tmp_path: Path) -> None:
    trainer(tmp_path).fit(ROWS)
    with pytest.raises(FileError, match="holds the checkpoints of a training"):
        trainer(tmp_path, epochs=1).prepare(ROWS)
    assert steps_kept(tmp_path) == [9]


def test_an_optimizer_that_trained_another_network_since_is_no_warm_start() -> None:
    optimizer = Adam()
    first, second = trainer(None, optimizer=optimizer), trainer(None, optimizer=optimizer)
    first.fit(ROWS)
    second.fit(ROWS)
    with pytest.raises(ModelError, match="another training has used that optimizer since"):
        trainer(None).fit(ROWS, warm=first.state)
    trainer(None).fit(ROWS, warm=second.state)


def test_a_warm_start_that_a_callback_refuses_leaves_the_network_as_it_is() -> None:
    first, second = trainer(None), trainer(None, BestWeights("validation_loss"))
    first.fit(ROWS)
    before = second.network.parameters.values.copy()
    with pytest.raises(ConfigurationError, match="not measured"):
        second.fit(ROWS, warm=first.state)
    np.testing.assert_array_equal(second.network.parameters.values, before)


def test_patience_counts_the_epochs_that_have_the_figure() -> None:
    class Second(Callback):
        def on_epoch_begin(self, *, state: TrainingState) -> None:
            if state.progress.epoch % 2 == 0:
                state.record("second", 1.0)

    stopping = EarlyStopping("second", goal="high", patience=3)
    assert len(trainer(None, Second(), stopping, epochs=20).fit(ROWS)) == 7


def test_a_step_that_breaks_weights_is_told_though_a_callback_stopped_there() -> None:
    class Stops(Callback):
        def on_step_end(self, *, state: TrainingState, measured: Measured) -> None:
            if state.progress.steps == 4:
                state.stop(StopReason.EARLY_STOPPING)

    made = trainer(
        None, Stops(), optimizer=SGD(), learning_rate=lambda step: 1e39 if step == 3 else 0.01
    )
    assert made.fit(ROWS).divergence is not None
    assert np.isfinite(made.network.parameters.values).all()


# the second round


def test_a_training_is_run_once_by_the_trainer_that_prepared_it(tmp_path: Path) -> None:
    first, second = trainer(tmp_path, average=EMA(0.9)), trainer(None)
    prepared = first.prepare(ROWS)
    with pytest.raises(ModelError, match="another one prepared"):
        second.run(prepared)
    first.run(prepared)
    with pytest.raises(ModelError, match="this training has ended"):
        first.run(prepared)
    longer = trainer(tmp_path, average=EMA(0.9), epochs=5)
    longer.fit(ROWS, resume=True)
    whole = trainer(None, average=EMA(0.9), epochs=5)
    whole.fit(ROWS)
    assert np.array_equal(longer.network.parameters.values, whole.network.parameters.values)


@dataclass
class Named:
    """A schedule with fields that are named like entries of a description."""

    kind: str
    config: float = 0.0
    changes_results: str = "no"

    def __call__(self, step: int) -> float:
        return 0.01 if self.kind == "slow" else 0.5


def test_fields_may_have_any_name_and_are_compared(tmp_path: Path) -> None:
    trainer(tmp_path, StopAt(4), learning_rate=Named("slow")).fit(ROWS)
    with pytest.raises(ModelError, match="its kind is slow there, fast here"):
        trainer(tmp_path, learning_rate=Named("fast")).fit(ROWS, resume=True)
    with pytest.raises(ModelError, match=r"config is 0\.0 there, 1\.0 here"):
        trainer(tmp_path, learning_rate=Named("slow", 1.0)).fit(ROWS, resume=True)
    trainer(tmp_path, learning_rate=Named("slow")).fit(ROWS, resume=True)


def test_a_config_with_nan_is_one_made_alike(tmp_path: Path) -> None:
    class Capped(EarlyStopping):
        def config(self) -> dict[str, object]:
            return {**super().config(), "ceiling": math.nan, "kinds": (Dense, Path("a"))}

    trainer(tmp_path, Capped("loss", min_delta=9.0, patience=2), StopAt(5)).fit(ROWS)
    capped = Capped("loss", min_delta=9.0, patience=2)
    history = trainer(tmp_path, capped, epochs=9).fit(ROWS, resume=True)
    assert len(history) == 3
    assert not any("starts without a state" in note for note in history.notes)


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


def test_an_optimizer_of_ones_own_needs_no_kind_to_be_resumed(tmp_path: Path) -> None:
    class Signs(Optimizer):
        def update(self, w: Any, dw: Any, state: Any, rate: float, scratch: Any) -> None:
            w -= rate * np.sign(dw)

        def config(self) -> dict[str, object]:
            return {"weight_decay": self.weight_decay}

    trainer(tmp_path, StopAt(4), optimizer=Signs()).fit(ROWS)
    resumed = trainer(tmp_path, optimizer=Signs())
    resumed.fit(ROWS, resume=True)
    trainer(None, optimizer=Signs()).fit(ROWS, warm=resumed.state)


class Limit(Callback):
    """Has a parameter that its config omits."""

    def __init__(self, limit: float) -> None:
        self.limit = limit


class Other(SoftmaxCrossEntropy):
    """Has one more parameter than the class whose config it inherits."""

    def __init__(self, more: float) -> None:
        super().__init__()
        self.more = more


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"callbacks": [Limit(0.5)]}, {"callbacks": [Limit(0.9)]}, "callbacks 0 (Limit)"),
        ({"loss": Other(0.5)}, {"loss": Other(0.9)}, "loss (Other)"),
        (
            {"callbacks": [BestWeights("loss", improves=lambda value, best: value < best)]},
            {"callbacks": [BestWeights("loss", improves=lambda value, best: value > best)]},
            "improves",
        ),
    ],
)
def test_what_says_nothing_of_its_parameters_is_told(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], told: str
) -> None:
    def fit(folder: Path, *more: Callback, resume: bool = False, **options: Any) -> History:
        callbacks = [*options.pop("callbacks", []), *more]
        return trainer(folder, *callbacks, **options).fit(ROWS, resume=resume)

    fit(tmp_path, StopAt(4), **before)
    history = fit(tmp_path, resume=True, **after)
    assert any(told in note and "by name" in note for note in history.notes), history.notes


def test_all_parts_of_the_library_say_how_they_were_made() -> None:
    parts: list[object] = [
        *(optimizer() for optimizer in OPTIMIZERS.values()),
        *(named_schedule(name, 0.1, 9) for name in SCHEDULES),
        *(named_augmentation(name) for name in AUGMENTATIONS),
        *(BestWeights("loss"), EarlyStopping("loss"), EMA(), SoftmaxCrossEntropy(0.1)),
        *(MeanSquaredError(), MeanAbsoluteError(), Huber(), Poisson(), BinaryCrossEntropy()),
        Warmup(3, 0.1),
    ]
    for part in parts:
        assert list(known_by_name(describe(part))) == [], part


def test_a_schedule_may_count_its_steps_with_numpy(tmp_path: Path) -> None:
    class Made:
        steps = np.int64(9)

        def __call__(self, step: int) -> float:
            return 0.01

    trainer(tmp_path, StopAt(4), learning_rate=Made()).fit(ROWS)
    with pytest.raises(ModelError, match="made for 9 steps"):
        trainer(tmp_path, learning_rate=Made(), epochs=9).fit(ROWS, resume=True)


def test_a_config_that_is_none_is_refused_by_its_class(tmp_path: Path) -> None:
    class Forgets(Callback):
        def config(self) -> Any:
            pass

    with pytest.raises(ConfigurationError, match=r"config\(\) of Forgets must return a dict"):
        trainer(tmp_path, Forgets()).fit(ROWS)


def test_hooks_may_be_static() -> None:
    class Static(Callback):
        calls: list[int] = []  # noqa: RUF012

        @staticmethod
        def on_epoch_end(*, state: TrainingState, record: EpochRecord) -> None:
            Static.calls.append(record.epoch)

        @classmethod
        def on_epoch_begin(cls, *, state: TrainingState) -> None:
            cls.calls.append(-1)

    trainer(None, Static(), epochs=2).fit(ROWS)
    assert Static.calls == [-1, 0, -1, 1]


def test_an_interrupt_comes_before_every_other_error() -> None:
    class Interrupts(Callback):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer(None, Boom("on_epoch_end", 3), Interrupts()).fit(ROWS)


def test_arrays_whose_names_would_clash_are_all_kept() -> None:
    one, two, three = np.ones(1), np.full(1, 2.0), np.full(1, 3.0)
    arrays: dict[str, Any] = {}
    packed = pack({"a.b'": one, "a": {"b": two}, "a.b": three}, arrays)
    unpacked = unpack(packed, arrays)
    assert (unpacked["a.b'"], unpacked["a"]["b"], unpacked["a.b"]) == (one, two, three)
    with pytest.raises(ConfigurationError, match="MaskedArray"):
        pack({"a": np.ma.masked_array([1.0], [True])}, {})


def test_a_callback_cannot_say_that_a_training_diverged() -> None:
    class Says(Callback):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            state.stop(StopReason.NON_FINITE_LOSS)

    with pytest.raises(ConfigurationError, match="only the trainer sets"):
        trainer(None, Says()).fit(ROWS)


def test_a_callback_is_there_once() -> None:
    twice = EarlyStopping("loss")
    with pytest.raises(ConfigurationError, match="got the same EarlyStopping twice"):
        trainer(None, twice, twice)


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


def test_a_checkpoint_from_before_an_option_was_there_is_resumed(tmp_path: Path) -> None:
    trainer(tmp_path, StopAt(4)).fit(ROWS)
    snapshot = Checkpoints(tmp_path).newest()
    assert snapshot is not None
    del snapshot.configuration["shuffle"], snapshot.configuration["clip_norm"]
    made = trainer(tmp_path)
    notes = made.prepare(ROWS, snapshot=snapshot).state.history.notes
    assert notes == ["resumed with watchers [], before ['StopAt']"]
    with pytest.raises(ModelError, match="shuffle is True there, False here"):
        trainer(tmp_path, shuffle=False).prepare(ROWS, snapshot=snapshot)
