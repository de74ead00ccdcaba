"""Parts of a dataset on disk stay on disk: they are read on demand, and equal those in memory."""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from handloom import DataError, Dataset, read_npy
from handloom.data.fingerprint import fingerprint
from handloom.data.overlap import are_training_rows
from handloom.data.selected_rows import SelectedRows
from handloom.randomness import Stream

Array = npt.NDArray[Any]

ROWS = 240

IMAGES = np.random.default_rng(0).integers(0, 256, (ROWS, 5, 5), dtype=np.uint8)

TARGETS = np.arange(ROWS) % 4


class Loaded:
    """Rows that are loaded on demand, and which of them."""

    def __init__(self, rows: Array) -> None:
        self.rows = rows
        self.asked: list[Any] = []
        self.shape, self.dtype, self.ndim = rows.shape, rows.dtype, rows.ndim
        self.size, self.nbytes = rows.size, rows.nbytes

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Any) -> Array:
        self.asked.append(rows)
        loaded: Array = self.rows[rows]
        return loaded


@pytest.fixture(params=["one file", "several files", "any memory map", "loads rows"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Dataset:
    """Return the rows on disk, or loaded on demand."""
    np.save(tmp_path / "y.npy", TARGETS)
    for index, part in enumerate(np.array_split(IMAGES, 3)):
        np.save(tmp_path / f"x-{index}.npy", part)
    np.save(tmp_path / "all.npy", IMAGES)
    match request.param:
        case "one file":
            return read_npy(tmp_path / "all.npy", tmp_path / "y.npy", name="rows")
        case "several files":
            return read_npy(tmp_path / "x-*.npy", tmp_path / "y.npy", name="rows")
        case "any memory map":
            return Dataset(np.load(tmp_path / "all.npy", mmap_mode="r"), TARGETS, name="rows")
    return Dataset(Loaded(IMAGES), TARGETS, name="rows")


@pytest.fixture
def memory() -> Dataset:
    return Dataset(IMAGES, TARGETS, name="rows")


SELECTIONS: list[Any] = [
    *(slice(10, 50), slice(0, 240), slice(200, None), slice(5, 200, 3), slice(None, None, -1)),
    *(np.array([7, 3, 3, 239, -1]), TARGETS == 2),
]


@pytest.mark.parametrize("index", range(len(SELECTIONS)))
def test_a_part_is_the_part_in_memory_and_is_not_loaded(
    stored: Dataset, memory: Dataset, index: int
) -> None:
    chosen = SELECTIONS[index]
    part, expected = stored.take(chosen), memory.take(chosen)
    rows: Any = part.inputs
    assert isinstance(rows, SelectedRows | np.memmap)
    assert type(expected.inputs) is np.ndarray
    assert fingerprint(part) == fingerprint(expected)
    assert np.array_equal(part.targets, expected.targets)
    assert np.array_equal(rows[:], expected.inputs)
    assert np.array_equal(rows[-2:], expected.inputs[-2:])
    assert np.array_equal(rows[np.array([2, 0, 2])], expected.inputs[[2, 0, 2]])
    assert np.array_equal(rows[1], expected.inputs[1])


def test_split_and_shuffled_are_those_in_memory(stored: Dataset, memory: Dataset) -> None:
    stream = Stream(5)
    for part, expected in zip(
        (*stored.split(0.2, stream), stored.shuffled(stream), stored.sorted_by_class()),
        (*memory.split(0.2, stream), memory.shuffled(stream), memory.sorted_by_class()),
        strict=True,
    ):
        assert isinstance(part.inputs, SelectedRows)
        assert fingerprint(part) == fingerprint(expected)


def test_a_part_of_a_part_is_a_part_of_the_whole(stored: Dataset, memory: Dataset) -> None:
    first, second, third = np.arange(230, 3, -1), slice(20, 120), np.array([9, 0, 9])
    part = stored.take(first).take(second).take(third)
    rows: Any = part.inputs
    assert rows.base is stored.inputs
    assert fingerprint(part) == fingerprint(memory.take(first).take(second).take(third))
    again = stored.take(slice(10, 200)).take(slice(5, 100)).take(third)
    assert fingerprint(again) == fingerprint(memory.take(slice(15, 110)).take(third))


def test_a_part_does_not_change_with_the_indices(stored: Dataset) -> None:
    chosen = np.array([3, 1])
    part = stored.take(chosen)
    chosen[:] = 0
    assert np.array_equal(part.inputs[:], IMAGES[[3, 1]])


def test_consecutive_rows_are_read_as_a_slice() -> None:
    loaded = Loaded(IMAGES)
    part = Dataset(loaded, TARGETS).take(slice(20, 200)).take(slice(10, 100))
    loaded.asked.clear()
    assert np.array_equal(part.inputs[5:25], IMAGES[35:55])
    assert loaded.asked == [slice(35, 55)]


def test_floats_of_a_checked_dataset_are_not_read_again_for_a_part() -> None:
    loaded = Loaded(IMAGES.astype(np.float32))
    data = Dataset(loaded, TARGETS)
    loaded.asked.clear()
    rest, held_out = data.split(0.1, Stream(0))
    assert not loaded.asked
    assert len(rest) + len(held_out) == ROWS


@pytest.mark.parametrize("chosen", [[ROWS], [-ROWS - 1], [0.5], [[1]], np.ones(7, bool)])
def test_rows_that_are_not_there_are_refused(stored: Dataset, chosen: Any) -> None:
    with pytest.raises(DataError, match="rows must be"):
        stored.take(np.array(chosen))
    with pytest.raises(DataError, match="rows must be"):
        stored.shuffled(Stream(0)).inputs[np.array(chosen)]


def test_no_rows_are_refused(stored: Dataset) -> None:
    for nothing in (slice(7, 7), np.array([], int)):
        with pytest.raises(DataError, match="at least one row"):
            stored.take(nothing)


def test_copies_and_pickles_are_in_memory(stored: Dataset) -> None:
    rows = stored.shuffled(Stream(0)).inputs
    for made in (copy.deepcopy(rows), pickle.loads(pickle.dumps(rows))):  # noqa: S301
        assert type(made) is np.ndarray
        assert np.array_equal(made, rows[:])


def test_parts_with_rows_in_common_are_told(stored: Dataset) -> None:
    rest, held_out = stored.split(0.3, Stream(0))
    shuffled = rest.shuffled(Stream(1)).take(slice(0, 40))
    assert are_training_rows(rest, shuffled)
    assert are_training_rows(stored, held_out)
    assert not are_training_rows(rest, held_out)
