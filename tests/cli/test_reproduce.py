"""``handloom reproduce``: the study's files, metrics and table."""

import csv
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Command

from handloom import Splits, Trainer, evaluate, open_folder
from handloom.cli import datasets
from handloom.data import DownloadError
from handloom.studies import reference
from handloom.training import RunFolder
from handloom.training.preparation import PreparedTraining

COLUMNS = ["step", "train_accuracy", "train_loss", "learning_rate", "regularization_loss"]


@pytest.fixture(scope="module")
def study(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from handloom.cli.app import run

    folder = tmp_path_factory.mktemp("studies") / "study"
    arguments = ["--data", str(tiny_folder), "--steps", "12", "--seeds", "0,1"]
    assert run(["reproduce", *arguments, "--out", str(folder)]) == 0
    return folder


def test_results_hold_every_run(study: Path) -> None:
    results = json.loads((study / "results.json").read_text())
    assert results["dataset"] == "tiny"
    assert (results["steps"], results["batch_size"]) == (12, 0)
    assert results["complete"] is True
    assert list(results["models"]) == ["sgd", "momentum", "adam", "adam-steady"]
    for runs in results["models"].values():
        assert [run["seed"] for run in runs] == [0, 1]
        for run in runs:
            assert 0 <= run["test_accuracy"] <= 1
            assert 0 <= run["best_test_accuracy"] <= 1
            assert run["best_test_loss"] > 0
            assert run["stop_reason"] == "max_epochs"
            assert 0 <= run["best_step"] < 12
            assert run["seconds"] > 0


def test_logs_have_the_references_columns_and_rates(study: Path) -> None:
    with (study / "logs" / "sgd-seed0.csv").open() as file:
        header, *rows = list(csv.reader(file))
    assert header == COLUMNS
    assert [int(row[0]) for row in rows] == list(range(12))
    # the rate of the last update before the measurement, as the reference prints it
    assert rows[0][3] == rows[1][3] == "1.0"
    assert rows[10][3] == "0.9174311926605504"
    assert float(rows[0][2]) == pytest.approx(np.log(10) + float(rows[0][4]), abs=0.01)


def test_the_models_that_are_saved_have_the_figures_of_the_results(
    study: Path, tiny_folder: Path
) -> None:
    results = json.loads((study / "results.json").read_text())
    test = open_folder(tiny_folder).test
    for name, runs in results["models"].items():
        for run in runs:
            saved = RunFolder.open(study / "runs" / f"{name}-seed{run['seed']}")
            last, best = (evaluate(model, test) for model in (saved.model(), saved.best_model()))
            assert (last.accuracy, last.loss) == (run["test_accuracy"], run["test_loss"])
            assert (best.accuracy, best.loss) == (
                run["best_test_accuracy"],
                run["best_test_loss"],
            )


def test_the_commands_take_a_run_of_a_study_and_its_best_model(
    handloom: Command, study: Path, tiny_folder: Path
) -> None:
    folder = study / "runs" / "adam-seed1"
    run = RunFolder.open(folder)
    assert run.description.settings["model"] == "adam"
    assert run.description.settings["seed"] == 1
    assert run.description.data == str(tiny_folder)
    assert len(run.history()) == 12
    metrics = run.results()
    for path, prefix in ((folder, "test"), (folder / "best-model", "best_test")):
        said = handloom("evaluate", path, "--data", tiny_folder).out
        accuracy, loss = metrics[f"{prefix}_accuracy"], metrics[f"{prefix}_loss"]
        assert f"accuracy {accuracy:.4f}, loss {loss:.4f}" in said
        assert "55,050" in handloom("summary", path).out
        picture = study / "pictures" / "samples.png"
        assert handloom("predict", path, picture).out.count("%") == 3
    assert "float32; trained with backend numpy; classes" in handloom("summary", folder).out
    ended = handloom("train", "--resume", folder)
    assert ended.status == 1
    assert f"{folder} cannot be resumed: its training wrote no checkpoints" in ended.err


def test_every_picture_is_an_image_of_its_own(study: Path) -> None:
    names = {path.stem for path in (study / "pictures").glob("*.png")}
    per_model = {
        f"{model}-{picture}"
        for model in reference.MODELS
        for picture in ("curves", "curves-late", "confusion", "mistakes")
    }
    across = {"samples", "accuracy", "accuracy-late", "loss", "loss-late"}
    assert names == per_model | across
    contents = set()
    for path in (study / "pictures").glob("*.png"):
        contents.add(path.read_bytes())
        with Image.open(path) as image:
            image.verify()
    assert len(contents) == len(names)


def test_the_table_shows_means_runs_and_the_reference(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    ended = handloom(
        *("reproduce", "--data", tiny_folder, "--models", "sgd", "--seeds", "0,1"),
        *("--steps", 3, "--out", tmp_path / "study"),
    )
    assert ended.status == 0
    for text in ("on tiny", "mean", "±", "lowest training loss"):
        assert text in ended.out
    assert "notebook" not in ended.out.casefold()  # its figures are those of Fashion-MNIST
    assert "3 steps of the study's 1,100" in ended.err


@pytest.mark.long
def test_held_out_rows_choose_the_best_weights(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    ended = handloom(
        *("reproduce", "--data", tiny_folder, "--models", "adam-steady", "--steps", 6),
        *("--validation-fraction", 0.2, "--out", tmp_path / "study"),
    )
    assert ended.status == 0
    assert "lowest validation loss" in ended.out
    with (tmp_path / "study" / "logs" / "adam-steady-seed0.csv").open() as file:
        rows = list(csv.DictReader(file))
    losses = [float(row["validation_loss"]) for row in rows]
    results = json.loads((tmp_path / "study" / "results.json").read_text())
    run = results["models"]["adam-steady"][0]
    assert run["best_step"] == int(np.argmin(losses))
    assert run["best_selected_by"] == "validation_loss"


@pytest.mark.long
def test_batches_keep_the_number_of_updates_and_everything_counts_steps(
    handloom: Command, tiny: Splits, tiny_folder: Path, tmp_path: Path
) -> None:
    size = len(tiny.train) // 4
    ended = handloom(
        *("reproduce", "--data", tiny_folder, "--models", "sgd", "--steps", 12),
        *("--batch-size", size, "--out", tmp_path / "study"),
    )
    assert ended.status == 0, ended.err
    with (tmp_path / "study" / "logs" / "sgd-seed0.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [3, 7, 11]
    rates = [1.0 / (1.0 + 0.01 * (step - 1)) for step in (3, 7, 11)]
    assert [float(row["learning_rate"]) for row in rows] == pytest.approx(rates, rel=1e-12)
    run = json.loads((tmp_path / "study" / "results.json").read_text())["models"]["sgd"][0]
    assert (run["steps"], run["epochs"]) == (12, 3)
    assert run["best_step"] in (3, 7, 11)
    assert "Last step: 12." in ended.out
    settings = RunFolder.open(tmp_path / "study" / "runs" / "sgd-seed0").description.settings
    assert (settings["steps"], settings["batch_size"]) == (12, size)


def test_a_model_that_diverges_is_a_result_with_its_best_weights_beside_it(
    handloom: Command, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "diverged_in", lambda history, classes: 1)
    ended = handloom(
        *("reproduce", "--data", tiny_folder, "--models", "adam", "--steps", 3),
        *("--out", tmp_path / "study"),
    )
    assert ended.status == 0
    run = json.loads((tmp_path / "study" / "results.json").read_text())["models"]["adam"][0]
    said = " ".join(ended.out.split())
    assert "adam diverged at step 2. This is a result of the study" in said
    assert f"after the last step {run['test_accuracy']:.3f}" in said
    assert f"with the best weights {run['best_test_accuracy']:.3f}" in said


def test_without_fashion_mnist_the_generated_dataset_is_named_everywhere(
    handloom: Command, tiny: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline() -> Splits:
        raise DownloadError("no network")

    monkeypatch.setattr(datasets, "fashion_mnist", offline)
    monkeypatch.setattr(datasets, "silhouettes", lambda: tiny)
    ended = handloom("reproduce", "--models", "sgd", "--steps", 2, "--out", tmp_path / "study")
    assert ended.status == 0
    told = "using the generated dataset silhouettes instead of Fashion-MNIST"
    assert ended.err.splitlines()[:2] == [told, "(it was not found, and no network)"]
    assert len([line for line in ended.err.splitlines() if "silhouettes" in line]) == 1
    assert "on silhouettes" in ended.out
    results = json.loads((tmp_path / "study" / "results.json").read_text())
    assert results["dataset"] == "silhouettes"


@pytest.mark.long
def test_ctrl_c_keeps_the_runs_made_so_far(
    handloom: Command, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_epoch = Trainer.run_epoch

    def interrupting(self: Trainer, prepared: PreparedTraining) -> None:
        epoch = prepared.state.progress.epoch
        if epoch == 2 and len(self.network.parameters) < 60_000:  # in the second model
            os.kill(os.getpid(), signal.SIGINT)
        run_epoch(self, prepared)

    monkeypatch.setattr(Trainer, "run_epoch", interrupting)
    ended = handloom("reproduce", "--data", tiny_folder, "--steps", 4, "--out", tmp_path / "study")
    assert ended.status == 130
    results = json.loads((tmp_path / "study" / "results.json").read_text())
    assert results["complete"] is False
    assert list(results["models"]) == ["sgd", "momentum"]
    assert results["models"]["momentum"][0]["stop_reason"] == "interrupted"
    assert results["models"]["momentum"][0]["epochs"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--models", "sgd,adamm"], "Did you mean 'adam'"),
        (["--models", "sgd,sgd"], "once"),
        (["--models", ""], "--models must be names"),
        (["--seeds", "0,x"], "--seeds must be whole numbers"),
        (["--seeds", "-1"], "a seed must be"),
        (["--steps", "0"], "steps must be"),
        (["--batch-size", "-1"], "batch_size must be"),
        (["--validation-fraction", "2"], "validation_fraction must be"),
        (["--threads", "-1"], "threads must be"),
    ],
)
def test_invalid_options_are_refused(
    handloom: Command, tiny_folder: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    ended = handloom("reproduce", "--data", tiny_folder, "--out", tmp_path / "s", *arguments)
    assert ended.status == 1
    assert message in ended.err
    assert not (tmp_path / "s").exists()
