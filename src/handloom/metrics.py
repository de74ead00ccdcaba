"""Metrics of a classifier: accuracy, confusion matrix, precision and recall."""

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


def _labels(targets: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[Labels, Labels]:
    """Return both as arrays, if they have one shape (n,)."""
    targets, predicted = np.asarray(targets), np.asarray(predicted)
    if targets.shape != predicted.shape or targets.ndim != 1 or not len(targets):
        raise DataError(
            f"targets and predictions must have one shape (n,), n at least 1, got "
            f"{targets.shape} and {predicted.shape}"
        )
    return targets, predicted
