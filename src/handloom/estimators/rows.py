"""The rows of an estimator: sparse inputs, and samples of inputs, targets and weights."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from handloom.data.dataset import Dataset
from handloom.data.transforms import AsFloat
from handloom.losses import Loss, Targets
from handloom.network import Sequential
from handloom.parameters import Array

Index = slice | npt.NDArray[np.integer]


class SparseRows:
    """A sparse matrix that returns dense rows when indexed; only those rows become dense.

    Parameters
    ----------
    matrix : scipy.sparse CSR matrix or array, shape (n, d)
    """

    ndim = 2

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix
        self.shape: tuple[int, ...] = matrix.shape
        self.dtype: np.dtype[Any] = matrix.dtype

    @property
    def size(self) -> int:
        """The number of entries, zeros included."""
        return self.shape[0] * self.shape[1]

    @property
    def nbytes(self) -> int:
        """The number of bytes of the dense rows."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Index) -> npt.NDArray[Any]:
        dense: npt.NDArray[Any] = self.matrix[rows].toarray()
        return dense


def predict_logits(network: Sequential, X: Any, loss: Loss | None) -> Array:
    """Return the inputs of a loss, shape (n, k), for dense or sparse rows, shape (n, d)."""
    network = network.without_activation(getattr(loss, "output_activation", "identity"))
    with np.errstate(over="ignore", invalid="ignore"):
        if isinstance(X, np.ndarray) and X.dtype == network.parameters.dtype:
            return network.predict(X)
        rows: Any = X if isinstance(X, np.ndarray) else SparseRows(X)
        return network.predict(rows, AsFloat())


def drop_zero_weights(X: Any, y: Any, weights: Array | None) -> tuple[Any, Any, Array | None]:
    """Return the rows with a weight above zero.

    Parameters
    ----------
    X : array or sparse CSR matrix, shape (n, d)
    y : array or sparse CSR matrix, shape (n,) or (n, k)
    weights : array, shape (n,), or None

    Returns
    -------
    X, y : arrays
        As passed, without the rows of weight zero.
    weights : array, shape (m,), or None

    Raises
    ------
    ValueError
        If all weights are zero.
    """
    if weights is None or weights.all():
        return X, y, weights
    if not weights.any():
        raise ValueError(
            "sample_weight and class_weight must give at least one row a weight above zero, got "
            "zero for all"
        )
    rows = np.flatnonzero(weights)
    return X[rows], y[rows], weights[rows]


@dataclass(frozen=True)
class Sample:
    """Inputs with their encoded targets and weights.

    Parameters
    ----------
    inputs : array or sparse CSR matrix, shape (n, d)
    targets : integer array, shape (n,), or floating-point array, shape (n, k)
    weights : array, shape (n,), or None
    """

    inputs: Any
    targets: Targets
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: npt.NDArray[np.integer]) -> "Sample":
        """Return the rows with the indices ``rows``."""
        weights = None if self.weights is None else self.weights[rows]
        return Sample(self.inputs[rows], self.targets[rows], weights)

    def dataset(self, names: tuple[str, ...]) -> Dataset:
        """Return a dataset for the trainer, with a name for each output."""
        targets = self.targets
        if targets.ndim == 1 and (targets == targets[0]).all():
            # a trainer refuses a single class; in partial_fit others may follow
            targets = np.eye(len(names))[targets.astype(np.intp)]
        inputs: Any = (
            self.inputs if isinstance(self.inputs, np.ndarray) else SparseRows(self.inputs)
        )
        return Dataset(inputs, targets, names)


def hold_out(
    sample: Sample,
    fraction: float,
    random: np.random.RandomState,
    strata: npt.NDArray[Any] | None,
) -> tuple[Sample, Sample]:
    """Split a sample into training and validation rows.

    Parameters
    ----------
    sample : Sample
    fraction : float
        The fraction of the rows to hold out.
    random : RandomState
    strata : array, shape (n,), or None
        Groups to stratify by: both parts keep their proportions.

    Returns
    -------
    rest, held_out : Sample, Sample

    Raises
    ------
    ValueError
        If fewer than two rows would be held out.
    """
    rest, held_out = train_test_split(
        np.arange(len(sample)), test_size=fraction, random_state=random, stratify=strata
    )
    if len(held_out) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of "
            "your dataset."
        )
    return sample.take(rest), sample.take(held_out)
