"""Labels that are counted from 1, as those of EMNIST's letters: no class without rows appears."""

import string
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from tests.data.helpers import IDX_NAMES, idx_bytes, small_splits

from handloom import Adam, DataError, Dense, Sequential, Trainer
from handloom.data import Splits, read_npy, write_image_folders
from handloom.data.formats.idx_folders import read_idx_folder
from handloom.data.formats.image_folders import read_image_folders

LETTERS = np.arange(52) % 26 + 1
NUMBERS = tuple(str(number) for number in range(1, 27))


def idx_folder(folder: Path, train: npt.NDArray[np.integer], test: npt.NDArray[np.integer]) -> Path:
    for images_name, labels_name, labels in (
        (IDX_NAMES[0], IDX_NAMES[1], train),
        (IDX_NAMES[2], IDX_NAMES[3], test),
    ):
        images = np.random.default_rng(len(labels)).integers(0, 256, (len(labels), 4, 4), np.uint8)
        (folder / images_name).write_bytes(idx_bytes(images))
        (folder / labels_name).write_bytes(idx_bytes(labels))
    return folder


def require_letters(splits: Splits, names: tuple[str, ...]) -> None:
    for part, labels in ((splits.train, LETTERS), (splits.test, LETTERS[:26])):
        assert part.class_names == names
        assert np.array_equal(part.targets, labels - 1)
        assert part.rows_per_class.min() > 0


def test_letters_are_26_classes_with_the_labels_as_names(tmp_path: Path) -> None:
    read = read_idx_folder(idx_folder(tmp_path, LETTERS, LETTERS[:26]))
    require_letters(read, NUMBERS)
    network = Sequential([Dense(26)]).build((16,), seed=0)
    Trainer(network, Adam(), 0.1, epochs=1).fit(read.train, read.test)


def test_26_names_belong_to_the_labels_1_to_26(tmp_path: Path) -> None:
    folder = idx_folder(tmp_path, LETTERS, LETTERS[:26])
    require_letters(read_idx_folder(folder, string.ascii_lowercase), tuple(string.ascii_lowercase))


def test_the_test_part_need_not_have_the_lowest_label(tmp_path: Path) -> None:
    read = read_idx_folder(idx_folder(tmp_path, LETTERS, np.array([5, 26])))
    assert read.test.class_names == NUMBERS
    assert read.test.targets.tolist() == [4, 25]


def test_names_for_labels_from_0_are_not_shifted_if_the_first_class_has_no_rows(
    tmp_path: Path,
) -> None:
    folder = idx_folder(tmp_path, np.array([1, 2, 3]), np.array([1, 2, 3]))
    read = read_idx_folder(folder, ("zero", "one", "two", "three"))
    assert read.train.targets.tolist() == [1, 2, 3]


def test_labels_from_1_with_too_few_names_are_refused(tmp_path: Path) -> None:
    folder = idx_folder(tmp_path, LETTERS, LETTERS)
    with pytest.raises(DataError, match=r"row 24 has the label 25, expected 0\.\.24"):
        read_idx_folder(folder, string.ascii_lowercase[:25])


def test_npy_files_may_count_classes_from_1(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((52, 4, 4), np.uint8))
    np.save(tmp_path / "y.npy", LETTERS)
    read = read_npy(tmp_path / "x.npy", tmp_path / "y.npy")
    assert read.class_names == NUMBERS
    assert np.array_equal(read.targets, LETTERS - 1)
    with pytest.raises(DataError, match=r"must lie in 0\.\.25 .*, got 1\.\.26"):
        read_npy(tmp_path / "x.npy", tmp_path / "y.npy", string.ascii_lowercase)


def test_npy_files_with_classes_below_0_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((4, 4, 4), np.uint8))
    np.save(tmp_path / "y.npy", np.array([-1, 1, -1, 1]))
    with pytest.raises(DataError, match=r"got -1\.\.1"):
        read_npy(tmp_path / "x.npy", tmp_path / "y.npy")


def test_class_folders_may_count_from_1(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    splits = small_splits(train=24, test=12, classes=12)
    write_image_folders(splits, tmp_path)
    for part in ("train", "test"):
        for number in range(11, -1, -1):
            (tmp_path / part / str(number)).rename(tmp_path / part / str(number + 1))
    read = read_image_folders(tmp_path)
    assert read.train.class_names == tuple(str(number) for number in range(1, 13))
    assert np.array_equal(read.train.targets, splits.train.sorted_by_class().targets)
