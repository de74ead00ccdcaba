"""The toy datasets: their formulas, their seeds, and networks trained on them."""

from collections.abc import Callable

import numpy as np
import pytest

from handloom import (
    Adam,
    Dense,
    ReLU,
    Sequential,
    Splits,
    Trainer,
    circles,
    evaluate,
    moons,
    sine,
    spiral,
    xor,
)
from handloom.data.sources.generated import GENERATED
from handloom.errors import ConfigurationError
from handloom.parameters import Array

CLASSIFICATION = (moons, circles, spiral, xor)
EVERY = (*CLASSIFICATION, sine)

every = pytest.mark.parametrize("toy", EVERY, ids=lambda toy: toy.__name__)
Toy = Callable[..., Splits]


def points(splits: Splits, label: int) -> tuple[Array, Array]:
    """Return both inputs of the training rows of a class, in float64."""
    train = splits.train
    x1, x2 = train.inputs[train.targets == label].astype(np.float64).T
    return x1, x2


@every
def test_rows_have_names_and_the_default_size(toy: Toy) -> None:
    splits = toy()
    assert (len(splits.train), len(splits.test)) == (1_000, 200)
    assert splits.name == toy.__name__
    assert splits.train.inputs.dtype == np.float32
    assert splits.train.column_names == (("x",) if toy is sine else ("x1", "x2"))
    assert GENERATED[toy.__name__] is toy


@every
def test_a_row_depends_on_the_seed_and_its_index_alone(toy: Toy) -> None:
    splits = toy(101, test_rows=20, seed=4)
    for rows in (1, 2, 50, 100):
        fewer = toy(rows, test_rows=7, seed=4)
        np.testing.assert_array_equal(fewer.train.inputs, splits.train.inputs[:rows])
        np.testing.assert_array_equal(fewer.train.targets, splits.train.targets[:rows])
        np.testing.assert_array_equal(fewer.test.inputs, splits.test.inputs[:7])
    assert (toy(101, seed=5).train.inputs != splits.train.inputs).all()
    assert (splits.test.inputs != splits.train.inputs[:20]).all()


@pytest.mark.parametrize("toy", CLASSIFICATION, ids=lambda toy: toy.__name__)
def test_classes_are_balanced_and_not_in_order(toy: Toy) -> None:
    train = toy(600).train
    classes = len(train.class_names)
    rounds = train.targets.reshape(-1, classes)
    assert (np.sort(rounds, axis=1) == np.arange(classes)).all()
    assert (rounds != rounds[0]).any()


def test_moons_are_half_circles() -> None:
    x1, x2 = points(moons(noise=0.0), 0)
    np.testing.assert_allclose(x1**2 + x2**2, 1.0, atol=1e-6)
    assert x2.min() >= 0.0
    assert x1.min() < -0.99
    x1, x2 = points(moons(noise=0.0), 1)
    np.testing.assert_allclose((x1 - 1) ** 2 + (x2 - 0.5) ** 2, 1.0, atol=1e-6)
    assert x2.max() <= 0.5


def test_circles_have_radius_a_half_and_one() -> None:
    for label, radius in enumerate((0.5, 1.0)):
        x1, x2 = points(circles(noise=0.0), label)
        np.testing.assert_allclose(np.hypot(x1, x2), radius, atol=1e-6)
        assert min(x1.min(), x2.min()) < -0.99 * radius


def test_arms_of_the_spiral_turn_once_a_third_apart() -> None:
    for label in range(3):
        x1, x2 = points(spiral(noise=0.0), label)
        turns = np.hypot(x1, x2) / 3.0
        angle = np.arctan2(x2, x1) / (2 * np.pi)
        off = (angle - turns - label / 3 + 0.5) % 1.0 - 0.5
        assert np.abs(off[turns > 0.01]).max() < 1e-4
        assert turns.max() > 0.99


def test_xor_is_the_exclusive_or_of_the_signs() -> None:
    train = xor(noise=0.0).train
    inputs = train.inputs.astype(np.float64)
    negative = inputs < 0.0
    assert (train.targets == (negative[:, 0] ^ negative[:, 1])).all()
    assert np.abs(inputs).max() <= 1.0
    assert abs(negative.mean() - 0.5) < 0.05


def test_sine_has_noise_in_its_targets_alone() -> None:
    clean, noisy = sine(noise=0.0).train, sine(noise=0.2).train
    np.testing.assert_allclose(clean.targets, np.sin(clean.inputs), atol=1e-6)
    np.testing.assert_array_equal(clean.inputs, noisy.inputs)
    assert np.std(noisy.targets - clean.targets) == pytest.approx(0.2, rel=0.1)
    assert clean.targets.shape == (1_000, 1)


def test_noise_is_normal_in_both_inputs_with_its_standard_deviation() -> None:
    noisy, clean = (moons(5_000, noise=each).train.inputs for each in (0.3, 0.0))
    noise = noisy.astype(np.float64) - clean.astype(np.float64)
    assert noise.std(axis=0) == pytest.approx([0.3, 0.3], rel=0.05)
    assert abs(float(np.mean(noise[:, 0] * noise[:, 1]))) < 0.05 * 0.3**2


@every
def test_arguments_that_are_invalid_are_refused(toy: Toy) -> None:
    for arguments, message in (
        ({"rows": 0}, "rows must be a whole number of at least 1"),
        ({"test_rows": 0}, "test_rows must be a whole number of at least 1"),
        ({"noise": -0.1}, "noise"),
        ({"noise": float("nan")}, "noise"),
        ({"seed": -1}, "seed"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            toy(**arguments)


@pytest.mark.parametrize(
    ("toy", "linear"), [(moons, 0.95), (circles, 0.7), (spiral, 0.7), (xor, 0.7)]
)
def test_a_hidden_layer_learns_what_a_linear_model_cannot(toy: Toy, linear: float) -> None:
    splits = toy(600)

    def accuracy(*hidden: Dense | ReLU) -> float:
        network = Sequential([*hidden, Dense(len(splits.train.class_names))]).build((2,), seed=1)
        trainer = Trainer(network, Adam(), 2e-2, epochs=30, batch_size=60)
        trainer.fit(splits.train)
        return evaluate(trainer.model(), splits.test).accuracy or 0.0

    assert accuracy() < linear
    assert accuracy(Dense(32), ReLU()) > 0.85
