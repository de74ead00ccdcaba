"""Metrics of predicted classes, of predicted probabilities, and of a regression."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from handloom.errors import DataError

Labels = npt.NDArray[np.integer]


def accuracy(targets: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return the accuracy: the fraction of correct predictions.

    Parameters
    ----------
    targets, predicted : integer array-like, shape (n,)
        The true and the predicted class of each row.

    Raises
    ------
    DataError
        If the two differ in shape or there are no rows.
    """
    targets, predicted = _labels(targets, predicted)
    return float(np.mean(targets == predicted))


def confusion_matrix(
    targets: npt.ArrayLike, predicted: npt.ArrayLike, classes: int
) -> npt.NDArray[np.int64]:
    """Return the confusion matrix: counts by true class (row) and predicted class (column).

    Parameters
    ----------
    targets, predicted : integer array-like, shape (n,)
        The true and the predicted class of each row, from 0 to ``classes - 1``.
    classes : int
        The number of classes, ``k``.

    Returns
    -------
    array of int64, shape (k, k)

    Raises
    ------
    DataError
        If the two differ in shape, there are no rows, or a class is out of range.
    """
    targets, predicted = _labels(targets, predicted)
    for name, labels in (("targets", targets), ("predicted", predicted)):
        if labels.min() < 0 or labels.max() >= classes:
            raise DataError(
                f"{name} must lie in 0..{classes - 1}, got {labels.min()}..{labels.max()}"
            )
    cells = targets.astype(np.int64) * classes + predicted.astype(np.int64)
    counts = np.bincount(cells, minlength=classes * classes)
    return counts.reshape(classes, classes)


def precision_and_recall(
    confusion: npt.ArrayLike,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the precision and the recall of each class.

    Precision is the fraction of the rows predicted as the class that belong to it; recall is the
    fraction of the rows of the class that are predicted as it.

    Parameters
    ----------
    confusion : integer array-like, shape (k, k)
        As `confusion_matrix` returns it.

    Returns
    -------
    precision, recall : array, shape (k,)
        NaN for a class that was never predicted, or has no rows.
    """
    confusion = np.asarray(confusion)
    correct = np.diag(confusion).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return correct / confusion.sum(axis=0), correct / confusion.sum(axis=1)


def roc_auc(targets: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Return the area under the ROC curve of two classes.

    It is the probability that a random positive row has a higher score than a random negative one,
    where a tie counts half. With the ranks ``r`` of all scores in ascending order, from 1, and the
    mean rank for equal scores::

        (sum of r over positive rows - n_1 (n_1 + 1) / 2) / (n_1 n_0)

    for ``n_1`` positive and ``n_0`` negative rows.

    Parameters
    ----------
    targets : array-like of 0 and 1, or bool, shape (n,)
        1 for a positive row.
    scores : array-like, shape (n,)
        Probabilities or logits of the positive class.

    Returns
    -------
    float
        NaN if all rows are of one class, or a score is NaN.

    Raises
    ------
    DataError
        If the two differ in shape, there are no rows, or a target is not 0 or 1.

    References
    ----------
    Mann, Whitney, "On a Test of Whether one of Two Random Variables is Stochastically Larger than
    the Other", Annals of Mathematical Statistics 18, 1947.
    """
    positive, values = _binary(targets, scores)
    ones = int(np.count_nonzero(positive))
    zeros = len(positive) - ones
    if not ones or not zeros or np.isnan(values).any():
        return float("nan")
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    mean_ranks = np.cumsum(counts) - (counts - 1) / 2.0
    total = float(mean_ranks[group][positive].sum())
    return (total - ones * (ones + 1) / 2.0) / (float(ones) * zeros)


def brier_score(targets: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Return the Brier score of two classes: ``1 / n  sum_i (p_i - t_i)^2``.

    0 is the best. Predicting 1/2 for all rows has 1/4. Brier's own score sums over both classes and
    is twice as large.

    Parameters
    ----------
    targets : array-like of 0 and 1, or bool, shape (n,)
    probabilities : array-like, shape (n,)
        Of the positive class, 1.

    Raises
    ------
    DataError
        If the two differ in shape, there are no rows, or a target is not 0 or 1.

    References
    ----------
    Brier, "Verification of Forecasts Expressed in Terms of Probability", Monthly Weather Review 78,
    1950.
    """
    positive, values = _binary(targets, probabilities)
    return float(np.square(values - positive).mean())


def mean_squared_error(targets: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return the mean squared error (MSE), the mean over rows and outputs of ``(t - z)^2``.

    Parameters
    ----------
    targets, predicted : array-like, shape (n,) or (n, k)

    Raises
    ------
    DataError
        If the two differ in shape, or there are no rows.
    """
    t, z = _continuous(targets, predicted)
    return float(np.square(t - z).mean())


def mean_absolute_error(targets: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return the mean absolute error (MAE), the mean over rows and outputs of ``|t - z|``.

    Parameters and errors are those of `mean_squared_error`.
    """
    t, z = _continuous(targets, predicted)
    return float(np.abs(t - z).mean())


def r2(targets: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return the coefficient of determination, R^2, the mean over outputs.

    With the mean ``m`` of the targets of an output::

        1 - sum_i (t_i - z_i)^2 / sum_i (t_i - m)^2

    1 is the best; predicting the mean for all rows has 0, and worse predictions are below.

    Parameters
    ----------
    targets, predicted : array-like, shape (n,) or (n, k)

    Returns
    -------
    float
        NaN if the targets of an output are constant, as those of a single row are.

    Raises
    ------
    DataError
        If the two differ in shape, or there are no rows.
    """
    t, z = _continuous(targets, predicted)
    total = np.square(t - t.mean(axis=0)).sum(axis=0)
    if not (np.ptp(t, axis=0).all() and total.all()):
        return float("nan")
    return float(np.mean(1.0 - np.square(t - z).sum(axis=0) / total))


def _binary(
    targets: npt.ArrayLike, values: npt.ArrayLike
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Return whether rows are positive, and their values in float64."""
    labels, values = np.asarray(targets), np.asarray(values, np.float64)
    if labels.shape != values.shape or labels.ndim != 1 or not len(labels):
        raise DataError(
            f"targets and scores must have one shape (n,), n at least 1, got "
            f"{labels.shape} and {values.shape}"
        )
    wrong = (labels != 0) & (labels != 1)
    if wrong.any():
        raise DataError(f"targets of two classes must be 0 or 1, got {labels[wrong][0]}")
    return labels == 1, values


def _continuous(
    targets: npt.ArrayLike, predicted: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return both in float64, shape (n, k), if they have one shape."""
    t, z = np.asarray(targets, np.float64), np.asarray(predicted, np.float64)
    if t.shape != z.shape or t.ndim not in (1, 2) or not t.size:
        raise DataError(
            f"targets and predictions must have one shape (n,) or (n, k), n at least 1, got "
            f"{t.shape} and {z.shape}"
        )
    return t.reshape(len(t), -1), z.reshape(len(z), -1)


def _labels(targets: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[Labels, Labels]:
    """Return both as arrays, if they have one shape (n,)."""
    targets, predicted = np.asarray(targets), np.asarray(predicted)
    if targets.shape != predicted.shape or targets.ndim != 1 or not len(targets):
        raise DataError(
            f"targets and predictions must have one shape (n,), n at least 1, got "
            f"{targets.shape} and {predicted.shape}"
        )
    return targets, predicted


class Reliability(NamedTuple):
    """The rows of a model by the confidence of their predictions, in intervals of one width.

    Attributes
    ----------
    counts : array of int64, shape (bins,)
        The number of rows in each interval.
    confidence, accuracy : array of float64, shape (bins,)
        The mean confidence and the fraction of correct predictions; 0 without rows.
    """

    counts: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]

    @property
    def error(self) -> float:
        """The expected calibration error (ECE).

        ``sum_b (n_b / n) |accuracy_b - confidence_b|``

        References
        ----------
        Naeini, Cooper, Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian
        Binning", AAAI 2015, of two classes; Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern
        Neural Networks", ICML 2017, of the class that is predicted.
        """
        gaps = np.abs(self.confidence - self.accuracy)
        return float((self.counts / max(self.counts.sum(), 1) * gaps).sum())

    @property
    def chance(self) -> float:
        """The mean `error` of a calibrated model with as many rows, which is above 0.

        The accuracy of an interval then has the standard error ``s_b = sqrt(c_b (1 - c_b) / n_b)``
        about its confidence ``c_b``, and the mean distance ``sqrt(2 / pi) s_b``, if it is normally
        distributed: ``sum_b (n_b / n) sqrt(2 / pi) s_b``.
        """
        variance = self.counts * self.confidence * (1.0 - self.confidence)
        return float(np.sqrt(2.0 / np.pi * variance).sum() / max(self.counts.sum(), 1))


def reliability(
    confidence: npt.NDArray[np.floating], correct: npt.ArrayLike, bins: int = 10
) -> Reliability:
    """Return how often predictions of a confidence are correct.

    Parameters
    ----------
    confidence : array of float, shape (n,)
        The probability of the predicted class, from 0 to 1.
    correct : array of bool or float, shape (n,)
        1 for a correct prediction, else 0.
    bins : int
        The number of intervals from 0 to 1.

    Returns
    -------
    Reliability
    """
    interval = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    counts = np.bincount(interval, minlength=bins)
    rows = np.maximum(counts, 1)
    means = np.bincount(interval, confidence, minlength=bins) / rows
    right = np.bincount(interval, np.asarray(correct, np.float64), minlength=bins) / rows
    return Reliability(counts, means, right)
