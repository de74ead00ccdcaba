"""Mistakes of a first week: refused, or named before the training."""

import numpy as np
import pytest

from handloom import (
    Adam,
    Dataset,
    DataError,
    Dense,
    ReLU,
    Sequential,
    Trainer,
)

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (60, 4, 4, 3), dtype=np.uint8)
CLASSES = np.arange(60) % 3
ROWS = Dataset(RNG.standard_normal((60, 4)), CLASSES)


def network(outputs: int = 3, inputs: int = 4) -> Sequential:
    return Sequential([Dense(8), ReLU(), Dense(outputs)]).build((inputs,))


@pytest.mark.parametrize("bytes_first", [True, False])
def test_validation_rows_that_are_scaled_differently_are_refused(bytes_first: bool) -> None:
    stored, scaled = Dataset(IMAGES, CLASSES), Dataset(IMAGES / 255.0, CLASSES)
    train, validation = (stored, scaled) if bytes_first else (scaled, stored)
    names = ("uint8", "float64") if bytes_first else ("float64", "uint8")
    message = f"must be {names[0]}, as the training rows, got {names[1]}: prepare them in the same"
    with pytest.raises(DataError, match=message):
        Trainer(network(inputs=48), Adam(), 0.01, epochs=1).fit(train, validation)


def test_validation_rows_of_another_shape_are_refused() -> None:
    train = Dataset(IMAGES, CLASSES, channels_last=True)
    with pytest.raises(
        DataError, match=r"shape \(3, 4, 4\), as the training rows, got \(4, 4, 3\)"
    ):
        Trainer(network(inputs=48), Adam(), 0.01, epochs=1).fit(train, Dataset(IMAGES, CLASSES))
