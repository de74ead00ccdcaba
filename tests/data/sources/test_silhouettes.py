"""The generated garments: repeatable, balanced, and neither too easy nor mere noise."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from handloom.data.dataset import Dataset, Splits
from handloom.data.sources import published
from handloom.data.sources.garments import CLASS_NAMES, GARMENTS
from handloom.data.sources.shapes import blank_canvas
from handloom.data.sources.silhouettes import fabric, shadow, silhouettes
from handloom.errors import ConfigurationError


@pytest.fixture(scope="module")
def splits() -> Splits:
    return silhouettes(3_000, test_rows=1_000)


def assert_same_rows(a: Dataset, b: Dataset) -> None:
    np.testing.assert_array_equal(a.inputs, b.inputs)
    np.testing.assert_array_equal(a.targets, b.targets)


def features(part: Dataset) -> npt.NDArray[np.float64]:
    return (part.inputs.reshape(len(part), -1).astype(np.float64) - 127.5) / 127.5


def test_shape_type_and_names(splits: Splits) -> None:
    assert splits.name == splits.test.name == "silhouettes"
    assert splits.train.class_names == CLASS_NAMES == published.CLASS_NAMES
    assert splits.train.inputs.shape == (3_000, 28, 28)
    assert splits.test.inputs.shape == (1_000, 28, 28)
    for part in (splits.train, splits.test):
        assert part.inputs.dtype == np.uint8
        assert part.targets.dtype == np.int64


def test_defaults() -> None:
    splits = silhouettes()
    assert (len(splits.train), len(splits.test)) == (10_000, 2_000)


def test_one_seed_gives_one_dataset() -> None:
    one, two = silhouettes(1_100, test_rows=30, seed=7), silhouettes(1_100, test_rows=30, seed=7)
    assert_same_rows(one.train, two.train)
    assert_same_rows(one.test, two.test)


def test_another_seed_gives_another_dataset() -> None:
    one, two = silhouettes(100, test_rows=100, seed=0), silhouettes(100, test_rows=100, seed=1)
    assert np.any(one.train.inputs != two.train.inputs, axis=(1, 2)).all()
    assert np.any(one.test.inputs != two.test.inputs, axis=(1, 2)).all()
    assert np.any(one.train.targets != two.train.targets)


@pytest.mark.parametrize("rows", [1, 999, 1_000, 1_001, 2_345])
def test_more_rows_only_add_rows_at_the_end(splits: Splits, rows: int) -> None:
    fewer = silhouettes(rows, test_rows=10)
    assert_same_rows(fewer.train, splits.train.take(slice(rows)))


def test_the_test_part_does_not_change_with_the_training_part(splits: Splits) -> None:
    assert_same_rows(silhouettes(1, test_rows=1_000).test, splits.test)
    assert_same_rows(silhouettes(1, test_rows=10).test, splits.test.take(slice(10)))


def test_no_picture_comes_twice(splits: Splits) -> None:
    images = np.concatenate([splits.train.inputs, splits.test.inputs]).reshape(4_000, -1)
    assert len({image.tobytes() for image in images}) == len(images)


@pytest.mark.parametrize("rows", [1, 9, 10, 137, 1_000, 1_234])
def test_classes_are_balanced_wherever_the_rows_end(rows: int) -> None:
    splits = silhouettes(rows, test_rows=rows)
    for part in (splits.train, splits.test):
        assert len(part) == rows
        assert np.ptp(part.rows_per_class) <= 1


def test_classes_come_in_no_fixed_order(splits: Splits) -> None:
    rounds = splits.train.targets.reshape(-1, 10)
    for column in range(10):
        assert len(np.unique(rounds[:, column])) == 10


def test_pixels_use_the_whole_range(splits: Splits) -> None:
    images = splits.train.inputs
    assert images.min() == 0
    assert images.max() == 255
    assert len(np.unique(images)) == 256
    assert 0.3 < np.mean(images == 0) < 0.8, "the background is black"


def test_every_garment_can_be_seen(splits: Splits) -> None:
    covered = np.mean(np.greater(splits.train.inputs, 12), axis=(1, 2))
    assert covered.min() > 0.02
    assert covered.max() < 0.85


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_drawing_stays_in_single_precision(name: str) -> None:
    """One float64 number among the knobs would double the time, and no picture would tell."""
    canvas = blank_canvas(3, np.random.default_rng(0))
    for array in (canvas.x, canvas.y, *GARMENTS[name](canvas), fabric(canvas), shadow(canvas)):
        assert array.dtype == np.float32
        assert array.shape == (3, 28, 28)
        assert np.isfinite(array).all()


@pytest.mark.parametrize("name", ["rows", "test_rows"])
@pytest.mark.parametrize("value", [0, -1, 2.5, "10", None, True])
def test_a_bad_number_of_rows_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{name} must be a whole number of at least 1"):
        silhouettes(**{name: value})


@pytest.mark.parametrize("seed", [-1, 0.5, "0"])
def test_a_bad_seed_is_refused_by_name(seed: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^seed must be a whole number of at least 0"):
        silhouettes(10, test_rows=10, seed=seed)


@pytest.mark.slow
def test_a_linear_model_learns_something_and_does_not_solve_it(splits: Splits) -> None:
    """Ridge regression on one-hot classes, in closed form."""
    x, x_test = features(splits.train), features(splits.test)
    middle = x.mean(axis=0)
    x, x_test = x - middle, x_test - middle
    one_hot = np.eye(10)[splits.train.targets]
    weights = np.linalg.solve(x.T @ x + 300.0 * np.eye(784), x.T @ (one_hot - 0.1))
    accuracy = np.mean(np.argmax(x_test @ weights, axis=1) == splits.test.targets)
    assert 0.6 < accuracy < 0.85


def test_the_nearest_neighbor_is_mostly_of_the_same_class(splits: Splits) -> None:
    x, x_test = features(splits.train), features(splits.test)
    distances = np.sum(x * x, axis=1) - 2.0 * x_test @ x.T
    accuracy = np.mean(splits.train.targets[np.argmin(distances, axis=1)] == splits.test.targets)
    assert accuracy > 0.6
