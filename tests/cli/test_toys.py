"""A toy dataset on the command line, from its name to a report."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Command

from handloom import Model, moons
from handloom.data.sources.published import RESERVED
from handloom.training.run_folder import RunFolder

pytest.importorskip("matplotlib")


@pytest.mark.usefixtures("pictures")
@pytest.mark.slow
def test_a_toy_is_trained_evaluated_resumed_and_reported_by_its_name(
    handloom: Command, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    options = ("--hidden", "16", "--learning-rate", "0.05", "--epochs", "8", "--batch-size", "32")
    ended = handloom("train", "--data", "moons", *options, "--out", run)
    assert ended.status == 0, ended.err
    assert "moons: 900 training, 100 validation and 200 test rows" in ended.out
    assert {path.name for path in (run / "pictures").iterdir()} == {
        "boundary.png",
        "confusion.png",
        "curves.png",
    }
    assert json.loads((run / "results.json").read_text())["test_accuracy"] > 0.9
    assert RunFolder.open(run).description.data == "moons"

    test = moons().test
    predicted = Model.load(run / "model").predict(test.inputs).argmax(axis=1)
    accuracy = float(np.mean(predicted == test.targets))
    ended = handloom("evaluate", run)
    assert f"moons: accuracy {accuracy:.4f}" in ended.out
    assert handloom("evaluate", run / "model").out.count(f"{accuracy:.4f}") == 1

    assert handloom("train", "--resume", run, "--epochs", "9").status == 0
    assert RunFolder.open(run).grid().epochs.tolist() == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    assert handloom("report", run).status == 0
    page = (run / "report.html").read_text()
    assert "The decision boundary over the epochs" in page
    assert "A row of your own" in page
    assert "Trained on moons" in page
    assert "--data moons" in page


@pytest.mark.parametrize("name", sorted(set(RESERVED) - {"fashion-mnist"}))
def test_every_generated_dataset_is_verified_by_its_name(handloom: Command, name: str) -> None:
    ended = handloom("data", "verify", name)
    assert ended.status == 0
    assert f"dataset {name}" in ended.out


def test_a_misspelled_name_is_told_those_that_are_known(handloom: Command) -> None:
    ended = handloom("train", "--data", "mons")
    assert ended.status == 1
    assert "Did you mean 'moons'?" in ended.err


def test_options_of_images_are_refused(handloom: Command) -> None:
    ended = handloom("train", "--data", "moons", "--size", "8")
    assert ended.status == 1
    assert "--size would be ignored for moons" in ended.err


def test_continuous_targets_are_verified_by_their_range(handloom: Command) -> None:
    ended = handloom("data", "verify", "sine")
    (line,) = (line for line in ended.out.splitlines() if line.split()[:1] == ["y"])
    low, _, high = line.split()[1:4]
    assert float(low) < -0.9 < 0.9 < float(high)
    assert "class" not in ended.out


@pytest.mark.parametrize("name", ["sine", "moons"])
def test_rows_that_are_no_images_are_not_drawn(
    handloom: Command, tmp_path: Path, name: str
) -> None:
    ended = handloom("data", "show", name, "--out", tmp_path / "samples.png")
    assert ended.status == 1
    assert f"{name} holds rows of float32" in ended.err
    assert f"handloom data verify {name} shows what they hold" in ended.err
    assert not list(tmp_path.iterdir())
