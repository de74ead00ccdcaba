"""``handloom train --tensorboard --mlflow``: logs that a resume goes on with."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Command
from tests.training.callbacks.test_tensorboard_log import hyperparameters, read

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*")


def test_a_run_is_logged_for_tensorboard_and_so_is_its_resume(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboardX")
    pytest.importorskip("tensorboard")
    run, logs = tmp_path / "wide", tmp_path / "logs"
    command = ["train", "--data", tiny_folder, "--epochs", 2, "--hidden", "8", "--out", run]
    assert handloom(*command, "--tensorboard", logs).status == 0
    assert handloom("train", "--resume", run, "--epochs", 3).status == 0
    shown = read(logs / "wide")
    history = json.loads((run / "history.json").read_text())["records"]
    scalars = shown.Scalars("loss/validation")
    assert [each.step for each in scalars] == [0, 1, 2]
    expected = [each["validation_loss"] for each in history]
    assert [each.value for each in scalars] == pytest.approx(expected)
    assert shown.Scalars("weights_norm/0.dense.weights")[-1].step == 2
    test = json.loads((run / "results.json").read_text())
    assert shown.Scalars("accuracy/test")[-1].value == pytest.approx(test["test_accuracy"])
    assert hyperparameters(logs / "wide")["settings.hidden"] == "8"


def test_a_run_is_logged_to_mlflow_and_so_is_its_resume(
    handloom: Command, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.chdir(tmp_path)
    mlflow: Any = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    pytest.importorskip("alembic")
    run = tmp_path / "wide"
    command = ["train", "--data", tiny_folder, "--epochs", 2, "--hidden", "8", "--out", run]
    mlflow.MlflowClient().search_experiments()  # makes the tables, which takes seconds
    assert handloom(*command, "--mlflow").status == 0
    assert handloom("train", "--resume", run, "--epochs", 3).status == 0
    [logged] = mlflow.MlflowClient().search_runs(["0"])
    assert logged.info.run_name == "wide"
    assert logged.info.status == "FINISHED"
    assert logged.data.params["settings.hidden"] == "8"
    losses = mlflow.MlflowClient().get_metric_history(logged.info.run_id, "loss")
    assert sorted(each.step for each in losses) == [0, 1, 2]
    test = json.loads((run / "results.json").read_text())
    assert logged.data.metrics["test_accuracy"] == test["test_accuracy"]


@pytest.mark.parametrize(
    ("package", "options"), [("tensorboardX", ["--tensorboard", "logs"]), ("mlflow", ["--mlflow"])]
)
def test_without_the_package_the_error_names_the_extra(
    handloom: Command,
    tiny_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
    options: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    ended = handloom("train", "--data", tiny_folder, "--out", tmp_path / "run", *options)
    assert ended.status != 0
    assert "the extra" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == []
