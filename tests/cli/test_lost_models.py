"""A model that cannot be saved in its run folder is saved where there is room, and that is said."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Command
from tests.training.helpers import no_file_larger_than

from handloom import Callback, Model
from handloom.recipes import experiment
from handloom.studies import reference
from handloom.training import RunFolder, TrainingState

MAIN = "from handloom.cli import main; main()"
SMALL = ("--hidden", 8, "--epochs", 2, "--threads", 1, "--backend", "numpy")


class AtEnd(Callback):
    """Puts a file where the model's folder should be."""

    changes_results = False

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_end(self, *, state: TrainingState) -> None:
        self.path.write_text("mine")


@pytest.fixture
def blocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a run folder whose model cannot be saved."""
    run, train = tmp_path / "runs" / "run", experiment.train

    def spoiled(*arguments: Any, **options: Any) -> object:
        settings, splits, callbacks = arguments
        return train(settings, splits, [*callbacks, AtEnd(run / "model")], **options)

    monkeypatch.setattr(experiment, "train", spoiled)
    return run


def saved_elsewhere(said: str) -> Path:
    (path,) = re.findall(r"the model is saved to (\S+) instead", said)
    return Path(path)


def test_a_model_that_cannot_be_saved_is_saved_elsewhere_and_the_rest_is_written(
    handloom: Command, tiny_folder: Path, blocked: Path
) -> None:
    ended = handloom("train", "--data", tiny_folder, "--out", blocked, *SMALL)
    assert ended.status == 1
    assert f"error: cannot write to the folder {blocked / 'model'}" in ended.err
    model = Model.load(saved_elsewhere(ended.err))
    assert "all 2 epochs done" in ended.out
    results = RunFolder.open(blocked).results()
    assert 0.0 <= results["test_accuracy"] <= 1.0
    assert len(model.class_names) == 10


@pytest.mark.long
def test_a_lost_model_hides_no_other_reason_of_the_end(
    handloom: Command, tiny_folder: Path, blocked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: Callback, **_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(AtEnd, "on_epoch_end", interrupt)
    ended = handloom("train", "--data", tiny_folder, "--out", blocked, *SMALL)
    assert ended.status == 1
    assert "error: cannot write to the folder" in ended.err
    assert f"interrupted; to resume: handloom train --resume {blocked}" in ended.err
    assert "is saved; to" not in ended.err


def test_a_lost_model_does_not_hide_a_divergence(
    handloom: Command, tiny_folder: Path, blocked: Path
) -> None:
    options = (*SMALL, "--learning-rate", "1e30")
    ended = handloom("train", "--data", tiny_folder, "--out", blocked, *options)
    assert ended.status == 1
    assert "error: cannot write to the folder" in ended.err
    assert "error: training diverged" in ended.err
    assert "weights are saved" not in ended.err


def test_a_model_for_which_there_is_no_room_anywhere_is_an_error(
    handloom: Command, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with no_file_larger_than(3000):
        ended = handloom("train", "--data", tiny_folder, "--out", tmp_path / "run", *SMALL)
    assert ended.status == 1
    assert "error: cannot write" in ended.err
    assert "the model is not saved anywhere else either" in ended.err
    assert "all 2 epochs done" in ended.out
    assert not list(tmp_path.glob("handloom-model-*"))
    assert not (tmp_path / "run" / "model").exists()  # a model would be moved into it


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of 64 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if sys.platform != "linux":
        pytest.skip("mounts a disk as Linux does")
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
def test_a_training_on_a_full_disk_keeps_its_model(
    small_disk: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    options = ["train", "--data", tiny_folder, "--out", small_disk / "run", *SMALL, "--hidden", 32]
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, options)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "no checkpoint was written: cannot write" in done.stderr
    model = saved_elsewhere(done.stderr)
    assert model.parent == tmp_path
    assert not (small_disk / "run" / "model").exists()
    Model.load(model)
    assert "all 2 epochs done" in done.stdout
    assert "Traceback" not in done.stderr


def test_an_evaluation_that_fails_costs_no_model(
    handloom: Command, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(experiment, "evaluate", fail)
    ended = handloom("train", "--data", tiny_folder, "--out", tmp_path / "run", *SMALL)
    assert (ended.status, ended.err.splitlines()[-1]) == (1, "error: MemoryError")
    Model.load(tmp_path / "run" / "model")


def test_an_evaluation_that_fails_costs_no_model_of_a_study(
    handloom: Command, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(reference, "evaluate", fail)
    study = tmp_path / "study"
    options = ("--models", "adam", "--steps", 2)
    ended = handloom("reproduce", "--data", tiny_folder, "--out", study, *options)
    assert (ended.status, ended.err.splitlines()[-1]) == (1, "error: MemoryError")
    Model.load(study / "runs" / "adam-seed0" / "model")
    Model.load(study / "runs" / "adam-seed0" / "best-model")


@pytest.mark.slow
def test_pictures_that_cannot_be_drawn_cost_nothing_else(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "nonsense")
    run = tmp_path / "run"
    command = ["train", "--data", tiny_folder, "--out", run, *SMALL]
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, command)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"{run / 'pictures'} lacks pictures: matplotlib cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
    assert "all 2 epochs done" in done.stdout
    assert json.loads((run / "results.json").read_text())["epochs"] == 2
    Model.load(run / "model")


@pytest.mark.slow
def test_a_picture_of_samples_that_cannot_be_drawn_is_an_error_without_traceback(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "nonsense")
    command = ["data", "show", tiny_folder, "--out", tmp_path / "samples.png"]
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, command)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: matplotlib cannot be used:")
    assert "nonsense" in line


@pytest.mark.usefixtures("pictures")
@pytest.mark.slow
def test_one_picture_that_cannot_be_drawn_costs_no_other(
    handloom: Command, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("mine")

    monkeypatch.setattr("handloom.plots.history", fail)
    run = tmp_path / "run"
    ended = handloom("train", "--data", tiny_folder, "--out", run, *SMALL)
    assert ended.status == 0
    assert f"{run / 'pictures'} lacks pictures: RuntimeError: mine" in ended.err
    pictures = {path.name for path in (run / "pictures").iterdir()}
    assert pictures == {"confusion.png", "mistakes.png", "weights.png"}
