"""Accuracy, confusion matrix, precision and recall."""

import numpy as np
import pytest

from handloom import DataError, accuracy, confusion_matrix, precision_and_recall

TARGETS = np.array([0, 0, 0, 1, 1, 3])
PREDICTED = np.array([0, 0, 1, 1, 1, 0])


def test_accuracy_is_the_fraction_that_is_right() -> None:
    assert accuracy(TARGETS, PREDICTED) == pytest.approx(4 / 6)


def test_confusion_has_true_classes_in_rows() -> None:
    expected = [[2, 1, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]]
    assert confusion_matrix(TARGETS, PREDICTED, 4).tolist() == expected


def test_small_integer_types_do_not_overflow() -> None:
    confusion = confusion_matrix(np.array([19, 5], np.uint8), np.array([19, 5], np.int8), 20)
    assert confusion[19, 19] == confusion[5, 5] == 1
    assert confusion.sum() == 2


def test_precision_and_recall_per_class() -> None:
    precision, recall = precision_and_recall(confusion_matrix(TARGETS, PREDICTED, 4))
    np.testing.assert_allclose(precision, [2 / 3, 2 / 3, np.nan, np.nan])
    np.testing.assert_allclose(recall, [2 / 3, 1.0, np.nan, 0.0])


def test_what_does_not_belong_together_is_refused() -> None:
    with pytest.raises(DataError, match="one shape"):
        accuracy(TARGETS, PREDICTED[:3])
    with pytest.raises(DataError, match="one shape"):
        accuracy(TARGETS[:0], PREDICTED[:0])
    with pytest.raises(DataError, match=r"must lie in 0\.\.2, got "):
        confusion_matrix(TARGETS, PREDICTED, 3)


def test_metrics_take_lists() -> None:
    assert accuracy([0, 1, 1], [0, 1, 0]) == pytest.approx(2 / 3)
    confusion = confusion_matrix([0, 1, 1], [0, 1, 0], 2)
    assert confusion.tolist() == [[1, 0], [1, 1]]
    precision, recall = precision_and_recall([[1, 0], [1, 1]])
    assert precision.tolist() == [0.5, 1.0]
    assert recall.tolist() == [1.0, 0.5]
