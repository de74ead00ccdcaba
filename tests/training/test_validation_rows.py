"""Validation rows that are training rows: a warning, and a note in the history."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from handloom import (
    Adam,
    Checkpoints,
    Dataset,
    Dense,
    MLPClassifier,
    Sequential,
    Trainer,
    silhouettes,
)
from handloom.data import read_npy
from handloom.data.overlap import are_training_rows
from handloom.training import History
from handloom.training.preparation import TRAINING_ROWS

SPLITS = silhouettes(rows=300, test_rows=100)
TRAIN, TEST = SPLITS.train, SPLITS.test
MIXED = np.random.default_rng(0).permutation(300)


def features(rows: int, seed: int = 0) -> Dataset:
    x = np.random.default_rng(seed).standard_normal((rows, 5))
    return Dataset(x, x[:, :2] @ np.ones((2, 1)), ("sum",))


def binary(rows: int, seed: int = 0) -> Dataset:
    x = np.random.default_rng(seed).integers(0, 2, (rows, 2)).astype(np.float64)
    return Dataset(x, (x.sum(axis=1) == 1).astype(np.int64), ("same", "different"))


def fit(train: Dataset, validation: Dataset | float | None) -> History:
    network = Sequential([Dense(10)]).build((784,), seed=0)
    return Trainer(network, Adam(), 0.01, epochs=1, batch_size=100).fit(train, validation)


@pytest.mark.parametrize(
    "validation",
    [
        TRAIN,
        TRAIN.take(slice(200, 300)),
        TRAIN.take(np.arange(300)),
        TRAIN.take(MIXED),
        TRAIN.take(MIXED[:40]),
    ],
    ids=["the same", "a slice", "a copy", "another order", "some rows in another order"],
)
def test_training_rows_as_validation_rows_get_a_warning_and_a_note(validation: Dataset) -> None:
    with pytest.warns(UserWarning, match="the validation rows are training rows") as caught:
        history = fit(TRAIN, validation)
    assert history.notes == [TRAINING_ROWS]
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize("validation", [TEST, 0.2, None], ids=["test rows", "a fraction", "none"])
def test_other_validation_rows_get_no_remark(validation: Dataset | float | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit(TRAIN, validation).notes == []


def test_a_resume_repeats_the_warning_and_not_the_note(tmp_path: Path) -> None:
    def trainer(epochs: int) -> Trainer:
        network = Sequential([Dense(10)]).build((784,), seed=0)
        return Trainer(network, Adam(), 0.01, epochs=epochs, checkpoints=Checkpoints(tmp_path))

    with pytest.warns(UserWarning, match="are training rows"):
        trainer(1).fit(TRAIN, TRAIN)
    with pytest.warns(UserWarning, match="are training rows"):
        history = trainer(2).fit(TRAIN, TRAIN, resume=True)
    assert history.notes.count(TRAINING_ROWS) == 1


def test_an_estimator_warns_too() -> None:
    x = np.random.default_rng(0).standard_normal((60, 4))
    y = (x[:, 0] > 0).astype(np.int64)
    estimator = MLPClassifier(max_iter=500, tol=10.0)
    with pytest.warns(UserWarning, match="are training rows"):
        estimator.fit(x, y, X_val=x[:20], y_val=y[:20])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimator.fit(x[20:], y[20:], X_val=x[:20], y_val=y[:20])


@pytest.mark.parametrize("make", [features, binary], ids=["continuous", "binary"])
def test_rows_of_the_same_distribution_are_not_the_same_rows(
    make: Callable[[int, int], Dataset],
) -> None:
    assert not are_training_rows(make(500, 0), make(100, 1))


def test_continuous_rows_are_found_in_another_order() -> None:
    data = features(500)
    assert are_training_rows(data, data.take(np.arange(499, 300, -1)))


def test_the_same_inputs_with_other_targets_are_other_rows() -> None:
    other = Dataset(TRAIN.inputs.copy(), (TRAIN.targets + 1) % 10, TRAIN.class_names)
    assert not are_training_rows(TRAIN, other)


def test_every_other_row_of_one_array_is_not_the_rest() -> None:
    both = features(400)
    halves = [Dataset(both.inputs[start::2], both.targets[start::2], ("sum",)) for start in (0, 1)]
    assert not are_training_rows(*halves)


def test_a_mapped_file_that_is_opened_twice_is_recognized(tmp_path: Path) -> None:
    for name, part in (("train", TRAIN), ("test", TEST)):
        np.save(tmp_path / f"{name}-x.npy", part.inputs)
        np.save(tmp_path / f"{name}-y.npy", part.targets)

    def opened(name: str) -> Dataset:
        return read_npy(tmp_path / f"{name}-x.npy", tmp_path / f"{name}-y.npy", TRAIN.class_names)

    assert are_training_rows(opened("train"), opened("train"))
    assert not are_training_rows(opened("train"), opened("test"))
