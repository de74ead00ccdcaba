"""Rows to train on and to hold out are checked before the first step."""

from collections.abc import Sequence

import numpy as np
import pytest
from tests.helpers.training import features, network

from handloom import (
    SGD,
    Conv2D,
    DataError,
    Dataset,
    Dense,
    Flatten,
    GlobalAveragePool2D,
    Sequential,
    Trainer,
    silhouettes,
)
from handloom.layers import Layer


def test_a_fraction_is_held_out_of_every_class() -> None:
    data = features(rows=300)
    trainer = Trainer(network(data), SGD(), 0.1, epochs=1)
    prepared = trainer.prepare(data, 0.2)
    assert prepared.state.validation is not None
    assert list(prepared.state.validation.rows_per_class) == [20, 20, 20]
    assert trainer.run(prepared).validated


def test_data_that_does_not_fit_is_refused() -> None:
    data = features()
    one_class = Dataset(data.inputs, np.zeros(300, int), data.class_names)
    cases: Sequence[tuple[Dataset, object, str]] = [
        (features(columns=4), None, "training rows must have 5 features, .* got 4"),
        (features(classes=2), None, r"must have shape \(2,\), .* training rows, got \(3,\)"),
        (one_class, None, "at least two classes, got a single class"),
        (data, features(columns=4), "validation rows must have 5 features, .* got 4"),
    ]
    for train, validation, message in cases:
        with pytest.raises(DataError, match=message):
            Trainer(network(data), SGD(), 0.1).fit(train, validation)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "weights",
    [np.ones(3), -np.ones(300), np.zeros(300), np.full(300, np.nan), np.full(300, 1e-60)],
)
def test_sample_weights_that_mean_nothing_are_refused(weights: np.ndarray) -> None:
    with pytest.raises(DataError, match="sample_weights"):
        Trainer(network(features()), SGD(), 0.1).fit(features(), sample_weights=weights)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_later_change_of_sample_weights_does_not_reach_a_training(dtype: type) -> None:
    data = features()
    weights: np.ndarray = np.ones(300, dtype)
    prepared = Trainer(network(data), SGD(), 0.1).prepare(
        data, features(seed=1), sample_weights=weights, validation_weights=weights
    )
    weights[:] = 0.0
    assert prepared.arrays.weights is not None
    assert prepared.validation_weights is not None
    assert prepared.arrays.weights.all()
    assert prepared.validation_weights.all()


@pytest.mark.parametrize(
    ("layers", "backend"),
    [([Conv2D(4, 3), GlobalAveragePool2D()], "fused"), ([Flatten()], "numpy")],
    ids=["convolution", "dense"],
)
def test_a_convolution_is_as_much_work_as_its_weights_have_pixels(
    monkeypatch: pytest.MonkeyPatch, layers: list[Layer], backend: str
) -> None:
    """20 rows take 20 * 26^2 * 36 products of a convolution, which has 36 weights."""
    pytest.importorskip("numba")
    monkeypatch.setattr("handloom.backend.FUSED_FROM", 20 * 26**2 * 36)
    rows = silhouettes(20).train
    made = Sequential([*layers, Dense(10)]).build((1, 28, 28))
    assert Trainer(made, SGD(), 0.1, epochs=1, batch_size=20).fit(rows).backend == backend
