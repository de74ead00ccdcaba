"""A run folder is read as a whole."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.training import HELD_OUT, ROWS, network

import handloom
from handloom import SGD, Model, ModelError, Trainer, evaluate, load_run
from handloom.files import FileError
from handloom.training import RunDescription, RunFolder, StudyFolder


def written(folder: Path, *, whole: bool = True) -> RunFolder:
    run = RunFolder(folder, RunDescription({"units": 3}, "mine", None, 1))
    run.write_description()
    if whole:
        trainer = Trainer(network(ROWS), SGD(), 0.1, epochs=2)
        trainer.fit(ROWS)
        test = evaluate(trainer.model(), HELD_OUT)
        run.write_model(trainer.model())
        run.write_history(trainer.history)
        run.write_results({"test_accuracy": test.accuracy})
        run.write_predictions({"test": test.probabilities})
    return run


def test_a_run_has_its_model_history_and_results(tmp_path: Path) -> None:
    folder = written(tmp_path / "run")
    run = load_run(tmp_path / "run")
    assert run.model is not None
    assert run.history is not None
    np.testing.assert_array_equal(run.model.predict(HELD_OUT.inputs), folder.predictions()["test"])
    assert run.history.records == folder.history().records
    assert run.results == folder.results()
    assert run.description.settings == {"units": 3}
    assert run.predictions == tmp_path / "run" / "predictions.safetensors"
    assert run.path == tmp_path / "run"
    with pytest.raises(dataclasses.FrozenInstanceError):
        run.model = None  # type: ignore[misc]


def test_what_a_killed_training_did_not_write_is_none(tmp_path: Path) -> None:
    written(tmp_path / "run", whole=False)
    run = handloom.load_run(str(tmp_path / "run"))
    assert (run.model, run.history, run.results, run.predictions) == (None, None, None, None)


def test_a_model_of_a_run_folder_is_loaded_by_load_run(tmp_path: Path) -> None:
    written(tmp_path / "run")
    with pytest.raises(ModelError, match=r"Of a run, handloom\.load_run\("):
        Model.load(tmp_path / "run")
    Model.load(tmp_path / "run" / "model")


def test_other_folders_are_refused_with_the_way_to_read_them(tmp_path: Path) -> None:
    written(tmp_path / "run")
    with pytest.raises(FileError, match=r"that of a model: handloom\.Model\.load"):
        load_run(tmp_path / "run" / "model")
    with pytest.raises(FileError, match=r"is not a run folder: run\.json is missing"):
        load_run(tmp_path)
    study = StudyFolder(tmp_path / "study")
    study.run("adam-seed0", RunDescription({}, "mine", None, 1)).write_description()
    with pytest.raises(FileError, match=r"holds several runs.*adam-seed0"):
        load_run(tmp_path / "study")
