"""The run folder: its contents come back, and any other folder is refused by name."""

import ast
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

import handloom
from handloom import Adam, Dense, HandloomError, Model, ModelError, Sequential, Trainer, silhouettes
from handloom.environment import environment
from handloom.errors import ConfigurationError
from handloom.files import FileError
from handloom.training import EpochRecord, History, RunDescription, RunFolder, StudyFolder
from handloom.training.grid_frames import GridFrames
from handloom.training.run_folder import CONTENTS, STUDY_CONTENTS, is_run

DATA = silhouettes(rows=100, test_rows=20)
DESCRIPTION = RunDescription({"seed": 3, "hidden": [4]}, "silhouettes", "5m", 2)
RESULTS = {"test_accuracy": 0.5, "test_loss": None}


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    network = Sequential([Dense(10)]).build((784,), seed=0)
    made = Trainer(network, Adam(), 1e-3, epochs=2)
    made.fit(DATA.train, 0.2)
    return made


PREDICTIONS = np.arange(6.0, dtype=np.float32).reshape(2, 3)
AXES = (np.arange(3.0, dtype=np.float32), np.arange(2.0, dtype=np.float32))
FRAMES = GridFrames(np.arange(2), AXES, np.arange(24, dtype=np.uint8).reshape(2, 2, 3, 2))


def write(path: Path, trainer: Trainer) -> RunFolder:
    run = RunFolder(path, DESCRIPTION)
    run.write_description()
    run.write_model(trainer.model(), best_weights=trainer.network.parameters.values * 2)
    run.write_history(trainer.history)
    run.write_results(RESULTS)
    run.write_predictions({"test": PREDICTIONS.T})
    run.write_grid(FRAMES)
    return run


@pytest.fixture
def run(tmp_path: Path, trainer: Trainer) -> RunFolder:
    return write(tmp_path / "run", trainer)


def test_everything_that_is_written_comes_back(run: RunFolder, trainer: Trainer) -> None:
    opened = RunFolder.open(run.path)
    assert opened.description == DESCRIPTION
    assert opened.description.environments == [environment()]
    assert opened.results() == RESULTS
    history = opened.history()
    assert history.records == trainer.history.records
    assert (history.backend, history.lanes) == (trainer.history.backend, trainer.history.lanes)
    assert opened.history_table.read_text() == trainer.history.to_csv()
    weights = trainer.network.parameters.vector
    assert np.array_equal(opened.model().network.parameters.vector, weights)
    assert np.array_equal(opened.best_model().network.parameters.vector, 2 * weights)
    assert np.array_equal(opened.predictions()["test"], PREDICTIONS.T)


def test_damaged_predictions_are_refused_by_name(run: RunFolder) -> None:
    (run.path / "predictions.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError, match=r"predictions\.safetensors: "):
        run.predictions()


@pytest.mark.parametrize(
    "changes",
    [{"steps": -1}, {"rows": "few"}, {"guessing": "much"}, {"extra": 1}, {"records": [{}]}],
)
def test_a_damaged_diagnosis_is_refused(run: RunFolder, changes: dict[str, Any]) -> None:
    assert run.history().diagnosis is not None
    described: dict[str, Any] = run.history().to_json()
    described["diagnosis"] |= changes
    with pytest.raises(ModelError, match="invalid history"):
        History.from_json(described)


def test_a_history_of_before_the_diagnosis_can_be_read(run: RunFolder) -> None:
    described: dict[str, Any] = run.history().to_json()
    del described["diagnosis"]
    assert History.from_json(described).diagnosis is None


def test_a_history_that_diverged_comes_back(run: RunFolder) -> None:
    history = History()
    history.records = [
        replace(run.history().records[0], loss=float("nan"), data_loss=float("inf"), accuracy=None)
    ]
    run.write_history(history)
    (record,) = run.history()
    assert np.isnan(record.loss)
    assert record.data_loss == float("inf")
    assert record.accuracy is None


def test_a_run_without_checkpoints_says_so(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run", replace(DESCRIPTION, checkpoint_every=None))
    run.write_description()
    assert RunFolder.open(run.path).description.checkpoint_every is None


def test_a_grid_is_read_as_it_was_written(run: RunFolder) -> None:
    read = RunFolder.open(run.path).grid()
    assert read.epochs.tolist() == [0, 1]
    assert len(read.axes) == 2
    assert np.array_equal(read.predictions, FRAMES.predictions)


@pytest.mark.parametrize("name", ["version", "epochs", "predictions", "y"])
def test_a_grid_that_is_damaged_or_of_another_version_is_refused(run: RunFolder, name: str) -> None:
    arrays = FRAMES.to_arrays()
    changed = arrays if name != "version" else {**arrays, "version": np.array([2])}
    kept = {key: value for key, value in changed.items() if key != name or name == "version"}
    (run.path / "grid.safetensors").write_bytes(save(kept))
    with pytest.raises(ModelError, match=r"grid\.safetensors: frames "):
        run.grid()


def test_making_the_object_touches_no_file(tmp_path: Path) -> None:
    assert not is_run(RunFolder(tmp_path / "run", DESCRIPTION).path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_when_training_ends_is_missing_before(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run", DESCRIPTION)
    run.write_description()
    assert list(run.contents()) == ["run.json"]
    for read, name in (
        (run.model, "model"),
        (run.best_model, "best-model"),
        (run.history, "history.json"),
        (run.results, "results.json"),
        (run.predictions, "predictions.safetensors"),
        (run.grid, "grid.safetensors"),
    ):
        with pytest.raises(FileError, match=f"{name} is missing.*written when training ends"):
            read()


def test_contents_lists_no_empty_folder(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run", DESCRIPTION)
    run.write_description()
    for name in ("model", "checkpoints", "pictures"):
        (run.path / name).mkdir()
    (run.path / "checkpoints" / ".lock").touch()
    assert list(run.contents()) == ["run.json"]


def test_contents_lists_every_file_that_is_there(run: RunFolder) -> None:
    assert run.contents() == {
        name: meaning
        for name, meaning in CONTENTS.items()
        if name not in ("checkpoints/", "pictures/", "report.html")
    }
    assert {path.name for path in run.path.iterdir()} == {
        name.strip("/") for name in run.contents()
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"settings": []}, "settings must be an object, got \\[\\]"),
        ({"data": None}, "data must be a string, got None"),
        ({"checkpoint_every": 5}, "checkpoint_every must be a string or null, got 5"),
        ({"checkpoint_every": "5x"}, "every must be a number of epochs"),
        ({"threads": 0}, "threads must be a whole number of at least 1, got 0"),
        ({"environments": "here"}, "environments must be a list"),
        ({"environments": ["here"]}, "environment must be an object"),
    ],
)
def test_a_description_of_wrong_types_is_neither_made_nor_read(
    run: RunFolder, values: dict[str, Any], message: str
) -> None:
    with pytest.raises((ModelError, ConfigurationError), match=message):
        replace(DESCRIPTION, **values)
    change(run, **values)
    with pytest.raises(ModelError, match=rf"run\.json: {message}"):
        RunFolder.open(run.path)


def test_a_description_without_options_of_data_is_read(run: RunFolder) -> None:
    values = json.loads((run.path / "run.json").read_text())
    del values["data_options"]
    (run.path / "run.json").write_text(json.dumps(values))
    assert RunFolder.open(run.path).description.data_options == {}


@pytest.mark.parametrize("options", [{"sise": 3}, {"size": "3"}, {"test": 2.0}, [], None])
def test_invalid_options_of_data_are_refused(run: RunFolder, options: object) -> None:
    values = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps({**values, "data_options": options}))
    with pytest.raises(ModelError, match=r"run\.json"):
        RunFolder.open(run.path)


def test_an_unknown_entry_of_a_description_is_refused(run: RunFolder) -> None:
    change(run, thread=1)
    with pytest.raises(ModelError, match=r"unknown entry 'thread'.*Did you mean 'threads'"):
        RunFolder.open(run.path)


def change(run: RunFolder, **values: object) -> None:
    """Change the file of a run's description."""
    path = run.path / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_an_older_run_is_refused_with_the_way_to_its_model(
    run: RunFolder, trainer: Trainer
) -> None:
    change(run, version=1)
    with pytest.raises(ModelError, match="earlier Handloom") as refused:
        RunFolder.open(run.path)
    for text in ("run.json: version 1", "this one reads version 2", "Train again"):
        assert text in str(refused.value)
    folder = str(refused.value).rpartition(" ")[2]
    weights = Model.load(folder).network.parameters.vector
    assert np.array_equal(weights, trainer.network.parameters.vector)


def test_a_run_of_a_later_version_is_refused(run: RunFolder) -> None:
    change(run, version=3)
    with pytest.raises(ModelError, match=r"run\.json: version 3.*later Handloom.*Update"):
        RunFolder.open(run.path)


@pytest.mark.parametrize("version", [None, True, 0, -1, 2.0, "2", [2], 1e999])
def test_a_version_that_is_none_is_refused(run: RunFolder, version: object) -> None:
    change(run, version=version)
    with pytest.raises(ModelError, match=r"run\.json: version must be a whole number"):
        RunFolder.open(run.path)


def test_another_folder_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "run-1").mkdir()
    (tmp_path / "run-1" / "run.json").write_text("{}")
    (tmp_path / "run-1" / "model").mkdir()
    (tmp_path / "file").write_text("")
    for name, message in {
        ".": "is not a run folder: run.json is missing",
        "nowhere": "does not exist, expected a run folder.",
        "rnu-1": "does not exist, expected a run folder. Did you mean 'run-1'?",
        "file": "is a file, expected a run folder",
        "run-1/model": f"is a part of a run: name the run folder {tmp_path / 'run-1'}",
    }.items():
        folder = tmp_path / name
        assert not is_run(folder)
        with pytest.raises(FileError, match=f"^{re.escape(f'{folder} {message}')}$"):
            RunFolder.open(folder)
    (tmp_path / "run.json").write_text('{"kind": "handloom model", "version": 2}')
    with pytest.raises(ModelError, match="expected the kind 'handloom run', got 'handloom model'"):
        RunFolder.open(tmp_path)


DAMAGED = [
    ("", "not JSON"),
    ("\x00", "not JSON"),
    ("{", "not JSON"),
    ("[" * 100_000, "not JSON"),
    ("9" * 10_000, "not JSON"),
    (" " * (1 << 20) + "{}", "expected at most 1048576"),
    ("[]", "not the description of a run"),
    ("null", "not the description of a run"),
    ('{"kind": ' + "[" * 500 + "]" * 500 + "}", "not the description of a run|recursion"),
    ('{"kind": "handloom run"}', "version must be"),
    ('{"kind": "handloom run", "version": 2, "data": ""}', "settings, checkpoint_every, threads"),
]


@pytest.mark.parametrize(("text", "message"), DAMAGED, ids=[text[:20] for text, _ in DAMAGED])
def test_a_damaged_description_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ModelError, match=rf"run\.json: .*({message})"):
        RunFolder.open(tmp_path)


RECORD = EpochRecord(0, 1.0, 1.0, 0.0, 0.5, 0.1, 0.1).to_json()
LOSSES: list[Any] = [[7], {}, "many", None, True]
RECORDED: list[Any] = [[], {"a b": 1.0}, {"a": "b"}]


@pytest.mark.parametrize(
    "values",
    [
        *([], "history", 7, {}),
        {"records": 3},
        {"records": [[]]},
        {"records": [{}]},
        *({"records": [{**RECORD, "loss": loss}]} for loss in LOSSES),
        *({"records": [{**RECORD, "epoch": epoch}]} for epoch in (-1, 0.5, None)),
        *({"records": [{**RECORD, "recorded": more}]} for more in RECORDED),
        {"stopped_in": "7"},
        {"stopped_in": -1},
        {"stopped_steps": "7"},
        {"stop_reason": "plateau"},
        {"divergence": {}},
        {"layers": [[0]]},
        {"notes": 3},
        {"lanes": "3"},
        {"lanes": float("inf")},
        {"lanes": None},
        {"preparation_seconds": []},
    ],
)
def test_a_damaged_history_is_refused_by_name(run: RunFolder, values: Any) -> None:
    path = run.path / "history.json"
    whole = json.loads(path.read_text())
    changed = {**whole, **values} if values and isinstance(values, dict) else values
    path.write_text(json.dumps(changed))
    with pytest.raises(ModelError, match=r"history\.json: "):
        run.history()


@pytest.mark.parametrize("text", ["", "[]", "7", "[" * 500 + "]" * 500, "[" * 100_000])
def test_damaged_results_are_refused_by_name(run: RunFolder, text: str) -> None:
    (run.path / "results.json").write_text(text)
    with pytest.raises(ModelError, match=r"results\.json"):
        run.results()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes")
def test_a_pipe_is_refused_without_waiting(run: RunFolder) -> None:
    for name in ("run.json", "history.json", "results.json"):
        (run.path / name).unlink()
        os.mkfifo(run.path / name)
    for read in (run.history, run.results, lambda: RunFolder.open(run.path)):
        with pytest.raises(HandloomError, match=r"not a regular file|is missing"):
            read()


def test_a_study_holds_runs_that_can_be_opened(tmp_path: Path, trainer: Trainer) -> None:
    study = StudyFolder(tmp_path / "study")
    write(study.run("adam-seed0", DESCRIPTION).path, trainer)
    study.write_log("adam-seed0", "epoch\n0\n")
    study.write_results(RESULTS)
    assert RunFolder.open(study.path / "runs" / "adam-seed0").description == DESCRIPTION
    assert (study.path / "logs" / "adam-seed0.csv").read_text() == "epoch\n0\n"
    assert study.results() == RESULTS
    assert set(study.contents()) == {"runs/", "logs/", "results.json"}


SOURCE = Path(handloom.__file__).parent
NAMES = {name.strip("/") for name in [*CONTENTS, *STUDY_CONTENTS]}


def strings(tree: ast.AST) -> set[str]:
    """Return the file names, by suffix, and path parts among the string literals of a file."""
    literals = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            literals |= set(re.findall(r"[\w-]+\.(?:json|csv|safetensors|html)\b", node.value))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            parts = [part for part in ast.walk(node.right) if isinstance(part, ast.Constant)]
            literals |= {str(part.value).strip("/") for part in parts}
    return literals


@pytest.mark.slow
def test_no_other_file_knows_the_names() -> None:
    knowing = {
        path.name: names
        for path in SOURCE.rglob("*.py")
        if (names := NAMES & strings(ast.parse(path.read_text())))
    }
    assert set(knowing) == {"run_folder.py"}
    assert knowing["run_folder.py"] == {name for name in NAMES if "." in name}


def test_the_guide_has_a_row_for_every_file() -> None:
    page = (Path(__file__).parents[2] / "docs" / "guides" / "run-folder.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert set(rows) == {*CONTENTS, *STUDY_CONTENTS}
