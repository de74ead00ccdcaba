"""Reading runs: parts that are there are shown, missing or other ones named, and no path."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.pages import Parsed, parsed

from handloom import DataError, Dataset, DivergenceWarning, Splits, evaluate, silhouettes
from handloom.data import ImageOptions
from handloom.data.table_options import DataOptions
from handloom.errors import HandloomError
from handloom.files import FileError
from handloom.locks import HeldFolder
from handloom.recipes import experiment
from handloom.recipes.settings import Settings
from handloom.reporting.groups import groups_of
from handloom.reporting.reading import find_dataset, read_run, run_folders
from handloom.reporting.report import report_of, report_of_several
from handloom.reporting.sections.comparison import points_by_chance
from handloom.training import Checkpoints, RunDescription, RunFolder

pytest.importorskip("PIL")

SPLITS = silhouettes(rows=300, test_rows=120)
EVERY = "1"
OTHER = silhouettes(rows=300, test_rows=120, seed=5)


def find(_: str, options: DataOptions) -> Splits:
    return SPLITS


def lost(_: str, options: DataOptions) -> Splits:
    raise DataError("not there")


def write_run(path: Path, *, seed: int = 0, epochs: int = 2, data: str = "silhouettes") -> Path:
    """Train a small network as the command does, and write its folder."""
    settings = Settings(hidden=(16,), epochs=epochs, seed=seed, validation_fraction=0.2)
    described = experiment.experiment_to_json(settings)
    folder = RunFolder(path, RunDescription(described, data, EVERY, 1))
    folder.write_description()
    trained = experiment.train(
        settings, SPLITS, checkpoints=Checkpoints(folder, every=EVERY), save=folder.write_model
    )
    folder.write_history(trained.history)
    figures = {"test_accuracy": trained.test.accuracy, "test_loss": trained.test.loss}
    folder.write_results({"dataset": SPLITS.name, **figures})
    folder.write_predictions({"test": trained.test.probabilities})
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(
        tmp_path_factory.mktemp("anna-secret") / "run-1", data="/home/anna-secret/silhouettes"
    )


def page_of(run: Path, find_data: object = find) -> Parsed:
    return parsed(report_of(read_run(run, find_data)).html)  # type: ignore[arg-type]


def test_a_page_tells_of_everything_and_shows_no_path(run: Path) -> None:
    page = page_of(run)
    sections = {each.attributes.get("id") for each in page.all("section")}
    assert sections >= {
        *("overview", "notes", "curves", "network", "confusion", "mistakes", "calibration"),
        *("weights", "embedding", "provenance"),
    }
    assert "anna-secret" not in page.whole_text + str([each.attributes for each in page.all()])
    command = next(page.by_id("provenance").all("code")).text
    assert command == "handloom train --validation-fraction 0.2 --hidden 16 --epochs 2"


def test_the_command_of_a_page_is_a_command(run: Path) -> None:
    from handloom.cli.app import run as called

    command = next(page_of(run).by_id("provenance").all("code")).text.split()
    assert called([*command[1:], "--help"]) == 0


def test_the_options_of_an_image_folder_find_its_rows_and_stand_in_the_command(run: Path) -> None:
    folder = run.with_name("with-options")
    shutil.copytree(run, folder)
    described = json.loads((folder / "run.json").read_text())
    options = ImageOptions(size=(6, 8), test=0.2, skip_bad=True)
    described["data"], described["data_options"] = "/photos", options.to_json()
    (folder / "run.json").write_text(json.dumps(described))
    results = json.loads((folder / "results.json").read_text())
    (folder / "results.json").write_text(json.dumps({**results, "dataset": "photos"}))
    shutil.rmtree(folder / "model")  # which names the dataset too
    asked = []

    def find_photos(named: str, options: DataOptions) -> Splits:
        asked.append((named, options))
        return SPLITS

    page = page_of(folder, find_photos)
    assert asked == [("/photos", options)]
    command = next(page.by_id("provenance").all("code")).text
    assert command.endswith("--data FOLDER --size 8x6 --test 0.2 --skip-bad")


def test_rows_that_are_not_there_are_left_out_and_said(run: Path) -> None:
    page = page_of(run, lost)
    assert "the dataset was not found" in page.by_id("omitted").whole_text
    assert {"overview", "curves", "network", "weights", "provenance"} <= {
        each.attributes.get("id") for each in page.all("section")
    }
    assert not list(page.all("image"))
    assert "SHA-256" in page.by_id("provenance").whole_text  # that of the checkpoint


@pytest.mark.parametrize("part", ["train", "test"])
def test_other_rows_are_not_taken_for_those_of_the_run(run: Path, part: str) -> None:
    other = {"train": (OTHER.train, SPLITS.test), "test": (SPLITS.train, OTHER.test)}[part]
    bare = run.with_name(f"bare-{part}")
    shutil.copytree(run, bare)
    read = read_run(bare, lambda _, options: Splits(*other))
    if part == "test":
        assert read.test is None
        assert "predicts its test rows otherwise" in read.missing["test"]
        with pytest.raises(DataError, match="otherwise"):
            read_run(bare, find, Splits(*other))
    else:  # a part of the rows was held out, so that their fingerprint is not that of the run
        assert read.fingerprint is not None


def test_test_rows_in_another_order_of_classes_are_not_those_of_the_run(run: Path) -> None:
    test = SPLITS.test
    turned = Dataset(test.inputs, (test.targets + 1) % 10, test.class_names, test.name)
    with pytest.raises(DataError, match="other classes"):
        read_run(run, find, Splits(SPLITS.train, turned))


def test_other_training_rows_have_another_fingerprint(run: Path, tmp_path: Path) -> None:
    from handloom.data.fingerprint import fingerprint

    whole = tmp_path / "run"
    shutil.copytree(run, whole)
    for file in (whole / "checkpoints").glob("*/state-*.json"):
        values = json.loads(file.read_text())
        values["configuration"]["data"] = fingerprint(OTHER.train)
        file.write_text(json.dumps(values))
    with pytest.raises(DataError, match="another fingerprint"):
        read_run(whole, find, SPLITS)


@pytest.mark.parametrize(
    "missing",
    [
        "history.json",
        "predictions.safetensors",
        "results.json",
        "model",
        "checkpoints",
        "history.json predictions.safetensors results.json model checkpoints",
    ],
)
def test_a_folder_that_lacks_parts_gets_a_page(run: Path, tmp_path: Path, missing: str) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    for name in missing.split():
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    page = page_of(folder)
    assert page.by_id("overview")
    assert page.by_id("provenance")


def test_a_damaged_part_is_left_out(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    (folder / "history.json").write_text("{")
    (folder / "predictions.safetensors").write_bytes(b"x" * 100)
    assert "Curves: how the training went" in page_of(folder).by_id("omitted").whole_text


def test_predictions_are_made_again_where_they_are_not_stored(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    (folder / "predictions.safetensors").unlink()
    again, stored = read_run(folder, find), read_run(run, find)
    assert again.probabilities is not None
    assert stored.probabilities is not None
    np.testing.assert_allclose(again.probabilities, stored.probabilities, atol=1e-5)


def test_a_model_whose_predictions_are_not_finite_gets_a_page(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    opened = RunFolder.open(folder)
    model = opened.model()
    model.network.parameters.vector[...] = 1e38
    model.save(folder / "model")
    with pytest.warns(DivergenceWarning):
        diverged = evaluate(model, SPLITS.test)
    opened.write_predictions({"test": diverged.probabilities})
    opened.write_results({"test_accuracy": diverged.accuracy, "test_loss": None})
    page = page_of(folder)
    assert "not finite" in page.by_id("omitted").whole_text
    assert page.by_id("confusion")


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="neither the folder of a run"):
        run_folders(tmp_path)
    with pytest.raises(HandloomError):
        find_dataset(str(tmp_path), ImageOptions())


def test_several_runs_are_set_side_by_side(run: Path, tmp_path: Path) -> None:
    second = write_run(tmp_path / "<b>seed 1", seed=1)
    longer = write_run(tmp_path / "longer", epochs=3)
    page = parsed(report_of_several([read_run(each, find) for each in (run, second, longer)]).html)
    text = page.by_id("results").whole_text
    assert "<b>seed 1" in text
    assert re.search(r"\d+\.\d\d ± \d+\.\d\d", text)
    assert "epochs" in page.by_id("differences").whole_text
    assert len(list(page.by_id("classes").all("tr"))) == 1 + len(SPLITS.test.class_names)
    assert len(list(page.by_id("curves").all("figure"))) == 5
    assert page.by_id("provenance").whole_text.count("handloom train") == 3


def test_seeds_of_one_setting_are_lines_of_their_own(run: Path, tmp_path: Path) -> None:
    runs = [read_run(each, find) for each in (run, write_run(tmp_path / "b", seed=1))]
    chart = json.loads(parsed(report_of_several(runs).html).by_id("data-curves").text)["charts"][
        "loss"
    ]
    assert chart["groups"] == ["run-1 (seed 0)", "b (seed 1)"]
    assert chart["colors"] == [0, 1]
    assert [each["dash"] for each in chart["series"]] == [0, 1]


def test_bars_of_gains_have_one_scale_and_clipped_ones_are_marked(run: Path) -> None:
    first = read_run(run, find)
    assert first.test is not None
    wrong = np.zeros((len(first.test), len(first.class_names)), np.float32)
    wrong[:, 0] = 1.0  # gains the first class, and loses the others
    second = replace(first, name="b", probabilities=wrong)
    section = parsed(report_of_several([first, second]).html).by_id("classes")
    for row in section.all("tr"):
        for bar in row.all("svg"):
            (rect,) = bar.all("rect")
            left, width = float(rect.attributes["x"]), float(rect.attributes["width"])
            assert 40.0 in (left, round(left + width, 2))
            assert width <= 40.0
            said = float(next(row.all("td")).text.split("\xa0")[0])
            if said > 10.0 and left < 40.0:  # it lost more than the longest bar
                assert len(list(bar.all("path"))) == 1
    assert "Bars end at 10 points; an arrow marks those that are longer" in section.whole_text


def test_each_class_has_a_chance_of_its_own() -> None:
    """Two networks of equal recall differ by more in about one of twenty classes."""
    draws, recalls, rows = np.random.default_rng(0), np.array([1.0, 0.9, 0.6]), (20, 400, 100)
    beyond = []
    for _ in range(500):
        pair = []
        for _ in range(2):
            correct = draws.binomial(rows, recalls)
            confusion = np.diag(correct)
            confusion[range(3), [1, 2, 0]] = rows - correct
            pair.append(confusion)
        recall = [np.diag(each) / rows for each in pair]
        beyond.append(100 * np.abs(recall[1] - recall[0]) > points_by_chance(pair))
    assert np.mean(beyond, axis=0)[0] == 0.0
    assert np.mean(beyond, axis=0)[1:] == pytest.approx(0.05, abs=0.03)
    few = np.diag([10, 10])
    assert (points_by_chance([few, few]) > 10.0).all()  # ten rows that are all right tell little


def test_a_seed_that_ran_twice_is_no_other_seed(run: Path, tmp_path: Path) -> None:
    again = write_run(tmp_path / "again")
    twice = [read_run(each, find) for each in (run, again)]
    text = parsed(report_of_several(twice).html).by_id("results").whole_text
    assert "Mean and spread" not in text
    other = read_run(write_run(tmp_path / "other", seed=1), find)
    text = parsed(report_of_several([*twice, other]).html).by_id("results").whole_text
    (group,) = groups_of([*twice, other])
    assert len(group.of_each_seed) == 2
    assert group.spread("test_accuracy") == groups_of([twice[0], other])[0].spread("test_accuracy")
    assert "Of several runs with the same seed the first one counts" in text


def test_a_setting_has_the_same_color_in_every_chart(run: Path, tmp_path: Path) -> None:
    runs = [read_run(each, find) for each in (run, write_run(tmp_path / "longer", epochs=3))]
    page = parsed(report_of_several(runs).html)
    data = json.loads(page.by_id("data-curves").text)["charts"]
    assert [each["colors"] for each in data.values()] == 5 * [[0, 1]]
    only = [replace(runs[0], history=None), runs[1]]
    data = json.loads(parsed(report_of_several(only).html).by_id("data-curves").text)["charts"]
    assert [each["colors"] for each in data.values()] == 5 * [[1]]


def test_runs_of_one_name_are_told_apart(run: Path, tmp_path: Path) -> None:
    other = write_run(tmp_path / "run-1", epochs=3)
    page = parsed(report_of_several([read_run(each, find) for each in (run, other)]).html)
    rows = [next(row.all("th")).text for row in page.by_id("results").all("tr")][1:]
    assert rows[:2] == ["run-1", "run-1 (2)"]
    assert len(json.loads(page.by_id("data-curves").text)["charts"]["loss"]["groups"]) == 2


def test_a_lock_in_the_folder_is_no_part_of_it(run: Path) -> None:
    held = HeldFolder(run, lock=False)
    assert read_run(held.path, find).name == "run-1"
