"""The test rows of a table: those of another file, and whether they are still the same."""

import json
import os
import warnings
from pathlib import Path

import pytest
from tests.cli.conftest import Command
from tests.cli.table_files import table

from handloom import DataError, open_table

OPTIONS = ("--target", "price", "--drop", "note", "--epochs", 2)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with a file of training rows and one of test rows."""
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "train.csv", 120)
    table(tmp_path / "test.csv", 50, seed=1)
    return tmp_path


def test_the_rows_of_another_file_are_encoded_by_those_of_the_training(files: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        splits = open_table("train.csv", "price", test="test.csv", drop=["note"])
        whole = open_table("test.csv", "price", test=0.5, drop=["note"])
    assert (len(splits.train), len(splits.test)) == (120, 50)
    assert splits.train.columns is splits.test.columns
    assert splits.train.columns is not None
    assert splits.train.columns.rows == 120
    assert splits.train.inputs[:, 0].mean() == pytest.approx(0.0, abs=1e-5)
    assert abs(splits.test.inputs[:, 0].mean()) > 1e-3
    assert whole.train.columns != splits.train.columns
    target = splits.test.columns.target if splits.test.columns else None
    assert target is not None
    first = float((files / "test.csv").read_text().splitlines()[1].split(",")[-1])
    assert target.restore(splits.test.targets)[0, 0] == pytest.approx(first, rel=1e-4)


def test_a_run_records_the_file_of_its_test_rows_for_all_commands(
    handloom: Command, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trained = handloom("train", "--data", "train.csv", "--test", "test.csv", *OPTIONS)
    assert trained.status == 0
    assert "108 training, 12 validation and 50 test rows" in trained.out
    run = files / "runs" / "train-1"
    recorded = json.loads((run / "run.json").read_text())["data_options"]["test"]
    assert recorded == str((files / "test.csv").resolve())
    monkeypatch.chdir(os.sep)
    shown = handloom("evaluate", run)
    assert (shown.status, "50 rows" in shown.out) == (0, True)
    assert handloom("report", run).status == 0
    page = (run / "report.html").read_text()
    assert "--target price --drop note --test FILE" in page
    assert str(files) not in page
    resumed = handloom("train", "--resume", run, "--epochs", 3)
    assert resumed.status == 0
    refused = handloom("train", "--resume", run, "--target", "price", "--test", "0.3")
    assert "which cannot change" in refused.err


@pytest.mark.parametrize("changed", ["train.csv", "test.csv"])
def test_changed_test_rows_are_noticed(handloom: Command, files: Path, changed: str) -> None:
    test = ("--test", "test.csv") if changed == "test.csv" else ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trained = handloom("train", "--data", "train.csv", *test, *OPTIONS, "--out", "run")
    assert trained.status == 0
    header, *lines = Path(changed).read_text().splitlines()
    Path(changed).write_text("\n".join([header, *lines[::-1]]))  # as many rows, others for testing
    for command in (("evaluate", "run"), ("train", "--resume", "run", "--epochs", 3)):
        refused = handloom(*command)
        assert refused.status == 1
        assert "changed since the training" in refused.err


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("train.csv", "test must be another file"),
        ("unlabeled.csv", "lacks the target 'price', so that nothing can be measured"),
        ("absent.csv", "does not exist"),
        ("test.xls", "test must be a fraction, such as 0.2, or the file of a table"),
    ],
)
def test_wrong_files_of_test_rows_are_refused(
    handloom: Command, files: Path, test: str, message: str
) -> None:
    text = Path("test.csv").read_text()
    Path("unlabeled.csv").write_text(
        "\n".join(line.rpartition(",")[0] for line in text.splitlines())
    )
    ended = handloom("train", "--data", "train.csv", "--test", test, *OPTIONS)
    assert ended.status == 1
    assert message in ended.err
    assert not list(files.glob("runs/*"))


@pytest.mark.filterwarnings("ignore")
def test_a_class_that_only_test_rows_have_is_refused_with_its_row(files: Path) -> None:
    text = Path("test.csv").read_text()
    Path("other.csv").write_text(text.replace("Rome", "Paris", 1))
    message = r"'town' is 'Paris' in line \d+, no class of the training"
    with pytest.raises(DataError, match=message):
        open_table("train.csv", "town", test="other.csv", drop=["note"])
