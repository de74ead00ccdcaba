"""MLflowLog: MLflow's client finds the history, and no server can end a training."""

import copy
import pickle
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import HELD_OUT, ROWS, short_trainer
from tests.training.helpers import Boom, StopAt

from handloom import (
    SGD,
    Callback,
    Checkpoints,
    ConfigurationError,
    Dense,
    DivergenceWarning,
    History,
    MLflowLog,
    Model,
    Sequential,
    Trainer,
    evaluate,
)
from handloom.errors import MissingExtraError, ModelError

# of sqlalchemy's newest versions, for MLflow's own code
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture
def client(
    database: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """Return a client of a store, with an experiment of the test's own."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    monkeypatch.chdir(tmp_path)
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    pytest.importorskip("alembic")
    client = mlflow.MlflowClient()
    experiment = client.create_experiment(request.node.name, str(tmp_path / "artifacts"))
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", experiment)
    yield client
    while mlflow.active_run() is not None:
        mlflow.end_run()


def patient(**options: Any) -> MLflowLog:
    """Return a log that waits for a store on a busy machine."""
    return MLflowLog(patience=120.0, **options)


def assert_shows(client: Any, run_id: str | None, history: History) -> None:
    """Check that every epoch of a history is there once, in every metric."""
    for name in ("loss", "accuracy", "validation_loss", "validation_accuracy", "learning_rate"):
        logged = sorted(client.get_metric_history(run_id, name), key=lambda each: each.step)
        assert [each.step for each in logged] == list(range(len(history)))
        np.testing.assert_array_equal([each.value for each in logged], history[name])


def resumable(folder: Path, *callbacks: Callback, **options: Any) -> tuple[MLflowLog, Trainer]:
    """Return a training of two steps an epoch that can be resumed, and its log."""
    log = patient()
    checkpoints = Checkpoints(folder / "checkpoints", every=10**6)
    options = {"epochs": 4, **options}
    return log, short_trainer(log, *callbacks, checkpoints=checkpoints, **options)


def test_a_run_has_metrics_parameters_and_tags(client: Any, tmp_path: Path) -> None:
    own = {"settings": {"hidden": [8, 4]}, "long": "x" * 9000}
    log = patient(name="wide", tags={"of": "me"}, parameters=own)
    trainer = short_trainer(log, epochs=3)
    history = trainer.fit(ROWS, HELD_OUT)
    assert_shows(client, log.run_id, history)
    run = client.get_run(log.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "wide"
    assert run.data.metrics["gradient_norm"] == trainer.state.progress.gradient_norm
    assert run.data.tags.items() >= {"of": "me", "handloom.ended": "all 3 epochs done"}.items()
    assert (
        run.data.params.items()
        >= {
            "optimizer": "Adam",
            "optimizer.beta1": "0.9",
            "learning_rate": "0.01",
            "epochs": "3",
            "layers": "Dense(8) -> ReLU() -> Dense(3)",
            "settings.hidden": "8, 4",
            "long": "x" * 6000,
        }.items()
    )
    assert not client.list_artifacts(log.run_id)


def test_an_experiment_is_created_or_taken_by_its_name(client: Any) -> None:
    runs = []
    for _ in range(2):
        log = patient(experiment="clothes")
        short_trainer(log).fit(ROWS)
        runs.append(client.get_run(log.run_id).info)
    experiment = client.get_experiment_by_name("clothes").experiment_id
    assert [each.experiment_id for each in runs] == [experiment] * 2
    assert runs[0].run_id != runs[1].run_id


def test_the_trained_model_is_an_artifact_if_asked_for(client: Any, tmp_path: Path) -> None:
    log = patient(model=True)
    trainer = short_trainer(log)
    trainer.fit(ROWS)
    model = Model.load(client.download_artifacts(log.run_id, "model", str(tmp_path)))
    expected = trainer.model().predict(HELD_OUT.inputs)
    np.testing.assert_array_equal(model.predict(HELD_OUT.inputs), expected)


def test_the_figures_of_a_test_join_the_run(client: Any) -> None:
    log = patient()
    trainer = short_trainer(log, epochs=3)
    trainer.fit(ROWS)
    test = evaluate(trainer.model(), HELD_OUT)
    with pytest.raises(ModelError, match="fit it first"):
        MLflowLog().log_test(test)
    log.log_test(test)
    [logged] = client.get_metric_history(log.run_id, "test_loss")
    assert (logged.step, logged.value) == (2, test.loss)
    assert client.get_run(log.run_id).data.metrics["test_accuracy"] == test.accuracy
    assert client.get_run(log.run_id).info.status == "FINISHED"


def test_a_run_of_the_user_gets_the_training_and_stays_open(client: Any) -> None:
    import mlflow

    log = patient(tags={"of": "me"})
    with mlflow.start_run() as mine:
        history = short_trainer(log).fit(ROWS, HELD_OUT)
        assert log.run_id == mine.info.run_id
        assert mlflow.active_run().info.run_id == mine.info.run_id
        assert client.get_run(log.run_id).info.status == "RUNNING"
        with pytest.raises(ConfigurationError, match=r"is active: leave them out"):
            short_trainer(MLflowLog(name="other")).fit(ROWS)
    assert_shows(client, log.run_id, history)
    assert client.get_run(log.run_id).data.tags["of"] == "me"


def test_a_run_that_we_begin_is_not_active_for_the_user(client: Any) -> None:
    import mlflow

    short_trainer(patient()).fit(ROWS)
    assert mlflow.active_run() is None


def test_the_status_tells_how_training_ended(client: Any, tmp_path: Path) -> None:
    log = patient()
    short_trainer(log, StopAt(1)).fit(ROWS)
    assert client.get_run(log.run_id).info.status == "KILLED"
    log = patient()
    with pytest.raises(RuntimeError, match="mine"):
        short_trainer(log, Boom("on_step_end", 3)).fit(ROWS)
    assert client.get_run(log.run_id).info.status == "FAILED"
    log = patient()
    network = Sequential([Dense(3)]).build((5,))
    with pytest.warns(DivergenceWarning):
        Trainer(network, SGD(), 1e38, epochs=5, threads=1, callbacks=[log]).fit(ROWS)
    assert client.get_run(log.run_id).info.status == "FAILED"


@pytest.mark.parametrize("step", [3, 4])
def test_a_resume_continues_the_run(client: Any, tmp_path: Path, step: int) -> None:
    stopped, trainer = resumable(tmp_path, StopAt(step))
    trainer.fit(ROWS, HELD_OUT)
    assert client.get_run(stopped.run_id).info.status == "KILLED"
    log, trainer = resumable(tmp_path, epochs=5)
    history = trainer.fit(ROWS, HELD_OUT, resume=True)
    assert log.run_id == stopped.run_id
    assert_shows(client, log.run_id, history)
    run = client.get_run(log.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["epochs"] == "4"
    assert run.data.tags["changed.epochs"] == "5"


def test_a_resume_sends_no_epoch_twice_that_no_checkpoint_has(client: Any, tmp_path: Path) -> None:
    stopped, trainer = resumable(tmp_path, StopAt(4))
    trainer.fit(ROWS, HELD_OUT)
    client.log_metric(stopped.run_id, "loss", 1.0, step=2)  # it went on, and was killed
    log, trainer = resumable(tmp_path)
    trainer.fit(ROWS, HELD_OUT, resume=True)
    for name in ("loss", "accuracy"):
        steps = [each.step for each in client.get_metric_history(log.run_id, name)]
        assert sorted(steps) == [0, 1, 2, 3]


def test_a_resume_of_a_deleted_run_begins_one_with_all_epochs(client: Any, tmp_path: Path) -> None:
    stopped, trainer = resumable(tmp_path, StopAt(5))
    trainer.fit(ROWS, HELD_OUT)
    client.delete_run(stopped.run_id)
    log, trainer = resumable(tmp_path)
    history = trainer.fit(ROWS, HELD_OUT, resume=True)
    assert log.run_id != stopped.run_id
    assert_shows(client, log.run_id, history)


def test_what_fails_is_reported_once_and_sent_later(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    calls, log_batch = iter(range(1000)), mlflow.MlflowClient.log_batch

    def broken(*arguments: Any, **named: Any) -> Any:
        if next(calls) < 4:
            raise ConnectionError("no route")
        return log_batch(*arguments, **named)

    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", broken)
    log = patient()
    with pytest.warns(UserWarning, match="MLflow lacks part of this training: .*no route") as said:
        history = short_trainer(log, epochs=12).fit(ROWS, HELD_OUT)
    assert len(said) == 1
    assert_shows(client, log.run_id, history)
    assert client.get_run(log.run_id).info.status == "FINISHED"


def test_a_server_that_is_down_ends_no_training(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    log = MLflowLog(model=True)
    with pytest.warns(UserWarning, match="MLflow lacks part of this training") as said:
        history = short_trainer(log, epochs=3).fit(ROWS)
    assert len(history) == 3
    assert len(said) == 1
    assert log.run_id is None


def test_a_server_that_does_not_answer_is_waited_for_a_little(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        uri = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        log = MLflowLog(patience=0.2)
        with pytest.warns(UserWarning, match=r"no answer for 0\.2 seconds"):
            history = short_trainer(log, epochs=2).fit(ROWS)
    assert history["seconds"].sum() < 1.0
    assert log._background is not None
    assert log._background.wait(30)  # before the address is another test's


def test_copies_have_runs_of_their_own(client: Any) -> None:
    log = MLflowLog()
    runs = set()
    for each in (log, copy.deepcopy(log), pickle.loads(pickle.dumps(log)), log):  # noqa: S301
        short_trainer(each).fit(ROWS)
        runs.add(each.run_id)
    assert len(runs) == 4
    assert None not in runs


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"experiment": ""}, "experiment must be a text"),
        ({"name": 3}, "name must be a text"),
        ({"tags": [1]}, "tags must be an instance of Mapping"),
        ({"tags": {"a": 1}}, "tags must be texts by name, got 'a': 1"),
        ({"model": 1}, "model must be True or False"),
        ({"patience": -1}, "patience must be a finite number at least 0"),
        ({"parameters": 3}, "parameters must be an instance of Mapping"),
    ],
)
def test_invalid_arguments_are_refused(options: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        MLflowLog(**options)


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingExtraError, match=r"'mlflow-skinny'.*the extra 'mlflow'"):
        short_trainer(MLflowLog()).fit(ROWS)
