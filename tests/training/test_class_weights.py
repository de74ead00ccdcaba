"""Class weights multiply the sample weights of the rows of each class."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import BACKENDS, HELD_OUT, ROWS, continuous_targets, network

from handloom import (
    SGD,
    BestWeights,
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


def validated(**arguments: Any) -> Any:
    """Return loss and accuracy of the validation rows, with the initial weights."""
    made = Trainer(network(ROWS), SGD(), 1e-12, epochs=1, batch_size=50)
    (record,) = made.fit(ROWS, HELD_OUT, **arguments).records
    return record.validation_loss, record.validation_accuracy


def test_the_validation_loss_is_weighted_like_the_training_loss() -> None:
    probabilities = network(ROWS).predict(HELD_OUT.inputs)
    of_rows = np.array([5.0, 1.0, 1.0])[HELD_OUT.targets]
    losses = -np.log(probabilities[np.arange(len(HELD_OUT)), HELD_OUT.targets])
    loss = np.average(losses, weights=of_rows)
    plain, accuracy = validated()
    assert abs(plain - loss) > 0.01
    assert validated(class_weight={0: 5.0}) == (pytest.approx(loss, rel=1e-5), accuracy)
    assert validated(validation_weights=of_rows) == (pytest.approx(loss, rel=1e-5), accuracy)


def test_weights_of_validation_rows_multiply_those_of_classes() -> None:
    of_rows = np.linspace(0.0, 2.0, len(HELD_OUT))
    product = of_rows * np.array([5.0, 1.0, 1.0])[HELD_OUT.targets]
    both = validated(validation_weights=of_rows, class_weight={0: 5.0})
    assert both == pytest.approx(validated(validation_weights=product), rel=1e-5)


def test_balanced_weights_of_validation_rows_are_those_of_the_training_rows() -> None:
    few = RARE.take(np.flatnonzero((RARE.targets != 2) | (np.arange(len(RARE)) < 210)))
    made = trainer(RARE)
    prepared = made.prepare(few, RARE, class_weight="balanced")
    weights, of_training = prepared.validation_weights, prepared.arrays.weights
    assert weights is not None
    assert of_training is not None
    for index in range(3):
        assert set(weights[RARE.targets == index]) == set(of_training[few.targets == index])


def test_the_kept_epoch_is_that_of_the_lowest_weighted_loss() -> None:
    rng = np.random.default_rng(0)
    y = (np.arange(400) % 10 == 0).astype(int)  # one row of ten, and the classes overlap
    x = (rng.standard_normal((400, 3)) + 0.8 * y[:, None]).astype("float32")
    data, held_out = Dataset(x[:200], y[:200]), Dataset(x[200:], y[200:])

    def kept(**weights: Any) -> Any:
        made = trainer(data, epochs=15, batch_size=20, callbacks=[best := BestWeights()])
        history = made.fit(data, held_out, **weights)
        assert best.epoch == history["validation_loss"].argmin()
        return best.epoch

    weighted = kept(class_weight={1: 9.0})
    by_row = {"sample_weights": 1.0 + 8.0 * y[:200], "validation_weights": 1.0 + 8.0 * y[200:]}
    assert weighted == kept(**by_row)
    assert weighted != kept(sample_weights=by_row["sample_weights"])


def test_validation_rows_without_a_weight_are_refused() -> None:
    only_b = RARE.take(np.flatnonzero(RARE.targets == 1))
    with pytest.raises(DataError, match="a validation row a weight above zero, got zero"):
        trainer().fit(RARE, only_b, class_weight={"b": 0.0})
    weights = np.ones(len(RARE))
    with pytest.raises(DataError, match=r"validation_weights must have shape \(\d+,\), got"):
        trainer().fit(RARE, only_b, validation_weights=weights)
    with pytest.raises(ConfigurationError, match="validation_weights are of validation rows"):
        trainer().fit(RARE, validation_weights=weights)
    with pytest.raises(ConfigurationError, match="if there are validation_weights, got a fraction"):
        trainer().fit(RARE, 0.2, validation_weights=weights)


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


def test_a_resume_continues_the_weighted_validation_loss(tmp_path: Path) -> None:
    weights = np.linspace(0.5, 2.0, len(HELD_OUT))

    def fit(epochs: int, weights: Any = weights, folder: str = "a", **more: Any) -> Any:
        made = trainer(ROWS, epochs=epochs, checkpoints=Checkpoints(tmp_path / folder))
        arguments = {"validation_weights": weights, "class_weight": {0: 3.0}}
        return made.fit(ROWS, HELD_OUT, **{**arguments, **more})["validation_loss"]

    whole = fit(4, folder="whole")
    fit(2)
    with pytest.raises(ModelError, match="the values of weights of validation rows are not those"):
        fit(4, None, resume=True)
    assert np.array_equal(fit(4, resume=True), whole)


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
