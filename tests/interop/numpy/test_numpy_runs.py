"""A run that was read is exported with its figures on the test set."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import handloom
from handloom import DataError, Dense, Model, ModelError, Sequential
from handloom.data.transforms import AsFloat
from handloom.training.loaded_run import LoadedRun
from handloom.training.run_description import RunDescription


def run_of(model: Model | None, results: dict[str, Any] | None) -> LoadedRun:
    description = cast(RunDescription, None)  # an export does not look at it
    return LoadedRun(Path("runs/first"), description, model, None, results, None)


def test_its_figures_are_in_the_first_lines(tmp_path: Path) -> None:
    network = Sequential([Dense(2)]).build((3,))
    model = Model(network, AsFloat(), ("a", "b"), (3,), "float32")
    run = run_of(model, {"test_accuracy": 0.875, "test_loss": 0.5, "epochs": 3})
    exported = handloom.to_numpy(run, tmp_path / "model.py")
    text = exported.path.read_text()
    assert exported.largest_difference == 0.0
    assert "test accuracy: 0.875\n" in text
    assert "epochs" not in text


def test_no_rows_are_refused_since_nothing_is_compared(tmp_path: Path) -> None:
    model = Model(Sequential([Dense(2)]).build((3,)), AsFloat(), ("a", "b"), (3,), "float32")
    with pytest.raises(DataError, match="at least one row to compare, got none"):
        handloom.to_numpy(model, tmp_path / "model.py", rows=np.zeros((0, 3), np.float32))
    assert not list(tmp_path.iterdir())


def test_a_run_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"runs/first has no model yet"):
        handloom.to_numpy(run_of(None, None), tmp_path / "model.py")
