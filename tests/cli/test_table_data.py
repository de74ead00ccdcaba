"""Tables on the command line: from a CSV file to predictions of raw rows."""

import datetime
import gzip
import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Command
from tests.cli.table_files import read, table
from tests.helpers.pages import parsed

from handloom import Model, open_table
from handloom.cli.table_predictions import harmless


def test_a_regression_has_errors_in_units_of_the_target(handloom: Command, houses: Path) -> None:
    results = json.loads((houses / "price" / "results.json").read_text())
    assert results["test_r2"] > 0.8
    assert results["test_mae"] > 1e3
    assert "test_accuracy" not in results
    ended = handloom("evaluate", houses / "price")
    assert ended.status == 0
    assert f"{results['test_mae']:.6g}" in ended.out
    assert f"{results['test_r2']:.4f}" in ended.out


def test_a_report_tells_of_errors_rows_and_columns(handloom: Command, houses: Path) -> None:
    results = json.loads((houses / "price" / "results.json").read_text())
    assert handloom("report", houses / "price").status == 0
    page = parsed((houses / "price" / "report.html").read_text("utf-8"))
    assert f"{results['test_r2']:.4g}" in page.by_id("overview").whole_text
    assert f"{results['test_r2']:.3f}" in page.by_id("predicted").whole_text
    assert "town" in page.by_id("importance").whole_text
    command = next(page.by_id("provenance").all("code")).text
    assert command.endswith("--data FILE --target price --drop note --drop dear")
    assert handloom("report", houses / "dear").status == 0
    page = parsed((houses / "dear" / "report.html").read_text("utf-8"))
    assert "ROC curve" in page.by_id("threshold").whole_text


def test_runs_of_a_regression_are_compared_by_their_errors(
    handloom: Command, houses: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(houses / "price", tmp_path / "other")
    ended = handloom("report", houses / "price", other, "--out", tmp_path / "page.html")
    assert ended.status == 0
    page = parsed((tmp_path / "page.html").read_text("utf-8"))
    heads = [each.whole_text.strip() for each in page.by_id("results").all("th")]
    assert "mean absolute error" in heads
    assert "accuracy" not in page.by_id("content").whole_text.lower()


def test_a_report_takes_no_other_rows_for_those_of_a_regression(
    handloom: Command, houses: Path, tmp_path: Path
) -> None:
    other = table(tmp_path / "houses.csv", seed=5)
    ended = handloom("report", houses / "price", "--data", other, "--out", tmp_path / "page.html")
    assert ended.status != 0
    assert "the dataset is not that of the run" in ended.err


def test_a_report_on_a_changed_table_lacks_its_rows(
    handloom: Command, houses: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(houses / "price", tmp_path / "run")
    described = json.loads((run / "run.json").read_text())
    described["data"] = str(tmp_path / "gone.csv")
    (run / "run.json").write_text(json.dumps(described))
    ended = handloom("report", run)
    assert ended.status == 0
    assert "the page lacks the test rows: " in ended.err
    assert "where the run names it (its file)" in ended.err


def test_summary_shows_the_columns(handloom: Command, houses: Path) -> None:
    shown = handloom("summary", houses / "price").out
    assert "Bern, Oslo, Rome" in shown
    assert "left out: note, dear" in shown
    assert "target: price, regression, mean" in shown
    assert "learned from 128 training rows; 5 flat columns" in shown
    columns = Model.load(houses / "price" / "model").columns
    assert columns is not None
    assert f"{columns.inputs[0].mean:.6g}" in shown


def test_raw_rows_become_a_table_of_predictions(
    handloom: Command, houses: Path, tmp_path: Path
) -> None:
    new = table(tmp_path / "new.csv", 40, seed=1, prediction=["1"] * 40)
    out = tmp_path / "out.csv"
    ended = handloom("predict", houses / "price", new, "--out", out)
    assert ended.status == 0
    assert "1 column that the training rows lack is ignored: 'prediction'" in ended.err
    rows, original = read(out), read(new)
    assert [*rows[0]] == [*original[0], "prediction (handloom)"]
    predicted = np.array([float(row["prediction (handloom)"]) for row in rows])
    true = np.array([float(row["price"]) for row in original])
    known = [bool(row["size"]) for row in original]
    assert np.corrcoef(predicted[known], true[known])[0, 1] > 0.9
    assert np.abs(predicted - true).mean() < 1e5
    ended = handloom("predict", houses / "price", new, "--out", out)
    assert ended.status == 1
    assert "exists" in ended.err


def test_predictions_of_predictions_have_names_of_their_own(
    handloom: Command, houses: Path, tmp_path: Path
) -> None:
    file = table(tmp_path / "0.csv", 20, seed=1)
    for repetition in range(1, 5):
        out = tmp_path / f"{repetition}.csv"
        ended = handloom("predict", houses / "price", file, "--out", out)
        assert ended.status == 0, ended.err
        file = out
    names = [*read(file)[0]]
    assert names[-4:] == [
        "prediction",
        *("prediction (handloom)", "prediction (handloom 2)", "prediction (handloom 3)"),
    ]


def test_the_columns_of_a_parquet_file_are_written_as_they_are(
    handloom: Command, houses: Path, tmp_path: Path
) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    day = datetime.datetime(2024, 1, 2, 12, 30, tzinfo=datetime.UTC)
    columns = {
        "size": pa.array([50.0, 60.0]),
        "town": pa.array(["Bern", None]),
        "note": pa.array(["a", "b"]),
        "dear": pa.array([True, False]),
        "key": pa.array([2**53 + 3, None]),
        "day": pa.array([day.date(), None]),
        "sold": pa.array([day, None], pa.timestamp("ms", tz="Europe/Zurich")),
        "built": pa.array([day.replace(tzinfo=None), None]),
        "rate": pa.array([0.1, 1.5], pa.float32()),
    }
    parquet.write_table(pa.table(columns), tmp_path / "new.parquet")
    ended = handloom(
        "predict", houses / "price", tmp_path / "new.parquet", "--out", tmp_path / "out.csv"
    )
    assert ended.status == 0, ended.err
    written = [[*row.values()][4:-1] for row in read(tmp_path / "out.csv")]
    assert written == [
        ["9007199254740995", "2024-01-02", "2024-01-02T12:30:00.000Z", "2024-01-02T12:30", "0.1"],
        ["", "", "", "", "1.5"],
    ]


def test_decimal_commas_of_the_training_are_known_to_later_files_and_exports(
    handloom: Command, tmp_path: Path
) -> None:
    training, new = tmp_path / "offers.csv", tmp_path / "new.csv"
    cells = [(f"{n % 9 + 1}.{n:03d}", f"{n + 100},5") for n in range(100, 160)]
    training.write_text("Kaufpreis;Miete\n" + "".join(f"{a};{b}\n" for a, b in cells))
    ended = handloom(
        *("train", "--data", training, "--target", "Miete", "--task", "regression"),
        *("--hidden", "4", "--epochs", "1", "--out", tmp_path / "run"),
    )
    assert ended.status == 0, ended.err
    predictions = []
    for number in ("8.623", "8623"):
        new.write_text(f"Kaufpreis;x\n{number};1\n")
        out = tmp_path / f"{number}.csv"
        ended = handloom("predict", tmp_path / "run", new, "--out", out)
        assert ended.status == 0
        assert "far outside" not in ended.err
        predictions.append(read(out)[0]["prediction"])
    assert predictions[0] == predictions[1]
    file = tmp_path / "offers.py"
    ended = handloom("export", tmp_path / "run", "--format", "numpy", "--out", file)
    assert ended.status == 0
    assert "to the bit" in ended.out
    assert 'DECIMAL_COMMAS = ("Kaufpreis",)' in file.read_text()


def test_classes_have_probabilities_and_no_cell_is_run_by_a_spreadsheet(
    handloom: Command, houses: Path, tmp_path: Path
) -> None:
    new = table(tmp_path / "new.csv", 30, seed=2)
    assert handloom("predict", houses / "dear", new, "--out", tmp_path / "out.csv").status == 0
    rows = read(tmp_path / "out.csv")
    assert [row["note"] for row in rows] == [f"'=cmd|{n}" for n in range(30)]
    for row in rows:
        chances = [float(row[f"probability of {name}"]) for name in ("False", "True")]
        assert sum(chances) == pytest.approx(1.0, abs=1e-4)
        assert row["prediction"] == str(chances[1] > chances[0])


def test_class_names_are_harmless_in_cells_and_headers(handloom: Command, tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text(
        "x,y\n" + "".join(f"{n % 7},{'=a' if n % 7 > 3 else '@b'}\n" for n in range(40))
    )
    options = ("--target", "y", "--epochs", 20, "--out", tmp_path / "run")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert handloom("train", "--data", data, *options).status == 0
    assert handloom("predict", tmp_path / "run", data, "--out", tmp_path / "out.csv").status == 0
    rows = read(tmp_path / "out.csv")
    assert [*rows[0]] == ["x", "y", "prediction", "probability of =a", "probability of @b"]
    assert {row["prediction"] for row in rows} == {"'=a", "'@b"}


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+cmd", "'+cmd"),
        ("-x", "'-x"),
        (" =x", "' =x"),
        ("\t=x", "'\t=x"),
        ("\n=x", "'\n=x"),
        ("\uff1dx", "'\uff1dx"),
        ("-1.5", "-1.5"),
        ("+2e3", "+2e3"),
        ("-1,5", "-1,5"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_a_formula_becomes_text(cell: str, written: str) -> None:
    assert harmless(cell) == written


def test_without_a_file_the_first_predictions_are_shown(handloom: Command, houses: Path) -> None:
    ended = handloom("predict", houses / "dear", houses / "houses.csv")
    assert ended.status == 0
    assert "probability of True" in " ".join(ended.out.split())
    assert "--out predictions.csv" in ended.out


def test_without_a_file_the_notes_are_told_too(
    handloom: Command, houses: Path, tmp_path: Path
) -> None:
    new = table(tmp_path / "new.csv", 40, seed=1, town=["Atlantis", "Rome"] * 20)
    ended = handloom("predict", houses / "price", new)
    assert ended.status == 0
    assert "such as 'Atlantis'" in ended.err


def test_a_table_that_has_grown_is_not_that_of_the_run(
    handloom: Command, houses: Path, tmp_path: Path
) -> None:
    grown = tmp_path / "grown"
    shutil.copytree(houses, grown)
    own = grown / "houses.csv"
    ended = handloom(
        *("train", "--data", own, "--target", "price", "--drop", "note"),
        *("--epochs", 1, "--out", grown / "new"),
    )
    assert ended.status == 0
    lines = own.read_text().splitlines()
    own.write_text("\n".join([*lines, *lines[-20:]]) + "\n")
    ended = handloom("evaluate", grown / "new")
    assert ended.status == 1
    assert "rows" in ended.err


def test_another_table_is_evaluated_whole_and_that_of_the_run_by_its_test_rows(
    handloom: Command, houses: Path, tmp_path: Path
) -> None:
    new = table(tmp_path / "new.csv", 50, seed=3, town=["Atlantis", "Rome"] * 25)
    ended = handloom("evaluate", houses / "dear", "--data", new)
    assert ended.status == 0
    assert "50 rows" in ended.out
    assert "25 rows with 1 category that the training rows lack, such as 'Atlantis'" in ended.err
    assert "all 50 rows are used, as it is not the table of the run\n" in ended.err
    copy = tmp_path / "copy.csv"
    copy.write_bytes((houses / "houses.csv").read_bytes())
    for own in (houses / "houses.csv", copy):
        ended = handloom("evaluate", houses / "dear", "--data", own)
        assert "32 rows" in ended.out
        assert ended.out == handloom("evaluate", houses / "dear").out


def test_training_rows_in_another_file_are_told(
    handloom: Command, houses: Path, tmp_path: Path
) -> None:
    lines = (houses / "houses.csv").read_text().splitlines()
    new = [",".join([f"{row}.25", *lines[row].split(",")[1:]]) for row in range(20, 60)]
    splits = open_table(houses / "houses.csv", "dear", drop=["note", "price"])
    training, test = splits.train.row_numbers, splits.test.row_numbers
    assert training is not None
    assert test is not None
    for others, told in (
        ([lines[1 + row] for row in training[:30]], "; all equal training rows of the run: "),
        ([*new, *(lines[1 + row] for row in training[:9])], "; 9 of them equal a training row"),
        ([lines[1 + row] for row in test], "; 1 of them equals a training row"),  # by chance
        (new, "as it is not the table of the run\n"),
    ):
        other = tmp_path / "other.csv"
        other.write_text("\n".join([lines[0], *others]) + "\n")
        ended = handloom("evaluate", houses / "dear", "--data", other)
        assert ended.status == 0, ended.err
        assert f"all {len(others)} rows are used" in ended.err
        assert told in ended.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("town", "the column 'town' of the training rows is missing. Did you mean 'Town'?"),
        ("size", "the column 'size' of the training rows is missing. Did you mean 'sizes'?"),
    ],
)
def test_a_missing_column_is_refused_and_nothing_is_written(
    handloom: Command, houses: Path, tmp_path: Path, change: str, message: str
) -> None:
    text = (houses / "houses.csv").read_text()
    new = tmp_path / "new.csv"
    new.write_text(text.replace(change, {"town": "Town", "size": "sizes"}[change], 1))
    ended = handloom("predict", houses / "price", new, "--out", tmp_path / "out.csv")
    assert ended.status == 1
    assert message in ended.err
    assert not (tmp_path / "out.csv").exists()


def test_a_bad_line_far_down_leaves_no_file(
    handloom: Command, houses: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handloom.data.formats.tables.AT_ONCE", 0)
    monkeypatch.setattr("handloom.data.formats.csv_table.CELLS", 50)
    new = tmp_path / "new.csv"
    new.write_text((houses / "houses.csv").read_text() + "1,2\n")
    ended = handloom("predict", houses / "price", new, "--out", tmp_path / "out.csv")
    assert "line 162 has 2 cells, expected 5" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["new.csv"]


def test_a_run_on_a_table_is_resumed_and_reported(
    handloom: Command, houses: Path, tmp_path: Path
) -> None:
    options = ["--target", "price", "--drop", "note", "--epochs", 2, "--out", tmp_path / "run"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trained = handloom("train", "--data", houses / "houses.csv", *options)
        assert trained.status == 0
        resumed = handloom("train", "--resume", tmp_path / "run", "--epochs", 4)
    assert resumed.status == 0
    assert json.loads((tmp_path / "run" / "results.json").read_text())["epochs"] == 4
    for data in ([], ["--data", houses / "houses.csv"]):
        ended = handloom("report", tmp_path / "run", *data)
        assert (ended.status, ended.err) == (0, "")
    page = (tmp_path / "run" / "report.html").read_text()
    assert "128 training rows with the continuous target price" in page
    assert "Test R^2" in page
    refused = handloom("train", "--resume", tmp_path / "run", "--target", "dear")
    assert "--target dear" in refused.err
    assert "was read with --target price --drop note, which cannot change" in refused.err


@pytest.mark.parametrize("data", ["moons", "silhouettes"])
def test_a_run_on_a_table_is_resumed_on_no_other_kind_of_data(
    handloom: Command, houses: Path, data: str
) -> None:
    ended = handloom("train", "--resume", houses / "price", "--data", data)
    assert ended.status == 1
    assert (
        f"--data {data}: {houses / 'price'} was trained on the table {houses / 'houses.csv'}: name "
        "the new place of that table, or leave --data out" in ended.err
    )
    assert "--target" not in ended.err


def test_a_run_on_images_is_resumed_on_no_table(
    handloom: Command, houses: Path, trained: Path
) -> None:
    ended = handloom("train", "--resume", trained, "--data", houses / "houses.csv")
    assert ended.status == 1
    assert "name the new place of that dataset, or leave --data out" in ended.err


@pytest.mark.parametrize("command", ["reproduce", "gradcheck"])
def test_commands_without_a_target_say_which_one_takes_a_table(
    handloom: Command, houses: Path, tmp_path: Path, command: str
) -> None:
    data = tmp_path / "two words.csv"
    shutil.copy(houses / "houses.csv", data)
    ended = handloom(command, "--data", data)
    assert ended.status == 1
    assert ended.err == (
        f"error: {data} is a table; handloom {command} takes images or a named dataset. A table "
        f"is trained with: handloom train --data '{data}' --target COLUMN\n"
    )


@pytest.mark.parametrize("command", ["evaluate", "export", "report", "gradcheck", "reproduce"])
def test_the_help_of_a_command_without_options_of_tables_names_none(
    handloom: Command, command: str
) -> None:
    told = " ".join(handloom(command, "--help").out.split())
    assert "--test <str> Class folders: the fraction of each class held out" in told
    assert "test.csv" not in told
    if command in ("evaluate", "export", "report"):
        assert "[default: the data of the run]" in told
        assert "Fashion-MNIST, if it is found" not in told
    if command == "reproduce":
        assert "Parquet" not in told


def test_verify_shows_the_columns_and_the_problems(handloom: Command, houses: Path) -> None:
    ended = handloom("data", "verify", houses / "houses.csv", "--target", "price")
    assert ended.status == 1
    assert "a table of 160 rows and 5 columns" in ended.out
    assert "problem: column 'note' holds free text or an identifier" in ended.out
    ended = handloom("data", "verify", houses / "houses.csv", "--target", "price", "--drop", "note")
    assert ended.status == 0
    assert "target, regression" in ended.out


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--target", "dear", "--positive", "Yes"], "positive must be a class of the target"),
        (["--target", "price", "--positive", "Yes"], "positive is for two classes, got 'Yes'"),
        (["--target", "price", "--test", "nope.csv"], "nope.csv: does not exist"),
        (["--target", "price", "--test", "houses.csv"], "test must be another file than that of"),
        (["--target", "dear", "--target-scaling", "log"], "target_scaling='log' is for a regress"),
        (
            ["--target", "dear", *(f"--drop={name}" for name in ("size", "town", "price"))],
            "besides",
        ),
    ],
)
def test_verify_has_the_problem_that_a_training_would_have(
    handloom: Command,
    houses: Path,
    options: list[str],
    problem: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(houses)
    arguments = ["houses.csv", *options, "--drop", "note"]
    ended = handloom("data", "verify", *arguments)
    assert ended.status == 1
    assert problem in ended.out
    assert ended.out.count("problem: ") == 1
    assert "problem: houses.csv: " not in ended.out
    trained = handloom("train", "--data", *arguments)
    assert trained.status == 1
    assert problem in trained.err


@pytest.mark.parametrize("lines", ["y\n0.5\n1.5\n2.5", "x,y\n0.5,1.5", "x,y\n1,a\n2,b"])
def test_verify_refuses_a_table_that_cannot_be_trained_on(
    handloom: Command, tmp_path: Path, lines: str
) -> None:
    data = tmp_path / "few.csv"
    data.write_text(lines)
    ended = handloom("data", "verify", data, "--target", "y")
    assert ended.status == 1
    assert ended.out.count("problem: ") == 1


def test_a_packed_table_is_to_be_unpacked(handloom: Command, houses: Path, tmp_path: Path) -> None:
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(b"x,y\n1,2\n"))
    for command in (
        ("data", "verify", path),
        ("evaluate", houses / "price", "--data", path),
        ("train", "--data", path, "--target", "y"),
    ):
        ended = handloom(*command)
        assert ended.status == 1
        assert "with the suffix .csv, .tsv, .txt, .parquet; unpack it first" in ended.err


def test_verify_counts_one_row_as_one(handloom: Command, tmp_path: Path) -> None:
    data = tmp_path / "one.csv"
    data.write_text("x\n1")
    assert "a table of 1 row and 1 column" in handloom("data", "verify", data).out


def test_verify_shows_no_range_of_a_column_that_was_refused(
    handloom: Command, tmp_path: Path
) -> None:
    data = tmp_path / "infinite.csv"
    data.write_text("x,y\ninf,1\n2,0\n")
    ended = handloom("data", "verify", data)
    assert ended.status == 1
    assert "inf to" not in ended.out
    assert ["x", "refused", "0"] in [line.split() for line in ended.out.splitlines()]


def test_a_class_of_one_row_is_a_problem_as_it_is_for_a_training(
    handloom: Command, tmp_path: Path
) -> None:
    data = tmp_path / "rare.csv"
    data.write_text("x,y\n" + "".join(f"{n}.5,no\n" for n in range(40)) + "3,yes\n")
    problem = "the validation rows of rare: class 'yes' must have at least 2 rows"
    ended = handloom("data", "verify", data, "--target", "y")
    assert ended.status == 1
    assert f"problem: {problem}" in ended.out
    trained = handloom("train", "--data", data, "--target", "y", "--out", tmp_path / "run")
    assert f"error: {problem}" in trained.err
    assert "--validation-fraction 0" in trained.err


def test_a_regression_of_one_row_is_told_so(handloom: Command, tmp_path: Path) -> None:
    data = tmp_path / "one.csv"
    data.write_text("x,y\n1,0.5\n")
    ended = handloom("train", "--data", data, "--target", "y", "--out", tmp_path / "run")
    assert "a table to be split must have at least 2 rows, got one\n" in ended.err


@pytest.mark.parametrize("named", ["moons", "folder"])
def test_options_of_tables_are_refused_when_verifying_other_data(
    handloom: Command, tmp_path: Path, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    ended = handloom("data", "verify", named, "--target", "y")
    assert ended.status == 1
    assert ended.err == f"error: --target would be ignored for {named}; leave it out\n"


def test_a_model_of_a_table_predicts_no_images(handloom: Command, houses: Path) -> None:
    ended = handloom("predict", houses / "price", "shoe.png")
    assert ended.status == 1
    assert "name a CSV or Parquet file with the columns size, town, got shoe.png" in ended.err


def test_pixels_in_columns_are_images(handloom: Command, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(60) % 2
    pixels = generator.integers(0, 60, (60, 12)) + 150 * labels[:, None]
    lines = [",".join(["label", *(f"pixel{n}" for n in range(12))])]
    lines += [",".join(map(str, [label, *row])) for label, row in zip(labels, pixels, strict=True)]
    data, run_folder = tmp_path / "mnist.csv", tmp_path / "run"
    data.write_text("\n".join(lines))
    options = ["--target", "label", "--image-shape", "4x3", "--epochs", 20, "--out", run_folder]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert handloom("train", "--data", data, *options).status == 0
    model = Model.load(run_folder / "model")
    assert (model.row_shape, model.row_dtype, model.columns) == ((3, 4), "uint8", None)
    assert "accuracy 1.0000" in handloom("evaluate", run_folder).out
    assert "60 rows" in handloom("evaluate", run_folder, "--data", _longer(data)).out
    shown = handloom("data", "show", data, *options[:4], "--out", tmp_path / "samples.png")
    assert shown.status == 0
    unlabeled = tmp_path / "test.csv"
    unlabeled.write_text("\n".join(line.partition(",")[2] for line in lines))
    assert handloom("predict", run_folder, unlabeled, "--out", tmp_path / "out.csv").status == 0
    assert [int(row["prediction"]) for row in read(tmp_path / "out.csv")] == labels.tolist()
    data.write_text("\n".join([*lines[:-1], "1," + ",".join(["256"] * 12)]))
    refused = handloom("train", "--data", data, *options[:-1], tmp_path / "other")
    assert "column 'pixel0' must hold pixels from 0 to 255, got 256 in line 61" in refused.err


def test_pixels_are_matched_by_the_names_of_their_columns(
    handloom: Command, tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(60) % 2
    pixels = generator.integers(0, 60, (60, 12))
    pixels[:, :6] += 150 * labels[:, None]
    pixels[:, 6:] += 150 * (1 - labels[:, None])
    names = [f"p{n}" for n in range(12)]
    data, other = tmp_path / "train.csv", tmp_path / "other.csv"

    def write(path: Path, order: list[int], names: list[str]) -> None:
        lines = [["digit", *(names[n] for n in order)]]
        lines += [list(map(str, (labels[row], *pixels[row, order]))) for row in range(60)]
        path.write_text("\n".join(map(",".join, lines)))

    write(data, [*range(12)], names)
    options = ["--target", "digit", "--image-shape", "4x3", "--epochs", 20]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert handloom("train", "--data", data, *options, "--out", tmp_path / "run").status == 0
    write(other, [*range(12)][::-1], names)
    assert "accuracy 1.0000" in handloom("evaluate", tmp_path / "run", "--data", other).out
    ended = handloom("predict", tmp_path / "run", other, "--out", tmp_path / "out.csv")
    assert ended.status == 0, ended.err
    assert [int(row["prediction"]) for row in read(tmp_path / "out.csv")] == labels.tolist()
    write(other, [*range(12)], [name.upper() for name in names])
    ended = handloom("predict", tmp_path / "run", other)
    assert "other.csv: pixels are the columns in their order: those of the run have" in ended.err
    data.unlink()
    assert "train.csv of the run is gone" in handloom("predict", tmp_path / "run", other).err


def _longer(path: Path) -> Path:
    """Return a table of other content and the same rows."""
    other = path.with_name("longer.csv")
    other.write_bytes(path.read_bytes() + b"\n\n")
    return other


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--target must name the target column, one of size, town, note, dear, price"),
        (["--target", "prise"], "target names the column 'prise'"),
        (["--target", "price", "--size", "8"], "--size is for folders of images"),
        (["--task", "regression"], "--task needs --target"),
        (["--target", "price", "--test", "1"], "test must be a fraction below 1"),
        (["--target", "price", "--task", "guess"], "unknown task 'guess'"),
        (["--target", "price", "--drop", "price"], "drop must not name the target"),
        (["--target", "dear", "--image-shape", "9"], "--image-shape must be <width>x<height>"),
        (["--target", "price", "--drop", "note", "--recipe", "mlp"], "is for classes"),
        (["--target", "price", "--drop", "note", "--label-smoothing", "0.1"], "label_smoothing"),
        (["--target", "price"], "column 'note' holds free text or an identifier"),
    ],
)
def test_wrong_options_of_tables_are_refused(
    handloom: Command, houses: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    ended = handloom(
        *("train", "--data", houses / "houses.csv", "--out", tmp_path / "run", *options)
    )
    assert ended.status == 1
    assert message in ended.err
    assert not (tmp_path / "run").exists()


def test_options_of_tables_are_refused_for_other_data(handloom: Command, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for data in ("silhouettes", tmp_path / "data"):
        ended = handloom("train", "--data", data, "--target", "x", "--out", tmp_path / "run")
        assert ended.status == 1
        assert "--target is for tables: name a CSV or Parquet file with --data" in ended.err


def test_a_model_of_images_predicts_no_table(
    handloom: Command, houses: Path, trained: Path
) -> None:
    for arguments in (("predict", trained, houses / "houses.csv"),):
        ended = handloom(*arguments)
        assert ended.status == 1
        assert "images of shape (28, 28) need 784 columns of pixels, got 5" in ended.err
    ended = handloom("evaluate", trained, "--data", houses / "houses.csv")
    assert "the model was not trained on a table" in ended.err
    ended = handloom("predict", houses / "price", houses / "houses.csv", "--as-is")
    assert "--as-is would be ignored beside a table" in ended.err
