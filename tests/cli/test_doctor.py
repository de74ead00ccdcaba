"""handloom doctor: a table of the layers, and sentences with remedies."""

from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Command
from tests.helpers.terminal import captured

from handloom import Adam, Dataset, Dense, ReLU, Sequential, Trainer, silhouettes
from handloom.cli.app import run as command
from handloom.training import RunDescription, RunFolder, probe
from handloom.training.boundary import POINTS, boundary_grid


@pytest.fixture(autouse=True)
def _no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "SHORT_SECONDS", 1e9)


def run_of(folder: Path, rate: float, *, diagnose: bool = True) -> Path:
    data = silhouettes(rows=500, test_rows=50)
    network = Sequential([Dense(16), ReLU(), Dense(10)]).build((784,), seed=0)
    trainer = Trainer(network, Adam(), rate, epochs=8, batch_size=50, diagnose=diagnose)
    run = RunFolder(folder, RunDescription({}, "silhouettes", None, threads=1))
    run.write_description()
    run.write_history(trainer.fit(data.train))
    return folder


def test_a_network_that_learns_nothing(handloom: Command, tmp_path: Path) -> None:
    ended = handloom("doctor", run_of(tmp_path, 0.5))
    said = " ".join(ended.out.split())
    assert ended.status == 0
    assert "loss on 256 training rows" in said
    assert "Layers after epoch 8" in said
    assert "- After epoch 8 the loss on 256 training rows is" in said
    assert "is too large for Adam; try 0.05, then 0.005." in said
    for layer in ("0.dense", "1.relu", "2.dense", "guessing"):
        assert layer in ended.out
    assert "No problem was found" not in said


def test_the_columns_are_explained_and_lists_have_an_indent(
    handloom: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(tmp_path, 0.5)
    ended = handloom("doctor", run)
    for column in ("outputs", "gradient", "update", "dead"):
        assert any(line.startswith(f"{column}: ") for line in ended.out.splitlines())
    assert "saturated:" not in ended.out  # there is no such column
    assert "of any size before BatchNorm" in ended.out
    monkeypatch.setenv("COLUMNS", "60")
    with captured(monkeypatch, on_terminal=True) as received:
        command(["doctor", str(run)])
    lines = b"".join(received).decode().splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("- The training"))
    items = [line for line in lines[start:] if line]
    assert len(items) > 5
    assert all(line.startswith(("- ", "  ")) and len(line) <= 60 for line in items)


def test_a_network_that_learns(handloom: Command, tmp_path: Path) -> None:
    said = handloom("doctor", run_of(tmp_path, 1e-3)).out
    assert said.endswith("- No problem was found.\n") or "No problem was found." in said
    assert "learned nothing" not in said


def test_a_training_without_measurements(handloom: Command, tmp_path: Path) -> None:
    ended = handloom("doctor", run_of(tmp_path, 1e-3, diagnose=False))
    assert "the training had diagnose=False" in " ".join(ended.out.split())
    assert "No problem" not in ended.out


def test_a_training_without_time_for_them(
    handloom: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "SHORT_SECONDS", 0.0)
    monkeypatch.setattr(probe, "SHORT_FRACTION", 0.0)  # also of a slow run
    said = " ".join(handloom("doctor", run_of(tmp_path, 1e-3)).out.split())
    assert "Nothing was measured after epoch 1, 2, 4, 8" in said
    assert "No problem" not in said


@pytest.mark.filterwarnings("ignore::handloom.DivergenceWarning")
def test_a_training_that_diverged(handloom: Command, tmp_path: Path) -> None:
    said = " ".join(handloom("doctor", run_of(tmp_path, 1e30)).out.split())
    assert "- Training diverged: " in said
    assert "A smaller learning rate usually helps" in said


def test_train_prints_the_findings(handloom: Command, tiny_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    options = ("--epochs", 8, "--batch-size", 20, "--learning-rate", 5, "--out", folder)
    ended = handloom("train", "--data", tiny_folder, *options)
    assert ended.status == 0
    notes = RunFolder.open(folder).history().notes
    assert "has learned nothing" in notes[0]
    assert all(f"training  {note}" in ended.err for note in notes)
    assert RunFolder.open(folder).predictions()["test"].shape == (60, 10)


def test_train_warns_of_a_divergence_once(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    options = ("--optimizer", "sgd", "--learning-rate", 1e30, "--out", tmp_path / "run")
    ended = handloom("train", "--data", tiny_folder, *options)
    assert ended.status == 1
    assert "training  diverged in epoch 1: " in ended.err
    assert ended.err.count("A smaller learning rate usually helps") == 1


def test_a_test_loss_that_is_not_finite(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    options = ("--optimizer", "sgd", "--learning-rate", 1e9, "--hidden", "128,128")
    batches = ("--epochs", 2, "--batch-size", 60000, "--validation-fraction", 0)
    ended = handloom("train", "--data", tiny_folder, *options, *batches, "--out", folder)
    assert ended.status == 1
    assert "error: training diverged: the test loss is nan, although the weights" in ended.err
    assert "RuntimeWarning" not in ended.err
    said = " ".join(handloom("doctor", folder).out.split())
    assert "The test loss became NaN or infinite" in said
    assert "after epoch 2 the loss on" in said
    assert "No problem was found" not in said


def test_the_grid_of_two_inputs() -> None:
    x = np.random.default_rng(0).standard_normal((100, 2)).astype(np.float32)
    rows = Dataset(x, (x[:, 0] > 0).astype(np.int64), ("left", "right"))
    network = Sequential([Dense(2)]).build((2,), seed=0)
    trainer = Trainer(network, Adam(), 0.1, epochs=50)
    trainer.fit(rows)
    grid = boundary_grid(trainer.model(), x)
    assert grid["grid_predictions"].shape == (POINTS, POINTS, 2)
    assert grid["grid_x"][0] < x[:, 0].min() < x[:, 0].max() < grid["grid_x"][-1]
    right = grid["grid_predictions"][:, grid["grid_x"] > 0.5, 1]
    assert (right > 0.5).all()
    images = silhouettes(rows=20, test_rows=10).train
    assert boundary_grid(trainer.model(), images.inputs) == {}
