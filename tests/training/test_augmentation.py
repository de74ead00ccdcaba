"""Augmentation in training: images of a step, for any number of threads, not of the dataset."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.helpers.training import features

from handloom import (
    Adam,
    DataError,
    Dense,
    Erase,
    Flip,
    ReLU,
    Sequential,
    Shift,
    Trainer,
    evaluate,
    silhouettes,
)
from handloom.data.augment import Augmentation, Draw

DATA = silhouettes(rows=2500, test_rows=100)
CHANGES: tuple[Augmentation, ...] = (Flip(alternating=True), Shift(2), Erase())


def trained(**options: Any) -> Trainer:
    network = Sequential([Dense(16), ReLU(), Dense(10)]).build((784,))
    trainer = Trainer(network, Adam(), 1e-3, **{"epochs": 2, **options})
    trainer.fit(DATA.train, DATA.test)
    return trainer


@pytest.mark.parametrize("batch_size", [None, 1200, 100])
def test_the_same_bits_for_any_number_of_threads(batch_size: int | None) -> None:
    vectors = [
        trained(batch_size=batch_size, threads=threads, augment=CHANGES).network.parameters.vector
        for threads in (1, 2, 3, 4)
    ]
    assert all(np.array_equal(vector, vectors[0]) for vector in vectors)
    unaugmented = trained(batch_size=batch_size).network.parameters.vector
    assert not np.array_equal(unaugmented, vectors[0])


@pytest.mark.parametrize(("batch_size", "shuffle"), [(None, True), (400, True), (400, False)])
def test_the_network_sees_changed_images_and_the_dataset_keeps_its_own(
    batch_size: int | None, shuffle: bool
) -> None:
    original = DATA.train.inputs.copy()
    seen: list[npt.NDArray[np.integer]] = []

    class Note:
        """Notes which rows come by, and blackens them."""

        def __call__(self, images: npt.NDArray[np.uint8], draw: Draw) -> None:
            assert np.array_equal(images, original[draw.rows])
            images[...] = 0
            seen.append(draw.rows)

    trainer = trained(batch_size=batch_size, shuffle=shuffle, epochs=1, threads=1, augment=[Note()])
    assert np.array_equal(np.sort(np.concatenate(seen)), np.arange(2500))
    assert np.array_equal(DATA.train.inputs, original)
    # all images were alike, so nothing could be learned but how often a class comes
    weights = trainer.network.parameters.gradients["0.dense.weights"]
    np.testing.assert_allclose(weights, weights[:1].repeat(784, axis=0), rtol=1e-3, atol=1e-6)


def test_validation_sees_images_as_they_are() -> None:
    unchanged, augmented = (
        trained(batch_size=2500, epochs=1, augment=a) for a in ((), (Erase(1.0),))
    )
    assert unchanged.history["data_loss"][0] != augmented.history["data_loss"][0]
    for trainer in (unchanged, augmented):
        model = trainer.model()
        evaluated = evaluate(model, DATA.test)
        assert trainer.history["validation_loss"][0] == pytest.approx(evaluated.loss, rel=1e-5)


def test_what_is_no_image_is_refused() -> None:
    network = Sequential([Dense(3)]).build((5,))
    trainer = Trainer(network, Adam(), 0.1, augment=[Flip()])
    with pytest.raises(DataError, match=r"takes uint8 images.*float64 of shape \(300, 5\)"):
        trainer.fit(features())
