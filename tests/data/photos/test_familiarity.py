"""Familiarity tells images of the training data from others."""

import numpy as np
import pytest

from handloom import Dataset, silhouettes
from handloom.data.photos.familiarity import Familiarity
from handloom.data.photos.statistics import statistics_of

DATA = silhouettes(3_000, test_rows=1_000)


@pytest.fixture(scope="module")
def familiarity() -> Familiarity:
    statistics = statistics_of(DATA.train)
    assert statistics is not None
    assert statistics.familiarity is not None
    return statistics.familiarity


def share(familiarity: Familiarity, images: np.ndarray) -> float:
    return float(np.mean([familiarity.is_familiar(image) for image in images]))


def test_few_rows_of_the_test_set_are_unfamiliar(familiarity: Familiarity) -> None:
    assert 0.95 <= share(familiarity, np.asarray(DATA.test.inputs)) < 1.0


def test_blank_images_noise_and_negatives_are_unfamiliar(familiarity: Familiarity) -> None:
    blank = [np.full((28, 28), level, np.uint8) for level in range(0, 256, 15)]
    noise = np.random.default_rng(0).integers(0, 256, (50, 28, 28), dtype=np.uint8)
    negatives = 255 - np.asarray(DATA.test.inputs[:100])
    for images in (np.stack(blank), noise, negatives):
        assert share(familiarity, images) == 0.0


def test_the_same_rows_have_the_same_statistics(familiarity: Familiarity) -> None:
    again = statistics_of(DATA.train)
    assert again is not None
    assert again.familiarity is not None
    assert all(
        np.array_equal(a, b)
        for a, b in zip(
            familiarity.arrays().values(), again.familiarity.arrays().values(), strict=True
        )
    )


@pytest.mark.parametrize("shape", [(3, 32, 32), (4, 20, 31), (1, 28, 28), (9, 40)])
def test_images_of_all_shapes_have_statistics(shape: tuple[int, ...]) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (90, *shape), dtype=np.uint8)
    statistics = statistics_of(Dataset(rows, np.arange(90) % 3))
    assert statistics is not None
    assert statistics.familiarity is not None
    statistics.familiarity.check_shape(shape)


def test_features_tiny_images_and_few_rows_have_none() -> None:
    classes = np.arange(90) % 3
    assert statistics_of(Dataset(np.zeros((90, 28, 28), np.float32), classes)) is None
    assert statistics_of(Dataset(np.zeros((90, 4, 4), np.uint8), classes)) is None
    few = statistics_of(DATA.train.take(slice(0, 20)))
    assert few is not None
    assert few.familiarity is None
