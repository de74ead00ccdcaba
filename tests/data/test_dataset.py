"""Datasets: rows keep their targets, and invalid data is refused."""

from typing import Any

import numpy as np
import pytest
from tests.data.helpers import small_splits

from handloom import DataError, Dataset, Splits
from handloom.errors import ConfigurationError
from handloom.randomness import Stream

NAMES = ("a", "b", "c")


def numbered(rows: int = 60, classes: int = 3) -> Dataset:
    """Each row holds its own number, and its class is the number modulo the classes."""
    row_numbers = np.arange(rows)
    return Dataset(row_numbers[:, None] * np.ones((1, 2)), row_numbers % classes, NAMES[:classes])


def row_numbers(data: Dataset) -> list[int]:
    return [int(number) for number in data.inputs[:, 0]]


def test_rows_are_counted_and_shaped() -> None:
    data = small_splits().train
    assert (len(data), data.input_shape) == (12, (5, 5))
    assert data.rows_per_class.tolist() == [4, 4, 4]


def test_shuffling_keeps_inputs_and_targets_together() -> None:
    shuffled = numbered().shuffled(Stream(1))
    assert row_numbers(shuffled) != row_numbers(numbered())
    assert sorted(row_numbers(shuffled)) == row_numbers(numbered())
    assert np.array_equal(shuffled.inputs[:, 0] % 3, shuffled.targets)


def test_shuffling_depends_on_the_stream_alone() -> None:
    assert row_numbers(numbered().shuffled(Stream(1))) == row_numbers(
        numbered().shuffled(Stream(1))
    )
    assert row_numbers(numbered().shuffled(Stream(1))) != row_numbers(
        numbered().shuffled(Stream(2))
    )


def test_sorting_by_class_keeps_the_order_within_a_class() -> None:
    assert row_numbers(numbered(7).sorted_by_class()) == [0, 3, 6, 1, 4, 2, 5]


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.95])
def test_a_split_takes_the_same_fraction_of_every_class(fraction: float) -> None:
    rest, held_out = numbered().split(fraction, Stream(3))
    assert held_out.rows_per_class.tolist() == [round(20 * fraction)] * 3
    assert sorted(row_numbers(rest) + row_numbers(held_out)) == list(range(60))
    assert row_numbers(rest) == sorted(row_numbers(rest))
    assert row_numbers(held_out) == sorted(row_numbers(held_out))
    assert np.array_equal(held_out.inputs[:, 0] % 3, held_out.targets)


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_a_split_leaves_every_class_on_both_sides(fraction: float) -> None:
    for side in numbered(9).split(fraction, Stream(0)):
        assert side.rows_per_class.min() >= 1


def test_a_split_depends_on_the_stream_alone() -> None:
    assert row_numbers(numbered().split(0.5, Stream(1))[1]) == row_numbers(
        numbered().split(0.5, Stream(1))[1]
    )
    assert row_numbers(numbered().split(0.5, Stream(1))[1]) != row_numbers(
        numbered().split(0.5, Stream(2))[1]
    )


def test_a_class_of_one_row_cannot_be_split() -> None:
    with pytest.raises(
        DataError, match="class 'c' must have at least 2 rows to be split, got a single row"
    ):
        numbered(5).split(0.5, Stream(0))


@pytest.mark.parametrize("fraction", [0.0, -0.5, 1.0, 1.5, float("nan")])
def test_a_fraction_that_means_nothing(fraction: float) -> None:
    with pytest.raises((DataError, ConfigurationError), match="the fraction to hold out must be"):
        numbered().split(fraction, Stream(0))


@pytest.mark.parametrize("shape", [(0, 2), (3, 0), (3,)])
def test_no_rows_or_no_columns(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="at least one row and one column"):
        Dataset(np.zeros(shape), np.zeros(shape[0], np.int64), NAMES)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite_are_named_by_row(value: float) -> None:
    inputs = np.zeros((5000, 2, 3))
    inputs[4321, 1, 2] = value
    with pytest.raises(DataError, match=rf"(NaN|{value}) \(float64.*the first such row is 4321"):
        Dataset(inputs, np.zeros(5000, np.int64), NAMES)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (np.zeros(2, np.int64), "one row each"),
        (
            np.zeros((3, 3), np.int64),
            "must be one-hot, .* but row 0 is not",
        ),
        (np.zeros((3, 2)), r"shape \(3, 2\) need 2 names, got a, b, c"),
        (np.zeros((3, 1, 1)), r"must have shape \(n,\) or \(n, k\), got \(3, 1, 1\)"),
        (np.full((3, 3), np.nan), r"finite, got NaN \(float64\)"),
        (np.full((3, 3), np.inf, np.float32), r"inf \(float32, in which values above 3.4e\+38"),
        (np.zeros(3), "must be integers"),
        (np.array([0, 1, 3]), r"must lie in 0\.\.2 .*got 0\.\.3"),
        (np.array([0, -1, 2]), r"got -1\.\.2"),
    ],
)
def test_targets_that_do_not_fit(targets: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Dataset(np.zeros((3, 2)), targets, NAMES)


def test_rows_may_have_continuous_targets() -> None:
    data = Dataset(np.zeros((10, 2)), np.arange(30.0).reshape(10, 3), NAMES)
    rest, held_out = data.split(0.2, Stream(0))
    assert (len(rest), len(held_out)) == (8, 2)
    together = np.concatenate([rest.targets, held_out.targets])
    assert sorted(together[:, 0]) == list(range(0, 30, 3))
    with pytest.raises(DataError, match="must be classes, got continuous targets"):
        _ = data.rows_per_class
    with pytest.raises(DataError, match="single row"):
        data.take(slice(0, 1)).split(0.5, Stream(0))


def test_inputs_of_another_kind() -> None:
    with pytest.raises(DataError, match="inputs must be numbers, got dtype complex128"):
        Dataset(np.zeros((3, 2), complex), np.zeros(3, np.int64), NAMES)


def test_parts_must_agree() -> None:
    with pytest.raises(DataError, match=r"one shape, got \(5, 5\) and \(2,\)"):
        Splits(small_splits().train, numbered())
    with pytest.raises(DataError, match="the same classes, got a, b, c and a, b"):
        Splits(numbered(), numbered(classes=2))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([0.0, 1.0], "got float64 of shape"),
        ([[0, 1]], r"of shape \(1, 2\)"),
        ([True], "got bool of shape"),
        ([3], "below 3, the number of rows, got 3"),
        ([-4], "at least -3"),
        (["a"], "whole numbers"),
    ],
)
def test_rows_to_take_are_indices_a_mask_or_a_slice(rows: list[object], message: str) -> None:
    data = Dataset(np.zeros((3, 2), np.float32), [0, 1, 0], ("a", "b"))
    with pytest.raises(DataError, match=message):
        data.take(np.array(rows))
    for chosen in ([2, 0], [True, False, True], [-1, 0]):
        assert len(data.take(np.array(chosen))) == 2
    assert len(data.take(slice(1, None))) == 2
