"""Fingerprints differ where datasets do."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from handloom import Dataset
from handloom.data.fingerprint import fingerprint
from handloom.data.formats.npy import read_npy

NAMES = ("a", "b")
ROW = 1 << 20
ROWS = 320  # 320 MiB: of twice as much as 256 MiB, every second row used to count


def labels(rows: int) -> npt.NDArray[np.int64]:
    return np.arange(rows) % 2


def checksum(inputs: Any) -> object:
    return fingerprint(Dataset(inputs, labels(len(inputs)), NAMES))["sha256"]


def test_rows_that_differ_far_down_are_other_rows() -> None:
    many = np.zeros((6_000, 1_000))
    other = many.copy()
    other[-1, -1] = 1.0
    assert checksum(many) != checksum(other)


@pytest.mark.parametrize("row", [1, 2, ROWS - 1])
def test_a_single_byte_of_a_large_dataset_is_not_unseen(row: int) -> None:
    large = np.zeros((ROWS, ROW), np.uint8)
    before = checksum(large)
    large[row, 7] = 1
    assert checksum(large) != before


def large_file(path: Path, changed: int | None = None) -> Path:
    """Write a file that takes no room: its rows are zeros."""
    rows = np.lib.format.open_memmap(path, "w+", np.uint8, (ROWS, 1, ROW))
    if changed is not None:
        rows[changed, 0, 7] = 1
    rows.flush()
    return path


@pytest.mark.slow
def test_every_row_of_a_mapped_file_counts_and_its_pages_are_released(tmp_path: Path) -> None:
    before, after = (large_file(tmp_path / f"{row}.npy", row) for row in (None, 1))
    resident = memory()
    np.save(tmp_path / "targets.npy", labels(ROWS))
    held = [read_npy(path, tmp_path / "targets.npy") for path in (before, after)]
    assert fingerprint(held[0])["sha256"] != fingerprint(held[1])["sha256"]
    if resident is not None:
        assert (memory() or 0) - resident < 100 << 20


def memory() -> int | None:
    """Return the resident memory of this process in bytes, where the system tells it."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * 4096 if status.exists() else None


class Loaded:
    """Rows that are loaded on demand."""

    def __init__(self, rows: npt.NDArray[np.uint8]) -> None:
        self.rows, self.asked = rows, [0]
        self.shape, self.dtype, self.ndim = rows.shape, rows.dtype, rows.ndim
        self.size, self.nbytes = rows.size, 1 << 40  # as if each row were large

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Any) -> npt.NDArray[np.uint8]:
        taken: npt.NDArray[np.uint8] = self.rows[rows]
        self.asked.append(len(taken))
        return taken


def test_rows_that_are_loaded_on_demand_are_read_once_and_one_by_one() -> None:
    rows = Loaded(np.zeros((50, 4), np.uint8))
    before = checksum(rows)
    assert (sum(rows.asked), max(rows.asked)) == (50, 1)
    rows.rows[1, 0] = 1
    assert checksum(rows) != before


def test_the_order_in_memory_does_not_change_the_fingerprint() -> None:
    rows = np.arange(24.0).reshape(6, 4)
    assert (
        checksum(rows) == checksum(np.asfortranarray(rows)) == checksum(np.repeat(rows, 2, 0)[::2])
    )
