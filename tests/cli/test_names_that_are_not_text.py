"""A class folder whose name is not UTF-8 is a class like any other, in every file and picture."""

import json
import os
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Command

from handloom import Model, silhouettes
from handloom.data import open_folder
from handloom.data.formats.image_folders import write_image_folders

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs names of any bytes")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Return an image folder with a class named in Latin-1."""
    pytest.importorskip("PIL")
    folder = tmp_path / "images"
    write_image_folders(silhouettes(rows=60, test_rows=20), folder)
    for part in ("train", "test"):
        (folder / part / "3").rename(folder / part / os.fsdecode(b"caf\xe9"))
    return folder


def test_a_class_folder_that_is_not_utf_8_has_an_escaped_name(images: Path) -> None:
    splits = open_folder(images)
    assert r"caf\xe9" in splits.train.class_names
    assert splits.train.class_names == splits.test.class_names
    for name in splits.train.class_names:
        name.encode()


@pytest.mark.usefixtures("pictures")
@pytest.mark.slow
def test_a_training_on_a_class_folder_that_is_not_utf_8_is_whole(
    handloom: Command, images: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    ended = handloom("train", "--data", images, "--out", run, "--hidden", 8, "--epochs", 1)
    assert ended.status == 0, ended.err
    assert r"caf\xe9" in Model.load(run / "model").class_names
    assert (run / "pictures" / "confusion.png").exists()
    assert (run / "pictures" / "mistakes.png").exists()
    assert json.loads((run / "results.json").read_text())["epochs"] == 1
    assert r"caf\xe9" in handloom("evaluate", run, "--data", images).out
    assert r"caf\xe9" in handloom("summary", run).out
