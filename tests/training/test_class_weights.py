"""Class weights multiply the sample weights of the rows of each class."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import BACKENDS, HELD_OUT, ROWS, continuous_targets, network

from handloom import (
    SGD,
    Checkpoints,
    ConfigurationError,
    DataError,
    Dataset,
    MeanSquaredError,
    ModelError,
    Trainer,
)

RARE = Dataset(
    ROWS.inputs[60:], np.where(np.arange(240) < 200, ROWS.targets[60:], 2), ("a", "b", "c")
)


def trainer(data: Dataset = RARE, **options: Any) -> Trainer:
    made = network(data)
    return Trainer(made, SGD(), 0.1, **{"epochs": 3, "batch_size": 50, **options})


def fitted(**arguments: Any) -> Any:
    made = trainer()
    made.fit(RARE, **arguments)
    return made.network.parameters.values.copy()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_class_weight_is_a_sample_weight_of_each_row_of_the_class(backend: str) -> None:
    made, by_row = trainer(backend=backend), trainer(backend=backend)
    made.fit(RARE, class_weight={"a": 3.0, "c": 0.5})
    by_row.fit(RARE, sample_weights=np.array([3.0, 1.0, 0.5])[RARE.targets])
    assert np.array_equal(made.network.parameters.values, by_row.network.parameters.values)
    assert not np.array_equal(made.network.parameters.values, fitted())


def test_it_multiplies_sample_weights() -> None:
    weights = np.linspace(0.0, 2.0, len(RARE))
    both = fitted(sample_weights=weights, class_weight={"b": 2.0})
    product = fitted(sample_weights=weights * np.array([1.0, 2.0, 1.0])[RARE.targets])
    np.testing.assert_allclose(both, product, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("weighted", [False, True])
def test_balanced_gives_all_classes_the_same_total(weighted: bool) -> None:
    shares = np.linspace(0.5, 2.0, len(RARE)) if weighted else np.ones(len(RARE))
    made = trainer()
    prepared = made.prepare(
        RARE, sample_weights=shares if weighted else None, class_weight="balanced"
    )
    weights = prepared.arrays.weights
    assert weights is not None
    totals = np.bincount(RARE.targets, weights)
    np.testing.assert_allclose(totals, shares.sum() / 3, rtol=1e-5)


def test_it_agrees_with_scikit_learn() -> None:
    utils = pytest.importorskip("sklearn.utils.class_weight")
    expected = utils.compute_sample_weight("balanced", RARE.targets)
    weights = trainer().prepare(RARE, class_weight="balanced").arrays.weights
    assert weights is not None
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_names_and_indices_are_the_same() -> None:
    expected = fitted(class_weight={"a": 2.0})
    for key in (0, np.int64(0)):
        assert np.array_equal(fitted(class_weight={key: 2.0}), expected)


def test_digits_as_names_are_names() -> None:
    swapped = Dataset(ROWS.inputs, ROWS.targets, ("2", "1", "0"))
    weights = trainer(swapped).prepare(swapped, class_weight={"0": 9.0}).arrays.weights
    assert weights is not None
    assert set(weights[swapped.targets == 2]) == {9.0}
    assert set(weights[swapped.targets != 2]) == {1.0}


def test_validation_rows_have_no_weights() -> None:
    losses = []
    for class_weight in (None, {0: 5.0}):
        history = Trainer(network(ROWS), SGD(), 1e-12, epochs=1).fit(
            ROWS, HELD_OUT, class_weight=class_weight
        )
        losses.append(history["validation_loss"][0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_a_held_out_fraction_is_possible() -> None:
    history = trainer().fit(RARE, 0.2, class_weight="balanced")
    assert history.validated


def test_a_resume_with_others_is_refused(tmp_path: Path) -> None:
    def fit(resume: bool = True, **arguments: Any) -> None:
        trainer(checkpoints=Checkpoints(tmp_path)).fit(RARE, resume=resume, **arguments)

    fit(resume=False, class_weight={"a": 2.0})
    fit(class_weight={0: 2.0, "b": 1.0})  # the same
    with pytest.raises(ModelError, match=r"class_weight a is 3.0, the checkpoint has 2.0"):
        fit(class_weight={"a": 3.0})
    with pytest.raises(ModelError, match=r"class_weight is None, the checkpoint has \{.*'a': 2.0"):
        fit()
    with pytest.raises(ModelError, match="there are sample_weights, the checkpoint"):
        fit(class_weight={"a": 2.0}, sample_weights=np.full(len(RARE), 2.0))


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ("balance", "must be \"balanced\", or a mapping .* got 'balance'"),
        ([1.0, 2.0, 3.0], 'must be "balanced", or a mapping'),
        ({"bb": 1.0}, "class in class_weight.*'bb'.*Did you mean 'b'"),
        ({3: 1.0}, "indices from 0 to 2, got 3"),
        ({-1: 1.0}, "indices from 0 to 2, got -1"),
        ({True: 1.0}, "indices from 0 to 2, got True"),
        ({1.0: 1.0}, "indices from 0 to 2, got 1.0"),
        ({"a": 2.0, 0: 3.0}, "names the class 0 twice"),
        ({"a": -1.0}, "the class_weight of 'a' must be a finite number at least 0, got -1.0"),
        ({"a": float("nan")}, "the class_weight of 'a' must be a finite number"),
        ({"a": "2"}, "the class_weight of 'a' must be a finite number"),
    ],
)
def test_weights_that_mean_nothing_are_refused(class_weight: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        trainer().fit(RARE, class_weight=class_weight)


def test_rows_that_have_no_weight_or_no_class_are_refused() -> None:
    with pytest.raises(DataError, match="got zero for all rows"):
        trainer().fit(RARE, class_weight=dict.fromkeys("abc", 0.0))
    data = continuous_targets()
    made = trainer(data, loss=MeanSquaredError())
    with pytest.raises(DataError, match=r"class_weight needs classes, .* are continuous"):
        made.fit(data, class_weight="balanced")
