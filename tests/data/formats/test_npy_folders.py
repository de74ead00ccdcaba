"""Folders of .npy files: one or several of each kind, read by open_folder."""

import os
from pathlib import Path

import numpy as np
import pytest
from tests.data.helpers import same, small_splits, write_idx_folder, write_npy_folder

from handloom import DataError, Dataset, Splits
from handloom.data import open_folder
from handloom.data.formats.joined_rows import JoinedRows
from handloom.data.sources import published
from handloom.data.sources.open_folder import kind_of
from handloom.data.sources.verify import verify


@pytest.mark.parametrize("files", [1, 3])
def test_a_folder_of_npy_files(tmp_path: Path, files: int) -> None:
    folder = write_npy_folder(tmp_path / "mine", files=files)
    read = open_folder(folder)
    assert kind_of(folder) == "npy"
    for part, expected in (
        (read.train, small_splits().train),
        (read.test, small_splits().test),
    ):
        assert same(part.take(slice(None)), expected)
        assert isinstance(part.inputs, np.memmap if files == 1 else JoinedRows)
    assert (read.name, read.train.class_names) == ("mine", ("0", "1", "2"))
    assert open_folder(folder, name="other").name == "other"


def test_the_parts_may_have_other_numbers_of_files(tmp_path: Path) -> None:
    folder = write_npy_folder(tmp_path, files=2)
    for path in folder.glob("test-*"):
        path.unlink()
    np.save(folder / "test-inputs.npy", small_splits().test.inputs)
    np.save(folder / "test-targets.npy", small_splits().test.targets.astype(np.uint8))
    assert same(open_folder(folder).test, small_splits().test)


def test_class_names_lie_beside_the_files(tmp_path: Path) -> None:
    folder = write_npy_folder(tmp_path)
    (folder / "classes.txt").write_text("cat\ndog\nowl\n")
    assert open_folder(folder).train.class_names == ("cat", "dog", "owl")
    (folder / "classes.txt").write_text("cat\ndog\n")
    message = (
        r"train-targets\.npy: row 2 has the label 2, expected 0\.\.1, which classes\.txt names"
    )
    with pytest.raises(DataError, match=message):
        open_folder(folder)


def test_classes_may_be_counted_from_one(tmp_path: Path) -> None:
    splits = small_splits()
    folder = write_npy_folder(tmp_path, files=2)
    for path in folder.glob("*-targets-*"):
        np.save(path, np.load(path) + 1)
    read = open_folder(folder)
    assert read.test.class_names == ("1", "2", "3")
    assert np.array_equal(read.test.targets, splits.test.targets)
    (folder / "labels.txt").write_text("cat\ndog\nowl\n")
    assert np.array_equal(open_folder(folder).train.targets, splits.train.targets)


def test_a_class_of_the_test_part_alone_is_a_class_of_both(tmp_path: Path) -> None:
    folder = write_npy_folder(tmp_path)
    np.save(folder / "test-targets.npy", np.array([0, 1, 2, 3, 4, 5]))
    assert open_folder(folder).train.class_names == tuple("012345")


def test_files_that_are_missing_are_named(tmp_path: Path) -> None:
    folder = write_npy_folder(tmp_path, files=2)
    for path in folder.glob("test-*"):
        path.unlink()
    message = (
        r"missing: expected test-inputs\.npy and test-targets\.npy, or .* test-inputs-000\.npy"
    )
    with pytest.raises(DataError, match=message):
        open_folder(folder)
    for path in folder.glob("train-targets-*"):
        path.unlink()
    with pytest.raises(DataError, match=r"missing: expected train-targets\.npy and test-inputs"):
        open_folder(folder)


def test_the_test_rows_must_be_as_the_training_rows(tmp_path: Path) -> None:
    folder = write_npy_folder(tmp_path)
    np.save(folder / "test-inputs.npy", small_splits().test.inputs.astype(np.float32))
    message = r"test-inputs\.npy: holds float32, expected uint8, as in train-inputs\.npy"
    with pytest.raises(DataError, match=message):
        open_folder(folder)
    np.save(folder / "test-inputs.npy", small_splits().test.inputs[:, :4])
    with pytest.raises(DataError, match=r"test-inputs\.npy: holds rows of shape \(4, 5\)"):
        open_folder(folder)


def test_a_truncated_file_among_several(tmp_path: Path) -> None:
    folder = write_npy_folder(tmp_path, files=3)
    os.truncate(folder / "train-inputs-001.npy", 150)
    with pytest.raises(DataError, match=r"train-inputs-001\.npy: not a complete \.npy file"):
        open_folder(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    folder = write_npy_folder(tmp_path)
    (folder / "test-targets.npy").unlink()
    os.mkfifo(folder / "test-targets.npy")
    with pytest.raises(DataError, match=r"test-targets\.npy"):
        open_folder(folder)


def test_options_of_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"size= \(--size\) would be ignored for \.npy files"):
        open_folder(write_npy_folder(tmp_path), size=8)


def test_idx_files_come_first(tmp_path: Path) -> None:
    assert kind_of(write_idx_folder(write_npy_folder(tmp_path))) == "idx"


def test_the_published_rows_are_recognized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    splits = small_splits()
    monkeypatch.setattr(published, "_SHAPES", (splits.train.inputs.shape, splits.test.inputs.shape))
    monkeypatch.setattr(published, "CLASS_NAMES", ("a", "b", "c"))
    monkeypatch.setattr(published, "FINGERPRINT", published.fingerprint(splits))
    read = open_folder(write_npy_folder(tmp_path, files=2))
    assert (read.name, read.test.class_names) == (published.NAME, ("a", "b", "c"))


def test_verification_reads_files_as_memory(tmp_path: Path) -> None:
    several = verify(write_npy_folder(tmp_path / "several", files=3))
    assert several.kind == "npy"
    assert several.fingerprint == published.fingerprint(small_splits())
    assert (several.train.minimum, several.train.maximum) == (
        float(small_splits().train.inputs.min()),
        float(small_splits().train.inputs.max()),
    )
    assert not several.problems
    constant = Dataset(np.full((9, 2), 0.5, np.float32), np.arange(9) % 3)
    report = verify(write_npy_folder(tmp_path / "constant", Splits(constant, constant), files=2))
    assert "train: all pixels have the value 0.5" in report.problems
