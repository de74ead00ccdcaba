"""The loss, class weights, the scaling of the target and the positive class of a run on a table."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Command

from handloom.data.sources import open_table
from handloom.training.run_folder import RunFolder

REGRESSION = ("--target", "price", "--drop", "note", "--drop", "dear", "--epochs", 2)
CLASSES = ("--target", "dear", "--drop", "note", "--drop", "price", "--epochs", 2)


def test_a_loss_and_a_scaling_are_recorded_and_resumed(
    handloom: Command, houses: Path, tmp_path: Path
) -> None:
    data, out = houses / "houses.csv", tmp_path / "run"
    chosen = ("--loss", "mean_absolute_error", "--target-scaling", "log")
    ended = handloom("train", "--data", data, *REGRESSION, *chosen, "--out", out)
    assert ended.status == 0, ended.err
    assert "mean_absolute_error in training and validation" in ended.out
    described = json.loads((out / "run.json").read_text())
    assert described["settings"]["loss"] == "mean_absolute_error"
    assert described["data_options"]["target_scaling"] == "log"
    assert handloom("train", "--resume", out, "--epochs", 3).status == 0
    evaluated = handloom("evaluate", out)
    assert evaluated.status == 0
    results = json.loads((out / "results.json").read_text())
    assert f"{results['test_mae']:.6g}" in evaluated.out
    assert results["test_mae"] > 1e3  # in the units of the price


def test_classes_of_unequal_size_and_the_positive_one(
    handloom: Command, houses: Path, tmp_path: Path
) -> None:
    data, out = houses / "houses.csv", tmp_path / "run"
    chosen = ("--class-weight", "balanced", "--positive", "False")
    ended = handloom("train", "--data", data, *CLASSES, *chosen, "--out", out)
    assert ended.status == 0, ended.err
    assert "False, the positive class, is predicted above the probability 0.5" in ended.out
    assert "train with --positive True" in ended.out
    assert "(for the other: --positive True)" in handloom("evaluate", out).out
    run = RunFolder.open(out)
    assert run.description.settings["class_weight"] == "balanced"
    assert run.model().class_names == ("True", "False")
    rows = run.predictions()["test_rows"]
    assert rows.dtype == np.int64
    splits = open_table.open_table(data, "dear", drop=["note", "price"])
    assert splits.test.row_numbers is not None
    assert rows.tolist() == splits.test.row_numbers.tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((*CLASSES, "--loss", "huber"), "loss='huber' is for a regression"),
        ((*REGRESSION, "--class-weight", "balanced"), "class_weight is for classes"),
        ((*REGRESSION, "--loss", "hubber"), "Did you mean 'huber'?"),
        ((*REGRESSION, "--positive", "True"), "positive is for two classes"),
    ],
    ids=str,
)
def test_settings_for_other_targets_are_refused(
    handloom: Command, houses: Path, tmp_path: Path, options: tuple[object, ...], message: str
) -> None:
    ended = handloom("train", "--data", houses / "houses.csv", *options, "--out", tmp_path / "x")
    assert (ended.status, message in ended.err) == (1, True), ended.err


def test_an_interruption_while_the_data_are_read_says_that_nothing_was_trained(
    handloom: Command, houses: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("handloom.cli.training.load_dataset", interrupted)
    data, out = houses / "houses.csv", tmp_path / "run"
    ended = handloom("train", "--data", data, *REGRESSION, "--out", out)
    assert ended.status == 130
    assert "the training had not begun" in ended.err


def test_a_model_without_a_run_has_a_page(handloom: Command, houses: Path, tmp_path: Path) -> None:
    model = RunFolder.open(houses / "price").model()
    model.save(tmp_path / "mine")
    ended = handloom("report", tmp_path / "mine", "--data", houses / "houses.csv")
    assert ended.status == 0, ended.err
    assert (tmp_path / "mine-report.html").is_file()


def test_verify_tells_of_categories_that_may_be_one_and_of_rare_ones(
    handloom: Command, tmp_path: Path
) -> None:
    path = tmp_path / "cars.csv"
    fuels = ["Diesel"] * 20 + ["Benzin"] * 20 + [" benzin "] * 8 + ["Gas"] * 2
    path.write_text("fuel,y\n" + "".join(f"{fuel},{n}.5\n" for n, fuel in enumerate(fuels)))
    ended = handloom("data", "verify", path, "--target", "Y")
    assert "'Benzin', 'benzin' differ in case or spaces only" in ended.out
    assert "1 category has fewer than 5 rows, such as 'Gas'" in ended.out
    assert "Did you mean 'y'?" in ended.out


def test_poisson_names_the_scaling_that_it_needs(handloom: Command, tmp_path: Path) -> None:
    data = tmp_path / "counts.csv"
    data.write_text("x,count\n" + "".join(f"{n % 7},{n % 5 + 0.5}\n" for n in range(60)))
    options = ("--data", data, "--target", "count", "--task", "regression", "--loss", "poisson")
    ended = handloom("train", *options, "--out", tmp_path / "run")
    assert ended.status == 1
    assert "--target-scaling divide" in ended.err
