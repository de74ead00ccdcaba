"""Tasks without an estimator: encoding targets, scoring logits."""

from typing import Any

import numpy as np
import pytest

from handloom.estimators.classification import Classification
from handloom.estimators.labels import Labels
from handloom.estimators.regression import Regression
from handloom.estimators.tasks import Task

ANIMALS = np.array(["cat", "dog", "owl", "dog"])
PAIR = np.array([3, 7, 7, 3])
SEVERAL = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1]])

CLASSIFICATIONS = {
    "three classes": (ANIMALS, True, (4,), 3, ("cat", "dog", "owl"), "softmax"),
    "one logit": (PAIR, True, (4, 1), 1, ("7",), "logistic"),
    "two logits": (PAIR, False, (4,), 2, ("3", "7"), "softmax"),
    "labels": (SEVERAL, True, (3, 3), 3, ("0", "1", "2"), "logistic"),
}


def perfect_logits(targets: Any, outputs: int) -> Any:
    """Return logits that predict encoded targets."""
    return 9.0 * np.eye(outputs)[targets] if targets.ndim == 1 else 18.0 * targets - 9.0


@pytest.mark.parametrize("case", CLASSIFICATIONS.values(), ids=CLASSIFICATIONS)
def test_classes_come_back_from_the_logits_that_encode_them(case: tuple[Any, ...]) -> None:
    y, one_logit, shape, outputs, names, activation = case
    task: Task = Classification(Labels.of(y, one_logit=one_logit))
    targets = task.encode(y, np.float64)
    assert targets.shape == shape
    assert (task.outputs, task.output_names) == (outputs, names)
    assert task.output_activation == activation
    logits = perfect_logits(targets, outputs)
    np.testing.assert_array_equal(task.decode(logits), y)
    assert task.score(logits, targets, None) == 1.0
    loss, _ = task.loss()(logits, targets)
    assert loss < 1e-3


def test_probabilities_have_a_column_for_each_class() -> None:
    for y, one_logit, _, outputs, *_ in CLASSIFICATIONS.values():
        task = Classification(Labels.of(y, one_logit=one_logit))
        shown = task.probabilities(np.zeros((2, outputs)))
        columns = len(task.labels.classes)
        np.testing.assert_allclose(shown, 0.5 if y.ndim == 2 else 1.0 / columns)
        assert shown.shape == (2, columns)


@pytest.mark.parametrize(("y", "outputs"), [(np.array([2.0, 0.5]), 1), (np.ones((2, 3)), 3)])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "poisson"])
def test_continuous_targets_come_back_from_their_logits(y: Any, outputs: int, loss: str) -> None:
    task: Task = Regression(outputs, loss)
    targets = task.encode(y, np.float64)
    assert targets.shape == (2, outputs)
    logits: Any = np.log(targets) if loss == "poisson" else targets.copy()
    assert task.score(logits.copy(), targets, None) == 1.0
    np.testing.assert_allclose(task.decode(logits), y)
    assert task.strata(targets) is None
    assert task.output_activation == ("exp" if loss == "poisson" else "identity")


def test_only_two_classes_are_split_in_proportion() -> None:
    for one_logit in (True, False):
        pair = Classification(Labels.of(PAIR, one_logit=one_logit))
        strata = pair.strata(pair.encode(PAIR, np.float64))
        assert strata is not None
        assert strata.tolist() == [3, 7, 7, 3]
    animals = Classification(Labels.of(ANIMALS))
    assert animals.strata(animals.encode(ANIMALS, np.float64)) is None


def test_class_weights_and_sample_weights_are_multiplied() -> None:
    task = Classification(Labels.of(ANIMALS), class_weight={"cat": 3.0})
    of_rows = np.array([1.0, 2.0, 1.0, 0.0])
    of_classes = task.class_weights(ANIMALS, of_rows, incremental=False)
    weights = task.row_weights(ANIMALS, of_rows, of_classes, np.float64)
    assert weights is not None
    assert weights.tolist() == [3.0, 2.0, 1.0, 0.0]
    assert Regression(1).row_weights(PAIR, weights, None, np.float64) is weights
