"""Datasets on the command line: verified, shown, and refused in one line when they are bad."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Command, write_idx
from tests.data.helpers import idx_bytes

from handloom import Splits
from handloom.data import write_image_folders


def test_verify_prints_what_a_folder_holds(handloom: Command, tiny_folder: Path) -> None:
    ended = handloom("data", "verify", tiny_folder)
    assert ended.status == 0
    for text in ("(300, 28, 28)", "(60, 28, 28)", "uint8", "0 to 255", "train-images-idx3-ubyte"):
        assert text in ended.out


def test_verify_fails_where_a_class_has_no_rows(
    handloom: Command, tiny: Splits, tmp_path: Path
) -> None:
    lacking = Splits(tiny.train.take(tiny.train.targets != 3), tiny.test)
    ended = handloom("data", "verify", write_idx(tmp_path / "lacking", lacking))
    assert ended.status == 1
    assert "problem: train: class '3' has no rows" in ended.out


def test_show_draws_a_grid(handloom: Command, tiny_folder: Path, tmp_path: Path) -> None:
    ended = handloom("data", "show", tiny_folder, "--out", tmp_path / "new" / "grid.png")
    assert ended.status == 0
    assert str(tmp_path / "new" / "grid.png") in ended.out
    with Image.open(tmp_path / "new" / "grid.png") as image:
        image.verify()


def test_show_takes_the_next_free_name(
    handloom: Command, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("samples.png", "samples-2.png"):
        ended = handloom("data", "show", tiny_folder, "--per-class", 1)
        assert ended.out == f"Wrote {name}\n"
    refused = handloom("data", "show", "emnist-letters", "--out", "samples.png")
    assert "unknown dataset 'emnist-letters'" in refused.err  # before the name of the file
    assert "Did you mean" not in refused.err


def test_show_draws_augmented_versions(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    options = ("--per-class", 9, "--out", tmp_path / "grid.png")
    ended = handloom("data", "show", tiny_folder, "--augment", "flip,shift", *options)
    assert (ended.status, ended.err) == (0, "")
    handloom("data", "show", tiny_folder, "--per-class", 9, "--out", tmp_path / "samples.png")
    sizes = []
    for name in ("grid.png", "samples.png"):
        with Image.open(tmp_path / name) as image:
            sizes.append(image.width)
    assert sizes[0] > sizes[1], "a column more, for the samples themselves"
    ended = handloom("data", "show", "nowhere", "--augment", "flp", "--out", tmp_path / "x.png")
    assert ended.status == 1
    assert "Did you mean 'flip'" in ended.err


def _truncated_gzip(folder: Path) -> None:
    path = folder / "train-images-idx3-ubyte"
    path.with_suffix(".gz").write_bytes(gzip.compress(path.read_bytes())[:-500])
    path.unlink()
    path.with_suffix(".gz").rename(folder / "train-images-idx3-ubyte.gz")


def _truncated(folder: Path) -> None:
    path = folder / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-7])


def _wrong_magic(folder: Path) -> None:
    path = folder / "train-labels-idx1-ubyte"
    path.write_bytes(b"\x12\x34" + path.read_bytes()[2:])


def _counts_differ(folder: Path) -> None:
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(299)))


def _zero_rows(folder: Path) -> None:
    (folder / "train-images-idx3-ubyte").write_bytes(idx_bytes(np.zeros((0, 28, 28))))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(0)))


def _one_class(folder: Path) -> None:
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(300)))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(60)))


def _missing(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte").unlink()


@pytest.mark.parametrize(
    "damage",
    [
        _truncated_gzip,
        _truncated,
        _wrong_magic,
        _counts_differ,
        _zero_rows,
        _one_class,
        _missing,
    ],
)
def test_bad_idx_files_are_refused_in_one_line(
    handloom: Command, tiny: Splits, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = write_idx(tmp_path / "data", tiny)
    damage(folder)
    assert handloom("data", "verify", folder).status == 1
    ended = handloom("train", "--data", folder, "--epochs", 1, "--out", tmp_path / "run")
    assert ended.status == 1
    assert ended.err.startswith("error: ")
    assert len(ended.err.splitlines()) == 1
    assert not (tmp_path / "run" / "results.json").exists()


def _empty_class(folder: Path) -> None:
    (folder / "train" / "Zip").mkdir()


def _stray_file(folder: Path) -> None:
    (folder / "train" / "Bag" / "notes.txt").write_text("mine")


def _no_image(folder: Path) -> None:
    (folder / "train" / "Bag" / "0000.png").write_bytes(b"not an image")


def _other_size(folder: Path) -> None:
    Image.new("L", (27, 28)).save(folder / "train" / "Bag" / "0000.png")


@pytest.mark.parametrize("damage", [_empty_class, _stray_file, _no_image, _other_size])
def test_bad_image_folders_are_refused_in_one_line(
    handloom: Command, tiny: Splits, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "images"
    write_image_folders(tiny, folder)
    for part in ("train", "test"):  # names instead of numbers
        (folder / part / "8").rename(folder / part / "Bag")
    damage(folder)
    ended = handloom("data", "verify", folder)
    assert ended.status == 1
    assert ended.err.startswith("error: ")
    assert len(ended.err.splitlines()) == 1
    assert "Bag" in ended.err or "Zip" in ended.err


@pytest.mark.parametrize("command", ["train", "reproduce"])
@pytest.mark.parametrize("path", ["", "nowhere", "pyproject.toml"])
def test_a_named_dataset_is_never_substituted(
    handloom: Command, tmp_path: Path, command: str, path: str
) -> None:
    ended = handloom(command, "--data", path, "--out", tmp_path / "run")
    assert ended.status == 1
    assert ended.err.startswith("error: ")
    assert "using the generated dataset" not in ended.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["train", "reproduce", "evaluate"])
def test_fashion_mnist_by_name_is_nothing_else(
    handloom: Command,
    trained: Path,
    tiny_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    monkeypatch.setenv("HANDLOOM_DATA", str(tiny_folder))
    options = [trained] if command == "evaluate" else ["--out", tmp_path / "run"]
    ended = handloom(command, *options, "--data", "fashion-mnist")
    assert ended.status == 1
    assert "HANDLOOM_DATA must name a folder of fashion-mnist, got tiny" in ended.err


def test_a_folder_that_is_only_called_so_is_not_taken_for_the_dataset(
    handloom: Command, tiny: Splits, tmp_path: Path
) -> None:
    folder = write_idx(tmp_path / "fashion-mnist", tiny)
    ended = handloom("data", "verify", folder)
    assert "dataset fashion-mnist (a folder)" in ended.out


def test_a_picture_is_not_overwritten(handloom: Command, tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.png").write_text("mine")
    ended = handloom("data", "show", tiny_folder, "--out", tmp_path / "mine.png")
    assert ended.status == 1
    assert (tmp_path / "mine.png").read_text() == "mine"
    assert handloom("data", "show", tiny_folder, "--out", tmp_path / "x.txt").status == 1


def test_a_wrong_environment_variable_is_an_error_too(
    handloom: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDLOOM_DATA", str(tmp_path / "nowhere"))
    ended = handloom("train", "--out", tmp_path / "run")
    assert ended.status == 1
    assert "HANDLOOM_DATA" in ended.err
