"""TensorBoardLog: TensorBoard's own reader finds the history, whatever ended a training."""

import copy
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import HELD_OUT, ROWS, short_trainer
from tests.training.helpers import Boom, StopAt, Watcher

from handloom import (
    SGD,
    Callback,
    Checkpoints,
    ConfigurationError,
    Dense,
    DivergenceWarning,
    EarlyStopping,
    History,
    LayerNorms,
    Sequential,
    TensorBoardLog,
    Trainer,
    evaluate,
)
from handloom.errors import MissingExtraError, ModelError
from handloom.files import FileError
from handloom.training import EpochRecord, TrainingState
from handloom.training.callbacks import event_file

TAGS = {
    "loss": "loss/train",
    "accuracy": "accuracy/train",
    "validation_loss": "loss/validation",
    "validation_accuracy": "accuracy/validation",
    "learning_rate": "learning_rate",
}


@pytest.fixture(autouse=True)
def _packages(request: pytest.FixtureRequest) -> None:
    """Skip a test without the packages, unless it needs none."""
    if "anywhere" not in request.node.name:
        pytest.importorskip("tensorboardX")
        pytest.importorskip("tensorboard")


def read(run: Path) -> Any:
    """Return all that TensorBoard's reader has of a folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    everything = {"scalars": 0, "tensors": 0, "histograms": 0}
    return EventAccumulator(str(run), size_guidance=everything).Reload()


def assert_shows(run: Path, history: History, *names: str) -> None:
    """Check that every epoch of a history is there, once and in order."""
    shown = read(run)
    for name in names or TAGS:
        scalars = shown.Scalars(TAGS[name])
        assert [each.step for each in scalars] == list(range(len(history)))
        np.testing.assert_allclose([each.value for each in scalars], history[name], rtol=1e-6)


def hyperparameters(run: Path) -> dict[str, Any]:
    """Return the values of the tab HParams."""
    from tensorboard.plugins.hparams import metadata

    tag = metadata.SESSION_START_INFO_TAG
    content = read(run).SummaryMetadata(tag).plugin_data.content
    values = metadata.parse_session_start_info_plugin_data(content).hparams
    return {name: getattr(each, each.WhichOneof("kind")) for name, each in values.items()}


def status(run: Path) -> str | None:
    """Return how the tab HParams says that a training ended."""
    from tensorboard.plugins.hparams import api_pb2, metadata

    shown = read(run)
    if metadata.SESSION_END_INFO_TAG not in shown.PluginTagToContent("hparams"):
        return None
    content = shown.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
    end = metadata.parse_session_end_info_plugin_data(content)
    return str(api_pb2.Status.Name(end.status))


def texts(run: Path, tag: str) -> str:
    tensors = read(run).Tensors(f"{tag}/text_summary")
    return str(tensors[-1].tensor_proto.string_val[0].decode())


def resumable(folder: Path, *callbacks: Callback, every: int = 10**6, **options: Any) -> Trainer:
    """Return a training of two steps an epoch that can be resumed."""
    log = TensorBoardLog(folder / "logs")
    checkpoints = Checkpoints(folder / "checkpoints", every=every)
    return short_trainer(log, *callbacks, checkpoints=checkpoints, **{"epochs": 5, **options})


def test_every_metric_of_every_epoch_is_a_scalar(tmp_path: Path) -> None:
    class Top(Callback):
        def on_validation_end(self, *, state: TrainingState, **_: Any) -> None:
            state.record("top5", 0.5)

    log = TensorBoardLog(tmp_path)
    trainer = short_trainer(Top(), log, LayerNorms(), epochs=4)
    history = trainer.fit(ROWS, HELD_OUT)
    assert log.path == tmp_path / "run"
    assert_shows(tmp_path / "run", history)
    shown = read(tmp_path / "run")
    assert [each.value for each in shown.Scalars("recorded/top5")] == [0.5] * 4
    last = shown.Scalars("gradient_norm/all")[-1].value
    assert last == pytest.approx(trainer.state.progress.gradient_norm)
    first = [each for each in history.layer_norms if each.array == "0.dense.weights"]
    for name in ("weights", "gradient", "update"):
        scalars = shown.Scalars(f"{name}_norm/0.dense.weights")
        expected = [getattr(each, name) for each in first]
        assert [each.step for each in scalars] == [0, 1, 2, 3]
        np.testing.assert_allclose([each.value for each in scalars], expected, rtol=1e-6)
    assert "dense" in texts(tmp_path / "run", "layers")
    assert "all 4 epochs done" in texts(tmp_path / "run", "end")
    assert not shown.Tags()["histograms"]


def test_an_epoch_is_there_before_the_next_one_begins(tmp_path: Path) -> None:
    seen: list[int] = []

    class Look(Watcher):
        def on_epoch_begin(self, *, state: TrainingState) -> None:
            shown = read(tmp_path / "run")
            seen.append(len(shown.Scalars("loss/train")) if state.progress.epoch else 0)
            assert hyperparameters(tmp_path / "run")["epochs"] == 3

    short_trainer(TensorBoardLog(tmp_path), Look(), epochs=3).fit(ROWS)
    assert seen == [0, 1, 2]


def test_weights_are_histograms_every_few_epochs(tmp_path: Path) -> None:
    short_trainer(TensorBoardLog(tmp_path, histograms=2), epochs=5).fit(ROWS)
    shown = read(tmp_path / "run")
    assert len(shown.Tags()["histograms"]) == 4
    of_weights = shown.Histograms("weights/0.dense.weights")
    assert [each.step for each in of_weights] == [1, 3]
    assert of_weights[0].histogram_value.num == 5 * 8


def test_options_and_own_parameters_are_hyperparameters(tmp_path: Path) -> None:
    own = {"settings": {"hidden": [8, 4], "name": None}, "note": "wide", "kind": "first"}
    log = TensorBoardLog(tmp_path, parameters=own)
    short_trainer(EarlyStopping("loss"), log, clip_norm=2.0).fit(ROWS)
    shown = hyperparameters(tmp_path / "run")
    assert (
        shown.items()
        >= {
            "optimizer": "Adam",
            "optimizer.beta1": 0.9,
            "learning_rate": 0.01,
            "batch_size": 150,
            "clip_norm": 2.0,
            "shuffle": True,
            "loss": "SoftmaxCrossEntropy",
            "layers": "Dense(8) -> ReLU() -> Dense(3)",
            "callbacks.0": "EarlyStopping",
            "callbacks.0.patience": 10,
            "settings.hidden": "8, 4",
            "kind": "first",
            "note": "wide",
        }.items()
    )
    assert not {"threads", "watchers", "settings.name"} & set(shown)
    assert status(tmp_path / "run") == "STATUS_SUCCESS"


def test_trainings_of_one_folder_are_compared_by_all_their_hyperparameters(tmp_path: Path) -> None:
    for clip in (None, 1.0):
        short_trainer(TensorBoardLog(tmp_path, name="clip"), clip_norm=clip).fit(ROWS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip", "clip-2"]
    assert "clip_norm" not in hyperparameters(tmp_path / "clip")
    assert hyperparameters(tmp_path / "clip-2")["clip_norm"] == 1.0
    for path in tmp_path.iterdir():  # a list of all would be taken from one of them
        assert "_hparams_/experiment" not in read(path).PluginTagToContent("hparams")


def test_the_figures_of_a_test_join_the_training(tmp_path: Path) -> None:
    log = TensorBoardLog(tmp_path)
    trainer = short_trainer(log, epochs=3)
    trainer.fit(ROWS)
    test = evaluate(trainer.model(), HELD_OUT)
    with pytest.raises(ModelError, match="fit it first"):
        TensorBoardLog(tmp_path).log_test(test)
    log.log_test(test)
    shown = read(tmp_path / "run")
    assert [each.step for each in shown.Scalars("loss/test")] == [2]
    assert shown.Scalars("loss/test")[0].value == pytest.approx(test.loss)
    assert shown.Scalars("accuracy/test")[0].value == pytest.approx(test.accuracy)


@pytest.mark.parametrize("step", [0, 3, 4, 5])
def test_a_resume_goes_on_with_no_epoch_lost_or_twice(tmp_path: Path, step: int) -> None:
    if step:
        resumable(tmp_path, StopAt(step)).fit(ROWS, HELD_OUT)
        assert status(tmp_path / "logs" / "run") is None
    history = resumable(tmp_path).fit(ROWS, HELD_OUT, resume=True)
    assert_shows(tmp_path / "logs" / "run", history)
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["run"]
    assert status(tmp_path / "logs" / "run") == "STATUS_SUCCESS"
    longer = resumable(tmp_path, epochs=7).fit(ROWS, HELD_OUT, resume=True)
    assert_shows(tmp_path / "logs" / "run", longer)


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.helpers.training import HELD_OUT, ROWS
from tests.training.callbacks.test_tensorboard_log import resumable
from tests.training.helpers import Watcher

class Kill(Watcher):
    def on_step_end(self, *, state, measured):
        if state.progress.steps == 9:
            os.kill(os.getpid(), signal.SIGKILL)

resumable(Path(sys.argv[1]), Kill(), every=3).fit(ROWS, HELD_OUT)
"""


def test_a_killed_training_has_its_epochs_and_its_resume_has_none_twice(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    ended = subprocess.run(command, env=environment, check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert len(read(tmp_path / "logs" / "run").Scalars("loss/train")) == 4  # a checkpoint has 3
    history = resumable(tmp_path).fit(ROWS, HELD_OUT, resume=True)
    assert len(history) == 5
    assert_shows(tmp_path / "logs" / "run", history)


def test_a_resume_without_the_old_folder_writes_all_epochs_to_a_new_one(tmp_path: Path) -> None:
    resumable(tmp_path, StopAt(5)).fit(ROWS, HELD_OUT)
    (tmp_path / "logs").rename(tmp_path / "moved")
    with pytest.warns(UserWarning, match="is not there to go on in"):
        history = resumable(tmp_path).fit(ROWS, HELD_OUT, resume=True)
    assert_shows(tmp_path / "logs" / "run", history)


def test_a_folder_that_is_deleted_is_written_again(tmp_path: Path) -> None:
    class Move(Watcher):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            if record.epoch == 1:
                (tmp_path / "run").rename(tmp_path / "elsewhere")

    with pytest.warns(UserWarning, match="is gone: a new folder gets all epochs"):
        history = short_trainer(TensorBoardLog(tmp_path), Move(), epochs=4).fit(ROWS, HELD_OUT)
    assert_shows(tmp_path / "run", history)
    assert len(read(tmp_path / "elsewhere").Scalars("loss/train")) == 2


def test_a_write_that_fails_half_way_is_reported_once_and_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes, append = iter(range(100)), event_file.append_events

    def half(path: Path, events: Any) -> None:
        if next(writes) in (2, 3):
            with path.open("ab") as file:
                file.write(b"\x20\x00\x00")
            raise OSError(28, "No space left on device")
        append(path, events)

    monkeypatch.setattr("handloom.training.callbacks.tensorboard_log.append_events", half)
    with pytest.warns(UserWarning, match="lacks epochs") as said:
        history = short_trainer(TensorBoardLog(tmp_path), epochs=6).fit(ROWS, HELD_OUT)
    assert len(said) == 1
    assert_shows(tmp_path / "run", history)


def test_a_resume_counts_where_the_clock_is_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumable(tmp_path, StopAt(4)).fit(ROWS, HELD_OUT)
    monkeypatch.setattr(
        "handloom.training.callbacks.event_file.time.time", lambda: 1e9
    )  # years ago
    history = resumable(tmp_path).fit(ROWS, HELD_OUT, resume=True)
    assert_shows(tmp_path / "logs" / "run", history)


def test_a_divergence_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    network = Sequential([Dense(3)]).build((5,))
    made = Trainer(network, SGD(), 1e38, epochs=5, threads=1, callbacks=[TensorBoardLog(tmp_path)])
    with pytest.warns(DivergenceWarning):
        history = made.fit(ROWS, HELD_OUT)
    assert status(tmp_path / "run") == "STATUS_FAILURE"
    assert history.notes[0].split()[0] in texts(tmp_path / "run", "end")
    if len(history):
        assert_shows(tmp_path / "run", history, "learning_rate")


def test_an_error_in_a_training_leaves_its_epochs(tmp_path: Path) -> None:
    made = short_trainer(TensorBoardLog(tmp_path), Boom("on_step_end", 5), epochs=4)
    with pytest.raises(RuntimeError, match="mine"):
        made.fit(ROWS, HELD_OUT)
    assert_shows(tmp_path / "run", made.history)
    assert status(tmp_path / "run") is None


def test_copies_have_folders_of_their_own(tmp_path: Path) -> None:
    log = TensorBoardLog(tmp_path)
    for each in (log, copy.deepcopy(log), pickle.loads(pickle.dumps(log)), log):  # noqa: S301
        short_trainer(each).fit(ROWS)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["run", "run-2", "run-3", "run-4"]
    for name in names:
        assert len(read(tmp_path / name).Scalars("loss/train")) == 2


def test_a_folder_that_cannot_be_written_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    made = short_trainer(TensorBoardLog(tmp_path / "file"))
    with pytest.raises(FileError, match="not a folder"):
        made.fit(ROWS)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("own", "name"),
    [
        ({"epochs": 3}, "epochs"),
        ({"optimizer.beta1": 0.5}, "optimizer.beta1"),
        ({"optimizer": {"beta1": 0.5}}, "optimizer"),
    ],
    ids=["option", "argument", "object"],
)
def test_a_parameter_with_the_name_of_an_option_is_refused(
    own: dict[str, object], name: str, tmp_path: Path
) -> None:
    made = short_trainer(TensorBoardLog(tmp_path / "logs", parameters=own))
    with pytest.raises(ConfigurationError, match=f"no option of the trainer has, got '{name}'"):
        made.fit(ROWS)
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "a/b"}, "name must be that of a sub-folder"),
        ({"name": ".."}, "name must be that of a sub-folder"),
        ({"name": ""}, "name must be that of a sub-folder"),
        ({"histograms": 0}, "histograms must be a whole number of at least 1"),
        ({"histograms": True}, "histograms must be a whole number"),
        ({"parameters": [1]}, "parameters must be an instance of Mapping"),
        ({"parameters": {1: 2}}, "parameters must have strings as names"),
    ],
)
def test_invalid_arguments_are_refused_anywhere(options: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TensorBoardLog("logs", **options)


def test_without_the_package_anywhere_the_error_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingExtraError, match=r"'tensorboardX'.*the extra 'tensorboard'"):
        short_trainer(TensorBoardLog(tmp_path / "logs")).fit(ROWS)
    assert not (tmp_path / "logs").exists()
