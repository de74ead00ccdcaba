"""Held-out rows are those that earlier versions chose, for datasets and for tables."""

import numpy as np
import pytest

from handloom import DataError, Dataset
from handloom.data.table_learning import TargetCells, choose_test_rows
from handloom.randomness import Stream

STRATA = np.array([0, 1, 2, 1] * 5 + [3])
ROWS = np.arange(21.0)[:, None]
KEPT = np.arange(21) % 7 > 0


def test_the_held_out_rows_of_a_dataset_are_those_of_earlier_versions() -> None:
    classes = Dataset(ROWS[:20], STRATA[:20], ["a", "b", "c"])
    assert held_out(classes) == [4, 5, 7, 10, 11, 14, 16]
    assert held_out(Dataset(ROWS, ROWS)) == [1, 3, 4, 11, 14, 18]


def test_the_test_rows_of_a_table_are_those_of_earlier_versions() -> None:
    classes = TargetCells("classification", KEPT, STRATA)
    assert np.flatnonzero(choose_test_rows(classes, 0.3, 5)).tolist() == [3, 5, 9, 12, 18]
    numbers = TargetCells("regression", KEPT, 0 * STRATA)
    assert np.flatnonzero(choose_test_rows(numbers, 0.3, 5)).tolist() == [3, 4, 6, 11, 17]


def test_a_dataset_and_a_table_of_the_same_classes_hold_out_the_same_rows() -> None:
    classes = TargetCells("classification", np.ones(20, bool), STRATA[:20])
    test = np.flatnonzero(choose_test_rows(classes, 0.3, 5)).tolist()
    assert test == held_out(Dataset(ROWS[:20], STRATA[:20], ["a", "b", "c"]))


def test_a_class_of_a_single_row_is_named() -> None:
    with pytest.raises(DataError, match="class 'd' must have at least 2 rows"):
        held_out(Dataset(ROWS, STRATA, ["a", "b", "c", "d"]))


def held_out(data: Dataset) -> list[int]:
    return [int(each) for each in data.split(0.3, Stream(5))[1].inputs[:, 0]]
