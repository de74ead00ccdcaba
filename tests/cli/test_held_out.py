"""``handloom train`` holds out a tenth, keeps the best epoch on it, and says so."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Command, write_idx

from handloom import Splits, load_run
from handloom.recipes.experiment import experiment_from_json, experiment_to_json
from handloom.recipes.recipe import RecipeSettings
from handloom.recipes.registry import RECIPES
from handloom.recipes.settings import Settings
from handloom.training import EpochRecord, LayerNorms, RunFolder, StopReason, TrainingState

OVERFITS = ("--epochs", 6, "--hidden", 64, "--learning-rate", 0.02, "--batch-size", 16)


def test_the_epoch_that_is_kept_is_the_best_on_held_out_rows(
    handloom: Command, tiny: Splits, tiny_folder: Path, tmp_path: Path
) -> None:
    ended = handloom("train", "--data", tiny_folder, *OVERFITS, "--out", tmp_path / "run")
    assert ended.status == 0
    run = load_run(tmp_path / "run")
    assert run.history is not None
    assert run.results is not None
    best = int(np.argmin(run.history["validation_loss"]))
    said = " ".join(ended.out.split())
    assert "270 training, 30 validation and 60 test rows" in said
    assert (
        f"kept: the weights of epoch {best + 1} of 6, with the lowest validation loss, on 30 "
        "held-out rows" in said
    )
    kept, accuracy = run.history.records[best], run.results["test_accuracy"]
    assert f"training, epoch {best + 1} {kept.accuracy:.4f} {kept.loss:.4f}" in said
    validated = f"{kept.validation_accuracy:.4f} {kept.validation_loss:.4f}"
    assert f"validation, epoch {best + 1} {validated}" in said
    assert re.search(rf"test {accuracy:.4f}", said)
    assert said.index("validation, epoch") < said.index(f"test {accuracy:.4f}")
    assert "all 6 epochs done" in said
    assert run.results["kept_epoch"] == best
    assert run.model is not None
    predicted = run.model.predict(tiny.test.inputs).argmax(axis=1)
    assert np.mean(predicted == tiny.test.targets) == pytest.approx(accuracy)


def test_zero_holds_out_nothing(handloom: Command, tiny_folder: Path, tmp_path: Path) -> None:
    options = ("--epochs", 2, "--validation-fraction", 0)
    ended = handloom("train", "--data", tiny_folder, *options, "--out", tmp_path / "run")
    run = load_run(tmp_path / "run")
    assert "300 training and 60 test rows" in ended.out
    assert "training, epoch 2, the last" in ended.out
    assert "kept" not in ended.out
    assert run.history is not None
    assert run.results is not None
    assert not run.history.validated
    assert "kept_epoch" not in run.results


@pytest.mark.long
def test_a_run_of_before_resumes_as_it_was(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    options = ("--epochs", 2, "--validation-fraction", 0, "--schedule", "constant")
    handloom("train", "--data", tiny_folder, *options, "--out", folder)
    path = folder / "run.json"
    described = json.loads(path.read_text())
    assert described["settings"].pop("validation_fraction") == 0.0
    path.write_text(json.dumps(described))
    ended = handloom("train", "--resume", folder, "--epochs", 3)
    assert ended.status == 0, ended.err
    assert "300 training and 60 test rows" in ended.out
    assert len(RunFolder.open(folder).history()) == 3


def test_settings_without_the_field_hold_out_nothing() -> None:
    assert Settings().validation_fraction == 0.1
    stored = experiment_to_json(Settings())
    del stored["validation_fraction"]
    assert experiment_from_json(stored).validation_fraction == 0.0


def test_a_recipe_holds_out_nothing_by_default() -> None:
    recipe = RECIPES["mlp-flash"]
    assert RecipeSettings(recipe, epochs=1).validation_fraction == 0.0


def test_rows_that_cannot_be_held_out_are_named_with_the_way_out(
    handloom: Command, tiny: Splits, tmp_path: Path
) -> None:
    alone = np.flatnonzero(tiny.train.targets == 0)[1:]
    train = tiny.train.take(np.setdiff1d(np.arange(len(tiny.train)), alone))
    folder = write_idx(tmp_path / "data", Splits(train, tiny.test))
    options = ("--epochs", 1, "--data", folder, "--out")
    ended = handloom("train", *options, tmp_path / "run")
    assert ended.status == 1
    assert "class '0' must have at least 2 rows" in ended.err
    assert "set validation_fraction to 0 (--validation-fraction 0)" in ended.err


def test_the_epochs_of_an_interrupted_training_are_those_done(
    handloom: Command, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AfterTwo(LayerNorms):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            if record.epoch == 1:
                state.stop(StopReason.INTERRUPTED)

    monkeypatch.setattr("handloom.cli.training.LayerNorms", AfterTwo)
    ended = handloom("train", "--data", tiny_folder, *OVERFITS, "--out", tmp_path / "run")
    assert ended.status == 130
    assert "of the 2 done, with the lowest validation loss" in " ".join(ended.out.split())
