"""Accuracy, confusion matrix, precision and recall; probabilities; errors of a regression."""

import numpy as np
import pytest

from handloom import (
    DataError,
    accuracy,
    brier_score,
    confusion_matrix,
    mean_absolute_error,
    mean_squared_error,
    precision_and_recall,
    r2,
    roc_auc,
)

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


TIES = np.array([0.1, 0.4, 0.4, 0.4, 0.7, 0.7, 0.9, 0.2])
POSITIVE = np.array([0, 0, 1, 0, 1, 0, 1, 1])


def test_a_tie_counts_half_in_the_area_under_the_roc_curve() -> None:
    pairs = [(p > q) + 0.5 * (p == q) for p in TIES[POSITIVE == 1] for q in TIES[POSITIVE == 0]]
    assert roc_auc(POSITIVE, TIES) == pytest.approx(np.mean(pairs))
    assert roc_auc([0, 1], [5.0, 5.0]) == 0.5
    assert roc_auc([False, True], [1.0, 2.0]) == 1.0


def test_metrics_agree_with_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 3000), rng.integers(0, 50, 3000) / 50.0  # many ties
    assert roc_auc(y, p) == pytest.approx(metrics.roc_auc_score(y, p), rel=1e-12)
    assert brier_score(y, p) == pytest.approx(metrics.brier_score_loss(y, p), rel=1e-12)
    for shape in ((50,), (50, 3)):
        t, z = rng.standard_normal((2, *shape))
        for own, theirs in (
            (mean_squared_error, metrics.mean_squared_error),
            (mean_absolute_error, metrics.mean_absolute_error),
            (r2, metrics.r2_score),
        ):
            assert own(t, z) == pytest.approx(theirs(t, z), rel=1e-12)


def test_what_is_not_defined_is_nan() -> None:
    for one_class in ([1, 1], [0, 0]):
        assert np.isnan(roc_auc(one_class, [0.1, 0.9]))
    assert np.isnan(roc_auc([0, 1], [np.nan, 0.9]))
    for constant in ([2.0, 2.0], [[1.0, 2.0], [3.0, 2.0]], [5.0]):
        assert np.isnan(r2(constant, constant))
    assert np.isnan(mean_squared_error([1.0], [np.nan]))


def test_targets_that_are_not_two_classes_and_other_shapes_are_refused() -> None:
    with pytest.raises(DataError, match="must be 0 or 1, got -1"):
        roc_auc([-1, 1], [0.1, 0.2])
    with pytest.raises(DataError, match="must be 0 or 1, got 2"):
        brier_score([2, 1], [0.1, 0.2])
    for metric in (roc_auc, brier_score, mean_squared_error, mean_absolute_error, r2):
        for targets, values in (([0, 1], [0.5]), ([], [])):
            with pytest.raises(DataError, match=r"must have one shape \(n,\)"):
                metric(targets, values)
