"""Whether rows are training rows: by their memory, by a few rows that are sought, or by all."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.data.selected_rows import have_rows_in_common

COMPARED_ROWS = 16
"""The validation rows that are compared, evenly spaced, and the training rows beside each."""

COMPARED_ENTRIES = 32
"""The entries, evenly spaced, in which those training rows agree with it."""


def are_training_rows(train: Dataset, validation: Dataset) -> bool:
    """Return whether the rows of a validation set are among the training rows.

    They are if inputs share memory or are selections of the same stored rows with a row in common,
    or if each of a few validation rows, all different, is a training row with the same target. In
    memory all training rows are searched, which takes some milliseconds; in a mapped file only the
    row with the same index is read.
    """
    x, others = train.inputs, validation.inputs
    if x.dtype != others.dtype or x.shape[1:] != others.shape[1:]:
        return False
    if _share_memory(x, others) or have_rows_in_common(x, others):
        return True
    chosen = np.unique(np.linspace(0, len(others) - 1, COMPARED_ROWS).round().astype(np.int64))
    rows, targets = others[chosen], validation.targets[chosen]
    if len(np.unique(rows, axis=0)) < len(rows):  # too few different rows to tell
        return False
    if type(x) is np.ndarray:
        pairs = zip(rows, targets, strict=True)
        return all(_holds(x, train.targets, row, target) for row, target in pairs)
    if chosen[-1] >= len(x):
        return False
    return np.array_equal(x[chosen], rows) and np.array_equal(train.targets[chosen], targets)


def rows_in_common(train: Dataset, other: Dataset) -> int:
    """Return how many rows of another dataset equal a training row, with the same target.

    Both have rows of the same shape and dtype, as tables that the same columns encoded.
    """
    known = set(_digests(train))
    return sum(digest in known for digest in _digests(other))


def _digests(data: Dataset) -> Iterator[int]:
    for row, target in zip(data.inputs, data.targets, strict=True):
        yield hash((row.tobytes(), target.tobytes()))


def _share_memory(x: object, others: object) -> bool:
    """Return whether inputs are arrays that share memory; False if that is hard to find out."""
    if not (isinstance(x, np.ndarray) and isinstance(others, np.ndarray)):
        return False
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
    """Return whether ``x``, shape (n, ...), has a row with its target."""
    same = (targets == target).reshape(len(targets), -1).all(axis=1)
    candidates = np.flatnonzero(same)
    for entry in np.linspace(0, row.size - 1, COMPARED_ENTRIES).astype(np.int64):
        index = np.unravel_index(entry, row.shape)
        candidates = candidates[x[(candidates, *index)] == row[index]]
    return any(np.array_equal(x[candidate], row) for candidate in candidates[:COMPARED_ROWS])
