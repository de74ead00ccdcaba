"""Whether validation rows are training rows: by their memory, and by a few rows that are sought."""

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset

COMPARED_ROWS = 16
"""The validation rows that are compared, evenly spaced."""

COMPARED_COLUMNS = 32
"""The columns that are compared before whole rows are."""


def are_training_rows(train: Dataset, validation: Dataset) -> bool:
    """Return whether the rows of a validation set are among the training rows.

    They are if inputs share memory, or if each of a few validation rows, all different, is a
    training row with the same target. In memory all training rows are searched, which takes about a
    millisecond unless rows are found; in a mapped file only the row with the same index is read.
    """
    x, others = train.inputs, validation.inputs
    if x.dtype != others.dtype or x.shape[1:] != others.shape[1:]:
        return False
    if isinstance(x, np.ndarray) and isinstance(others, np.ndarray) and _share_memory(x, others):
        return True
    chosen = np.unique(np.linspace(0, len(others) - 1, COMPARED_ROWS).round().astype(np.int64))
    rows, targets = others[chosen].reshape(len(chosen), -1), validation.targets[chosen]
    if len(np.unique(rows, axis=0)) < len(rows):  # too few different rows to tell
        return False
    if type(x) is np.ndarray:
        flat = x.reshape(len(x), -1)
        pairs = zip(rows, targets, strict=True)
        return all(_holds(flat, train.targets, row, target) for row, target in pairs)
    if chosen[-1] >= len(x):
        return False
    own = x[chosen].reshape(len(chosen), -1)
    return np.array_equal(own, rows) and np.array_equal(train.targets[chosen], targets)


def _share_memory(x: npt.NDArray[np.generic], others: npt.NDArray[np.generic]) -> bool:
    """Return whether arrays share memory; False where that is hard to find out."""
    try:
        return np.shares_memory(x, others, max_work=1000)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return False


def _holds(
    x: npt.NDArray[np.generic],
    targets: npt.NDArray[np.generic],
    row: npt.NDArray[np.generic],
    target: npt.NDArray[np.generic],
) -> bool:
    """Return whether ``x``, shape (n, d), has a row with its target."""
    same = (targets == target).reshape(len(targets), -1).all(axis=1)
    candidates = np.flatnonzero(same)
    for column in np.linspace(0, len(row) - 1, COMPARED_COLUMNS).astype(np.int64):
        candidates = candidates[x[candidates, column] == row[column]]
    return bool((x[candidates] == row).all(axis=1).any())
