"""``handloom train``: options, run folders, interruptions and refusals."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Command
from tests.helpers.processes import running

from handloom import Callback, Model, Splits, StopReason, load_run, open_folder
from handloom.cli.app import run
from handloom.recipes import experiment, settings as plain
from handloom.schedules import SCHEDULES, named_schedule
from handloom.training import EpochRecord, TrainingState
from handloom.training.snapshot import Snapshot


def test_a_run_folder_holds_model_history_pictures_and_results(trained: Path, tiny: Splits) -> None:
    results = json.loads((trained / "results.json").read_text())
    assert results["dataset"] == "tiny"
    assert results["stop_reason"] == "max_epochs"
    assert results["epochs"] == 2
    assert results["seconds"] > 0
    model = Model.load(trained / "model")
    test = tiny.test
    assert results["test_accuracy"] == np.mean(
        model.predict(test.inputs).argmax(axis=1) == test.targets
    )
    assert len((trained / "history.csv").read_text().splitlines()) == 3
    for picture in ("curves", "confusion", "mistakes", "weights"):
        with Image.open(trained / "pictures" / f"{picture}.png") as image:
            image.verify()


@pytest.mark.usefixtures("pictures")
@pytest.mark.slow
def test_the_written_files_are_listed(handloom: Command, tiny_folder: Path, tmp_path: Path) -> None:
    ended = handloom("train", "--data", tiny_folder, "--epochs", 1, "--out", tmp_path / "run")
    assert ended.status == 0
    assert str(tmp_path / "run") in ended.out
    for name in ("model/", "history.csv", "pictures/", "results.json"):
        assert name in ended.out
    assert "epoch 1/1" in ended.err


@pytest.mark.long
def test_the_same_options_give_the_same_weights(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    options = ["train", "--data", tiny_folder, "--epochs", 2, "--hidden", "8", "--seed", 3]
    for name, threads in (("a", 1), ("b", 2)):
        assert handloom(*options, "--threads", threads, "--out", tmp_path / name).status == 0
    vectors = [
        Model.load(tmp_path / name / "model").network.parameters.vector for name in ("a", "b")
    ]
    assert np.array_equal(vectors[0], vectors[1])


def test_every_option_reaches_the_training(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    ended = handloom(
        *("train", "--data", tiny_folder, "--out", tmp_path / "run", "--hidden", "6,4"),
        *("--optimizer", "sgd", "--momentum", 0.5, "--learning-rate", 0.01),
        *("--schedule", "inverse-time", "--decay", 0.1, "--batch-size", 0, "--epochs", 3),
        *("--l1", 1e-4, "--l2", 1e-3, "--validation-fraction", 0.2, "--patience", 5),
        *("--seed", 7, "--threads", 1),
    )
    assert ended.status == 0
    model = Model.load(tmp_path / "run" / "model")
    assert [shape for _, shape, _ in model.network.summary()] == [
        (6,),
        (6,),
        (4,),
        (4,),
        (10,),
        (10,),
    ]
    lines = (tmp_path / "run" / "history.csv").read_text().splitlines()
    names = lines[0].split(",")
    rows = [dict(zip(names, line.split(","), strict=True)) for line in lines[1:]]
    assert [float(row["learning_rate"]) for row in rows] == [
        0.01 * (1 / (1 + 0.1 * step)) for step in range(3)
    ]
    assert all(float(row["penalty"]) > 0 for row in rows)
    assert all(row["validation_loss"] for row in rows)


@pytest.mark.long
def test_every_way_to_regularize_and_to_pace_reaches_the_training(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    ended = handloom(
        *("train", "--data", tiny_folder, "--out", run, "--hidden", "8", "--epochs", 3),
        *("--optimizer", "muon", "--momentum", 0.8, "--weight-decay", 0.1, "--batch-size", 100),
        *("--proximal-l1", 0.01),
        *("--learning-rate", 0.02, "--schedule", "linear", "--warmup", 2, "--clip-norm", 0.5),
        *("--average", 0.5, "--dropout", 0.25, "--label-smoothing", 0.1),
        *("--augment", "flip,shift", "--validation-fraction", 0.3),
    )
    assert ended.status == 0
    newest = sorted((run / "checkpoints").glob("step-*"))[-1]
    described = Snapshot.load(newest).configuration
    assert described["optimizer"]["kind"] == "Muon"
    assert described["optimizer"]["momentum"] == 0.8
    assert described["optimizer"]["weight_decay"] == 0.1
    assert described["optimizer"]["proximal_l1"] == 0.01
    then = {"kind": "LinearDecay", "learning_rate": 0.02, "steps": 3 * 3 - 2}  # of 210 rows left
    assert described["learning_rate"] == {"kind": "Warmup", "steps": 2, "then": then}
    assert (described["clip_norm"], described["average"]["decay"]) == (0.5, 0.5)
    assert described["loss"]["label_smoothing"] == 0.1
    assert [change["kind"] for change in described["augment"]] == ["Flip", "Shift"]
    layers = described["network"]["layers"]
    assert [layer["kind"] for layer in layers] == ["dense", "relu", "dropout", "dense", "softmax"]
    assert layers[2]["rate"] == 0.25
    first = (run / "model" / "manifest.json").read_text()
    assert handloom("train", "--resume", run).status == 0
    assert (run / "model" / "manifest.json").read_text() == first


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_ends_with_the_training(
    handloom: Command, tiny_folder: Path, tmp_path: Path, schedule: str
) -> None:
    ended = handloom(
        *("train", "--data", tiny_folder, "--out", tmp_path / "run", "--hidden", "4"),
        *("--epochs", 3, "--schedule", schedule, "--learning-rate", 0.01),
    )
    assert ended.status == 0
    header, *lines = (tmp_path / "run" / "history.csv").read_text().splitlines()
    rates = [float(line.split(",")[header.split(",").index("learning_rate")]) for line in lines]
    planned = named_schedule(schedule, 0.01, 9)  # 300 rows in batches of 128, three times
    assert rates == [planned(2), planned(5), planned(8)]


def test_a_run_is_never_overwritten(handloom: Command, tiny_folder: Path, tmp_path: Path) -> None:
    options = ["train", "--data", tiny_folder, "--epochs", 1, "--out", tmp_path / "run"]
    assert handloom(*options).status == 0
    before = (tmp_path / "run" / "results.json").read_text()
    ended = handloom(*options)
    assert ended.status == 1
    assert "is not empty" in ended.err
    assert (tmp_path / "run" / "results.json").read_text() == before


def test_without_out_each_run_gets_a_folder_of_its_own(
    handloom: Command, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert handloom("train", "--data", tiny_folder, "--epochs", 1).status == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["train-1", "train-2"]


def test_a_diverged_training_says_so_and_keeps_the_last_good_weights(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    ended = handloom(
        *("train", "--data", tiny_folder, "--optimizer", "sgd", "--learning-rate", 1e20),
        *("--out", tmp_path / "run"),
    )
    assert ended.status == 1
    assert "diverged" in ended.err
    assert "Traceback" not in ended.err
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["stop_reason"].startswith("non_finite")
    assert np.isfinite(Model.load(tmp_path / "run" / "model").network.parameters.vector).all()


def test_ctrl_c_saves_what_was_learned(
    handloom: Command, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupt(Callback):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            if record.epoch == 3:
                os.kill(os.getpid(), signal.SIGINT)

    def interrupted(
        settings: plain.Settings, splits: Splits, callbacks: list[Callback], **options: Any
    ) -> object:
        return train(settings, splits, [*callbacks, Interrupt()], **options)

    train = experiment.train
    monkeypatch.setattr(experiment, "train", interrupted)
    ended = handloom("train", "--data", tiny_folder, "--epochs", 10_000, "--out", tmp_path / "run")
    assert ended.status == 130
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert (results["stop_reason"], results["epochs"]) == ("interrupted", 4)
    Model.load(tmp_path / "run" / "model")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--optimizer", "adm"], "Did you mean 'adam'"),
        (["--schedule", "constnt"], "Did you mean 'constant'"),
        (["--hidden", "128,x"], "--hidden must be whole numbers"),
        (["--hidden", ""], "--hidden must be whole numbers"),
        (["--hidden", "0"], "each width in hidden must be a whole number of at least 1, got 0"),
        (["--hidden", "-5"], "each width in hidden must be"),
        (["--learning-rate", "0"], "learning_rate must be"),
        (["--learning-rate", "-1"], "learning_rate must be"),
        (["--learning-rate", "nan"], "learning_rate must be"),
        (["--epochs", "0"], "epochs must be"),
        (["--batch-size", "-1"], "batch_size must be"),
        (["--l1", "-1"], "error: l1 must be"),
        (["--l2", "inf"], "error: l2 must be"),
        (["--seed", "-1"], "seed must be"),
        (["--threads", "0"], "threads must be"),
        (["--validation-fraction", "1"], "validation_fraction must be"),
        (["--validation-fraction", "-0.1"], "validation_fraction must be"),
        (
            ["--patience", "3", "--validation-fraction", "0"],
            "validation_fraction must be above 0",
        ),
        (["--momentum", "0.5"], "momentum is for sgd and muon"),
        (["--weight-decay", "-1"], "weight_decay must be"),
        (["--proximal-l1", "-1"], "proximal_l1 must be"),
        (["--warmup", "-1"], "warmup must be"),
        (["--warmup", "45"], "warmup must be below the number of steps, 45, got 45"),
        (["--clip-norm", "0"], "clip_norm must be"),
        (["--average", "1"], "average must be at least 0 and below 1"),
        (["--dropout", "1.5"], "dropout must be at least 0 and below 1, got 1.5"),
        (["--label-smoothing", "1.5"], "label_smoothing must be"),
        (["--augment", "flp"], "Did you mean 'flip'"),
        (["--augment", ""], "--augment must be names"),
        (["--schedule", "cosine", "--decay", "0.5"], "for inverse-time, but schedule is cosine"),
        (
            ["--schedule", "constant", "--decay", "0.5"],
            "for inverse-time, but schedule is constant",
        ),
        (["--decay", "-1"], "decay must be"),
        (["--optimizer", "sgd", "--momentum", "1.5"], "momentum must be"),
        (["--optimizer", "momentum"], "--optimizer sgd --momentum 0.9, in Python SGD(momentum"),
        (["--optimizer", "nesterov"], "SGD(momentum=0.9, nesterov=True)"),
        (["--epochs", "many"], "valid"),
        (["--epoch", "3"], "--epochs"),
    ],
)
def test_invalid_options_are_refused_before_anything_is_made(
    handloom: Command, tiny_folder: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    ended = handloom("train", "--data", tiny_folder, "--out", tmp_path / "run", *options)
    assert ended.status in (1, 2)
    assert message in " ".join(ended.err.replace("│", " ").split())
    assert "Traceback" not in ended.err
    assert not (tmp_path / "run").exists()


def test_an_output_folder_that_cannot_be_written_is_named(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    ended = handloom("train", "--data", tiny_folder, "--out", tmp_path / "file" / "run")
    assert ended.status == 1
    assert "cannot write to the folder" in ended.err
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("command", ["train", "reproduce"])
def test_what_lies_in_an_output_folder_already_is_left_alone(
    handloom: Command, tiny_folder: Path, tmp_path: Path, command: str
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "history.csv").write_text("mine")
    for out, reason in ((tmp_path / "mine", "not empty"), ("", "must name a new folder, got '.'")):
        length = "--epochs" if command == "train" else "--steps"
        ended = handloom(command, "--data", tiny_folder, length, 1, "--out", out)
        assert ended.status == 1
        assert reason in ended.err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["history.csv"]
    assert (tmp_path / "mine" / "history.csv").read_text() == "mine"


def test_a_training_that_cannot_begin_leaves_no_folder_behind(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    ended = handloom(
        *("train", "--data", tiny_folder, "--hidden", 10**14, "--out", tmp_path / "run")
    )
    assert ended.status == 1
    assert "100,000,000,000,000" in ended.err
    assert not (tmp_path / "run").exists()


def test_names_with_brackets_are_shown_as_they_are(
    handloom: Command, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "a[").mkdir()
    path = tmp_path / "a[" / "b] [red].png"
    Image.new("L", (28, 28)).save(path)
    ended = handloom("predict", trained, path)
    assert ended.status == 0
    assert str(path) in ended.out


@pytest.mark.long
def test_sigint_to_the_process_ends_it_tidily(tiny_folder: Path, tmp_path: Path) -> None:
    arguments = ["train", "--data", tiny_folder, "--epochs", 10**6, "--out", tmp_path / "run"]
    history = tmp_path / "run" / "history.csv"
    main = "from handloom.cli import main; main()"
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE}
    with running(main, *arguments, **pipes) as process:
        while not (history.exists() and len(history.read_text().splitlines()) > 2):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert "saved" in said
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["stop_reason"] == "interrupted"
    Model.load(tmp_path / "run" / "model")


@pytest.mark.long
@pytest.mark.skipif("HANDLOOM_DATA" not in os.environ, reason="needs HANDLOOM_DATA")
def test_the_defaults_reach_88_percent_on_fashion_mnist(tmp_path: Path) -> None:
    splits = open_folder(os.environ["HANDLOOM_DATA"])
    if splits.name != "fashion-mnist":
        pytest.skip("HANDLOOM_DATA names another dataset")
    assert experiment.train(plain.Settings(), splits).test.accuracy >= 0.88


def test_a_training_that_was_interrupted_before_its_first_step_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_folder: Path
) -> None:
    class Cut(Callback):
        changes_results = False

        def on_train_begin(self, *, state: TrainingState) -> None:
            state.stop(StopReason.INTERRUPTED)

    monkeypatch.chdir(tmp_path)
    options = ["train", "--data", str(tiny_folder), "--epochs", "1", "--hidden", "8"]
    with monkeypatch.context() as cut:
        cut.setattr("handloom.cli.training.LayerNorms", Cut)
        assert run([*options, "--out", "cut"]) == 130
    assert run(["train", "--resume", "cut"]) == 0
    assert run([*options, "--out", "whole"]) == 0
    weights = set()
    for name in ("cut", "whole"):
        each = load_run(name)
        assert each.model is not None
        weights.add(each.model.network.parameters.vector.tobytes())
    assert len(weights) == 1
