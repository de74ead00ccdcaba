"""The names of exported Python files as modules."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.random_networks import random_model

from handloom import ConfigurationError, Dense, to_numpy, to_onnx, to_torch
from handloom.files import FileError
from handloom.interop.source.module_names import module_name


@pytest.mark.parametrize("write", [to_numpy, to_torch])
@pytest.mark.parametrize(
    "name",
    [
        *("numpy", "torch", "safetensors", "random"),
        *("handloom", "onnx", "onnxruntime", "pandas"),
    ],
)
def test_a_file_in_the_place_of_an_imported_module_is_refused(
    name: str, write: Callable[..., Any], tmp_path: Path
) -> None:
    model = random_model((3,), [Dense(2)], np.random.default_rng(0))
    with pytest.raises(ConfigurationError, match=f"name it {name}_model.py"):
        write(model, tmp_path / f"{name}.py")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["my-model", "class", "a.b"])
@pytest.mark.parametrize("write", [to_numpy, to_torch])
def test_the_example_of_a_file_that_cannot_be_imported_uses_another_name(
    name: str, write: Callable[..., Any], tmp_path: Path
) -> None:
    assert module_name(Path("shoes.py")) == "shoes"
    model = random_model((3,), [Dense(2)], np.random.default_rng(0))
    text = write(model, tmp_path / f"{name}.py").path.read_text()
    assert "import model" in text or "from model import load" in text


@pytest.mark.parametrize("name", ["rows", "names", "probabilities", "list", "shoes"])
def test_the_example_of_a_file_runs_whatever_its_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = random_model((3,), [Dense(2)], np.random.default_rng(0), output_activation="softmax")
    text = to_numpy(model, tmp_path / f"{name}.py").path.read_text()
    example = [line[4:] for line in text.splitlines() if line[:4] == "    "]
    first = next(i for i, line in enumerate(example) if line.startswith("import "))
    code = "\n".join(example[first : first + 3])
    assert "predict(rows)" in code
    assert "classify(rows)" in code
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, name, raising=False)
    used = {"rows": np.zeros((4, 3), np.float32)}
    exec(code, used)
    monkeypatch.delitem(sys.modules, name)
    assert used["probabilities"].shape == (4, 2)
    assert len(used["names"]) == 4


@pytest.mark.parametrize("path", ["", ".", "/", "a\0b.onnx"])
@pytest.mark.parametrize("write", [to_onnx, to_torch])
def test_a_path_that_names_no_file_is_refused(path: str, write: Callable[..., Any]) -> None:
    model = random_model((3,), [Dense(2)], np.random.default_rng(0))
    with pytest.raises((ConfigurationError, FileError), match="the name of a file"):
        write(model, path)
