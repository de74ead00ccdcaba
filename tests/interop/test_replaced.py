"""An export replaces an earlier one, and never another file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.random_networks import random_model

from handloom import Dense, Model, to_numpy, to_onnx, to_torch
from handloom.files import FileError

WRITERS = {"model.onnx": to_onnx, "model.py": to_torch, "file.py": to_numpy}


@pytest.fixture
def model() -> Model:
    return random_model((3,), [Dense(2)], np.random.default_rng(0))


def writer(name: str) -> Callable[..., Any]:
    if name.endswith(".onnx"):
        pytest.importorskip("onnx")
    return WRITERS[name]


@pytest.mark.parametrize("name", WRITERS)
def test_an_earlier_export_is_replaced(name: str, model: Model, tmp_path: Path) -> None:
    write = writer(name)
    first = write(model, tmp_path / name)
    before = [path.read_bytes() for path in (first.path, *first.other_files)]
    other = random_model((3,), [Dense(2)], np.random.default_rng(1))
    second = write(other, tmp_path / name)
    after = [path.read_bytes() for path in (second.path, *second.other_files)]
    assert before[-1] != after[-1]


@pytest.mark.parametrize(
    ("name", "own"),
    [(name, name) for name in WRITERS] + [("model.py", "model.safetensors")],
)
def test_another_file_is_not_replaced(name: str, own: str, model: Model, tmp_path: Path) -> None:
    write = writer(name)
    (tmp_path / own).write_text("import handloom  # mine")
    with pytest.raises(FileError, match=f"{own} was not written by an export, and is not replaced"):
        write(model, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [own]
    assert (tmp_path / own).read_text() == "import handloom  # mine"


@pytest.mark.parametrize("name", WRITERS)
def test_an_empty_file_is_replaced(name: str, model: Model, tmp_path: Path) -> None:
    (tmp_path / name).touch()  # as tempfile makes it
    assert writer(name)(model, tmp_path / name).path.stat().st_size > 0


def test_weights_of_a_saved_model_are_not_replaced(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path)
    (saved,) = tmp_path.glob("*.safetensors")
    with pytest.raises(FileError, match="was not written by an export"):
        to_torch(model, saved)
