"""Rows of any shape: networks of flat rows, images and colored images train, save and resume."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from tests.helpers.training import BACKENDS

from handloom import (
    Adam,
    Checkpoints,
    Conv2D,
    Dataset,
    Dense,
    Dropout,
    Flatten,
    Flip,
    Layer,
    MaxPool2D,
    Model,
    ReLU,
    Reshape,
    Sequential,
    Shift,
    Trainer,
    check_gradients,
    evaluate,
)
from handloom.data.test_time_augmentation import MIRRORED
from handloom.errors import DataError, ModelError

CLASSES = tuple("abc")


def images(*shape: int, rows: int = 60, seed: int = 0) -> Dataset:
    """Return bytes whose brightness tells their class."""
    rng = np.random.default_rng(seed)
    targets = np.arange(rows) % 3
    levels = 60 + 60 * targets.reshape(-1, *[1] * len(shape))
    pixels = levels + rng.integers(-30, 30, (rows, *shape))
    return Dataset(pixels.astype(np.uint8), targets, CLASSES)


def dense() -> list[Layer]:
    return [Flatten(), Dense(8), ReLU(), Dropout(0.1), Dense(3)]


def convolutions() -> list[Layer]:
    return [Conv2D(4, 3), ReLU(), MaxPool2D(2), Flatten(), Dense(3)]


CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], Callable[[], list[Layer]]]] = {
    "flattened images": ((8, 8), (8, 8), dense),
    "images for flat rows": ((8, 8), (64,), lambda: dense()[1:]),
    "flat rows for images": ((64,), (8, 8), dense),
    "images of one channel": ((8, 8), (1, 8, 8), convolutions),
    "one channel, stored": ((1, 8, 8), (1, 8, 8), convolutions),
    "colors": ((3, 8, 8), (3, 8, 8), convolutions),
    "colors for flat rows": ((3, 8, 8), (192,), lambda: [Reshape((3, 8, 8)), *convolutions()]),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CASES)
def test_rows_of_any_shape_train_evaluate_save_and_load(
    name: str, backend: str, tmp_path: Path
) -> None:
    row_shape, input_shape, layers = CASES[name]
    data = images(*row_shape)
    network = Sequential(layers()).build(input_shape)
    trainer = Trainer(network, Adam(), 0.01, epochs=12, batch_size=20, backend=backend)
    trainer.fit(data, images(*row_shape, seed=1))
    assert evaluate(trainer.model(), data).accuracy > 0.9
    trainer.model().save(tmp_path)
    again = Model.load(tmp_path)
    expected = trainer.model().predict(data.inputs)
    assert np.array_equal(again.predict(data.inputs), expected)


@pytest.mark.parametrize("name", CASES)
def test_the_shape_of_rows_does_not_change_a_bit(name: str) -> None:
    row_shape, input_shape, layers = CASES[name]
    data = images(*row_shape)
    flat = Dataset(data.inputs.reshape(60, -1), data.targets, CLASSES)
    weights = []
    for part, shape in ((data, input_shape), (flat, input_shape)):
        network = Sequential(layers()).build(shape)
        Trainer(network, Adam(), 0.01, epochs=2, batch_size=20).fit(part)
        weights.append(network.parameters.vector)
    assert np.array_equal(weights[0], weights[1])


def test_a_training_on_colors_resumes_to_the_same_bits(tmp_path: Path) -> None:
    data = images(3, 8, 8)

    def trainer(epochs: int, folder: Path | None = None) -> Trainer:
        network = Sequential(convolutions()).build((3, 8, 8))
        checkpoints = None if folder is None else Checkpoints(folder)
        return Trainer(
            network,
            Adam(),
            0.01,
            epochs=epochs,
            batch_size=20,
            augment=(Flip(), Shift(1)),
            checkpoints=checkpoints,
        )

    whole, first, second = trainer(4), trainer(2, tmp_path), trainer(4, tmp_path)
    whole.fit(data)
    first.fit(data)
    second.fit(data, resume=True)
    assert np.array_equal(second.network.parameters.vector, whole.network.parameters.vector)


def test_the_gradients_of_a_network_of_colors_are_right() -> None:
    network = Sequential(convolutions()).build((3, 8, 8))
    x = np.random.default_rng(0).standard_normal((3, 3, 8, 8))
    assert check_gradients(network, x, np.array([0, 1, 2])).ok


def channels_last(data: Dataset) -> npt.NDArray[np.generic]:
    return np.ascontiguousarray(np.moveaxis(data.inputs, 1, -1))


def test_channels_last_is_the_way_in_for_images_with_their_channels_last(tmp_path: Path) -> None:
    data = images(3, 8, 8)
    path = tmp_path / "images.npy"
    np.save(path, channels_last(data))
    weights = []
    for inputs in (None, channels_last(data), np.load(path, mmap_mode="r")):
        part = (
            data if inputs is None else Dataset(inputs, data.targets, CLASSES, channels_last=True)
        )
        assert part.inputs.shape == (60, 3, 8, 8)
        assert np.array_equal(part.take(slice(5)).inputs, data.inputs[:5])
        network = Sequential(convolutions()).build((3, 8, 8))
        trainer = Trainer(network, Adam(), 0.01, epochs=2, batch_size=20, augment=(Flip(),))
        trainer.fit(part)
        weights.append(network.parameters.vector)
    assert np.array_equal(weights[0], weights[1])
    assert np.array_equal(weights[0], weights[2])


def test_channels_last_taken_for_channels_first_is_refused_where_the_shape_tells() -> None:
    with pytest.raises(
        ModelError, match=r"layer 0\.conv2d takes images \(c, y, x\).*\(3, 32, 32\)"
    ):
        Sequential([Conv2D(8, 3), Flatten(), Dense(3)]).build((32, 32, 3))
    with pytest.raises(ModelError, match=r"layer 1\.max_pool2d takes images"):
        Sequential([ReLU(), MaxPool2D(2), Flatten(), Dense(3)]).build((28, 28, 1))
    assert Sequential([Flatten(), Dense(3)]).build((32, 32, 3)).built
    assert Sequential([Conv2D(8, 3), Flatten(), Dense(3)]).build((32, 6, 6)).built

    stored = Dataset(channels_last(images(3, 8, 8)), images(3, 8, 8).targets, CLASSES)
    network = Sequential(convolutions()).build((3, 8, 8))
    with pytest.raises(DataError, match=r"shape \(3, 8, 8\).*got \(8, 8, 3\): pass channels_last"):
        Trainer(network, Adam(), 0.01, epochs=1).fit(stored)
    flat = Sequential([Dense(3)]).build((192,))
    with pytest.raises(DataError, match=r"looks like .* pass channels_last=True"):
        Trainer(flat, Adam(), 0.01, epochs=1, augment=(Flip(),)).fit(stored)
    trainer = Trainer(flat, Adam(), 0.01, epochs=1)
    trainer.fit(stored)
    with pytest.raises(DataError, match=r"looks like .* pass channels_last=True"):
        evaluate(trainer.model(), stored, MIRRORED)


def test_rows_of_another_layout_are_refused() -> None:
    network = Sequential(dense()).build((8, 8))
    with pytest.raises(DataError, match=r"must have shape \(8, 8\).*, got \(4, 16\)"):
        Trainer(network, Adam(), 0.01, epochs=1).fit(images(4, 16))
    with pytest.raises(DataError, match=r"shape \(n, y, x, c\) with channels_last=True"):
        Dataset(images(8, 8).inputs, images(8, 8).targets, CLASSES, channels_last=True)
