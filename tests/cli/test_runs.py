"""A damaged run is refused in one line by every command that opens it."""

import shutil
from pathlib import Path

import pytest
from PIL import Image
from tests.cli.conftest import Command


@pytest.mark.parametrize("command", ["evaluate", "predict", "summary"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "tampered", "no manifest", "nowhere"])
def test_a_damaged_run_is_refused_in_one_line(
    handloom: Command, trained: Path, tmp_path: Path, command: str, damage: str
) -> None:
    folder = tmp_path / "run"
    if damage != "nowhere":
        shutil.copytree(trained, folder)
        weights = next((folder / "model").glob("weights-*.safetensors"))
        content = weights.read_bytes()
        match damage:
            case "missing":
                weights.unlink()
            case "truncated":
                weights.write_bytes(content[:-10])
            case "tampered":
                weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
            case "no manifest":
                (folder / "model" / "manifest.json").unlink()
    image = tmp_path / "x.png"
    Image.new("L", (28, 28)).save(image)
    ended = handloom(command, folder, *([image] if command == "predict" else []))
    assert ended.status == 1
    assert ended.err.startswith("error: ")
    assert len(ended.err.splitlines()) == 1
    assert str(folder) in ended.err


def test_a_folder_of_runs_is_refused_with_their_names(
    handloom: Command, trained: Path, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        shutil.copytree(trained, tmp_path / name)
    ended = handloom("summary", tmp_path)
    assert ended.status == 1
    assert f"{tmp_path} holds the runs 'one', 'two': name one of them" in ended.err
    shutil.copytree(tmp_path, tmp_path / "study" / "runs")
    ended = handloom("summary", tmp_path / "study")
    assert "study holds the runs 'runs/one', 'runs/two': name one of them" in ended.err
