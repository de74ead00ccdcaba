"""Reports on a folder: content, comparison with the published files, and problems."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from tests.data.helpers import IDX_NAMES, idx_bytes, small_splits, write_idx_folder

from handloom import DataError, Dataset, Splits
from handloom.data import verify, write_image_folders
from handloom.data.sources.published import CLASS_NAMES, MD5_SUMS


def test_a_folder_of_idx_files(tmp_path: Path) -> None:
    report = verify(write_idx_folder(tmp_path / "mine"))
    splits = small_splits()
    assert (report.kind, report.name, report.class_names) == ("idx", "mine", ("0", "1", "2"))
    assert report.train.shape == (12, 5, 5)
    assert report.train.dtype == "uint8"
    assert report.train.minimum == splits.train.inputs.min()
    assert report.train.maximum == splits.train.inputs.max()
    assert report.train.rows_per_class == (4, 4, 4)
    assert report.test.rows_per_class == (2, 2, 2)
    assert report.problems == ()


def test_files_that_are_not_the_published_ones_are_no_problem(tmp_path: Path) -> None:
    report = verify(write_idx_folder(tmp_path))
    assert [file.name for file in report.files] == [f"{name}.gz" for name in IDX_NAMES]
    first = report.files[0]
    assert first.md5 == hashlib.md5((tmp_path / first.name).read_bytes()).hexdigest()
    assert first.published == MD5_SUMS[first.name]
    assert not first.as_published
    assert not report.published


def test_an_unpacked_file_has_no_published_sum(tmp_path: Path) -> None:
    write_idx_folder(tmp_path)
    (tmp_path / f"{IDX_NAMES[1]}.gz").unlink()
    (tmp_path / IDX_NAMES[1]).write_bytes(idx_bytes(small_splits().train.targets))
    assert [file.published is None for file in verify(tmp_path).files] == [
        False,
        True,
        False,
        False,
    ]


def test_a_folder_of_images_has_the_same_fingerprint(tmp_path: Path) -> None:
    write_image_folders(small_splits(), tmp_path / "images")
    report = verify(tmp_path / "images")
    assert (report.kind, report.files) == ("images", ())
    assert report.fingerprint == verify(write_idx_folder(tmp_path / "idx")).fingerprint


def test_classes_without_rows_are_a_problem(tmp_path: Path) -> None:
    splits = small_splits()
    lacking = Splits(splits.train, splits.test.take(np.flatnonzero(splits.test.targets != 1)))
    assert verify(write_idx_folder(tmp_path, lacking)).problems == ("test: class '1' has no rows",)


def test_a_single_class_and_flat_pixels_are_problems(tmp_path: Path) -> None:
    flat = Dataset(np.full((3, 2, 2), 7, np.uint8), np.zeros(3, np.int64), ("0",))
    problems = verify(write_idx_folder(tmp_path, Splits(flat, flat))).problems
    assert problems == (
        "there is a single class: nothing can be learned",
        "train: all pixels have the value 7",
        "test: all pixels have the value 7",
    )


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    write_idx_folder(tmp_path)
    (tmp_path / f"{IDX_NAMES[0]}.gz").write_bytes(b"\x1f\x8brubbish")
    with pytest.raises(DataError, match=IDX_NAMES[0]):
        verify(tmp_path)


@pytest.mark.skipif("HANDLOOM_DATA" not in os.environ, reason="needs HANDLOOM_DATA")
def test_fashion_mnist_itself_is_as_published() -> None:
    report = verify(os.environ["HANDLOOM_DATA"])
    assert report.published
    assert report.class_names == CLASS_NAMES
    assert (report.train.minimum, report.train.maximum) == (0, 255)
    assert all(file.as_published for file in report.files if file.name.endswith(".gz"))
    assert report.problems == ()
