"""The kind of a folder is detected by its content; one without a dataset is refused."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.data.helpers import IDX_NAMES, same, small_splits, write_idx_folder

from handloom import DataError, Splits
from handloom.data import open_folder, write_image_folders
from handloom.data.sources import published
from handloom.data.sources.published import fingerprint


def test_a_folder_of_idx_files(tmp_path: Path) -> None:
    read = open_folder(write_idx_folder(tmp_path / "mine"))
    assert same(read.train, small_splits().train)
    assert (read.name, read.train.class_names) == ("mine", ("0", "1", "2"))


def test_a_folder_of_images(tmp_path: Path) -> None:
    write_image_folders(small_splits(), tmp_path / "mine")
    read = open_folder(str(tmp_path / "mine"))
    assert same(read.train, small_splits().train.sorted_by_class())
    assert read.name == "mine"


def test_the_home_folder_may_be_abbreviated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_idx_folder(tmp_path / "mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert open_folder("~/mine").name == "mine"


def test_an_empty_path() -> None:
    with pytest.raises(DataError, match="the path of the data is empty"):
        open_folder("")


def test_a_path_that_leads_nowhere(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: does not exist"):
        open_folder(tmp_path / "nowhere")


def test_a_path_that_no_system_takes() -> None:
    with pytest.raises(DataError):
        open_folder("a\0b")


def test_a_file_instead_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file.gz").touch()
    with pytest.raises(DataError, match=r"file\.gz: a file, expected a folder"):
        open_folder(tmp_path / "file.gz")


@pytest.mark.parametrize(
    ("files", "content"),
    [
        ([], "empty"),
        (["notes.txt"], "1 file, none of them an image"),
        (["1.jpg", "2.HEIC", "notes.txt"], "2 images lie here directly"),
    ],
)
def test_a_folder_without_class_folders_is_described(
    tmp_path: Path, files: list[str], content: str
) -> None:
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=rf"{content}, expected one folder .* class inside.*IDX"):
        open_folder(tmp_path)


def test_folders_whose_images_are_all_in_further_folders_are_classes(tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    for name in ("a", "b"):
        for year in ("2023", "2024"):
            (tmp_path / name / year).mkdir(parents=True)
            image_module.new("L", (4, 4), 9).save(tmp_path / name / year / "1.png")
    assert open_folder(tmp_path, test=0.5).train.class_names == ("a", "b")


@pytest.mark.parametrize("present", IDX_NAMES)
def test_a_folder_with_one_idx_file_lacks_the_others(tmp_path: Path, present: str) -> None:
    (write_idx_folder(tmp_path / "all") / f"{present}.gz").rename(tmp_path / present)
    with pytest.raises(DataError, match=r"a file is missing: expected .*-ubyte"):
        open_folder(tmp_path)


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        open_folder(tmp_path)


def test_a_fingerprint_does_not_depend_on_how_rows_are_stored(tmp_path: Path) -> None:
    splits = small_splits()
    write_image_folders(splits, tmp_path / "images")
    renamed = Splits(replace(splits.train, name="x"), replace(splits.test, name="x"))
    assert fingerprint(open_folder(tmp_path / "images")) == fingerprint(splits)
    assert fingerprint(renamed) == fingerprint(splits)


def test_a_fingerprint_depends_on_every_pixel_and_label() -> None:
    splits = small_splits()
    pixels = splits.test.inputs.copy()
    pixels[3, 2, 1] ^= 1
    labels = np.roll(splits.test.targets, 1)
    for changed in (replace(splits.test, inputs=pixels), replace(splits.test, targets=labels)):
        assert fingerprint(Splits(splits.train, changed)) != fingerprint(splits)


def test_the_published_rows_are_named_in_any_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits = small_splits(20, 10, classes=10)
    monkeypatch.setattr(published, "FINGERPRINT", fingerprint(splits))
    monkeypatch.setattr(published, "_SHAPES", ((20, 5, 5), (10, 5, 5)))
    write_image_folders(splits, tmp_path / "images")
    for folder in (write_idx_folder(tmp_path / "idx", splits), tmp_path / "images"):
        read = open_folder(folder)
        assert read.name == "fashion-mnist"
        assert read.test.class_names[9] == "Ankle boot"
        assert read.train.fit is read.test.fit is None  # so photographs are prepared
    assert open_folder(tmp_path / "idx", "mine").name == "mine"


@pytest.mark.skipif("HANDLOOM_DATA" not in os.environ, reason="needs HANDLOOM_DATA")
def test_fashion_mnist_itself_is_known() -> None:
    read = open_folder(os.environ["HANDLOOM_DATA"])
    assert read.name == "fashion-mnist"
    assert read.train.class_names == published.CLASS_NAMES
    assert read.train.rows_per_class.tolist() == [6000] * 10
    assert read.test.rows_per_class.tolist() == [1000] * 10
