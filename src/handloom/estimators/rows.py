"""The rows of an estimator: sparse inputs, and samples of inputs, targets and weights."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from handloom.data.columns import Columns
from handloom.data.dataset import Dataset
from handloom.data.transforms import AsFloat
from handloom.layers import Dense
from handloom.losses import Loss, Targets
from handloom.network import Sequential
from handloom.parameters import Array

DENSE_FROM = 0.25
"""The fraction of entries that are not zero from which a product of dense rows is faster."""

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


class SparseBatches(SparseRows):
    """A sparse matrix that returns sparse rows when indexed."""

    def __getitem__(self, rows: Index) -> Any:
        return self.matrix[rows]


def predict_logits(network: Sequential, X: Any, loss: Loss | None) -> Array:
    """Return the inputs of a loss, shape (n, k), for dense or sparse rows, shape (n, d).

    A dense layer multiplies sparse rows as they are, unless dense rows are faster because
    many entries are not zero.
    """
    network = network.without_activation(getattr(loss, "output_activation", "identity"))
    with np.errstate(over="ignore", invalid="ignore"):
        if isinstance(X, np.ndarray):
            if X.dtype == network.parameters.dtype:
                return network.predict(X)
            return network.predict(X, AsFloat())
        first = network.layers[0]
        if type(first) is not Dense or X.nnz > DENSE_FROM * X.shape[0] * X.shape[1]:
            rows: Any = SparseRows(X)
            return network.predict(rows, AsFloat())
        w, b = first.weights["weights"], first.weights["biases"]

        def affine(batch: Any, out: Array) -> None:
            np.add(batch @ w, b, out=out)

        batches: Any = SparseBatches(X)
        return network.predict(batches, affine, skip=1)


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
    inputs : array, sparse CSR matrix or RawRows, shape (n, d)
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

    def encoded(self, columns: Columns) -> "Sample":
        """Return the sample with flat rows in place of raw ones."""
        return replace(self, inputs=self.inputs.encoded(columns))

    def dataset(
        self,
        names: tuple[str, ...],
        column_names: tuple[str, ...] | None = None,
        columns: Columns | None = None,
    ) -> Dataset:
        """Return a dataset for the trainer, with a name for each output and each column."""
        targets = self.targets
        if targets.ndim == 1 and (targets == targets[0]).all():
            # a trainer refuses a single class; in partial_fit others may follow
            targets = np.eye(len(names))[targets.astype(np.intp)]
        if columns is not None:
            columns = replace(columns, target=None)  # targets are encoded in another way
        inputs: Any = (
            self.inputs if isinstance(self.inputs, np.ndarray) else SparseRows(self.inputs)
        )
        return Dataset(inputs, targets, names, column_names=column_names, columns=columns)


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
        If fewer than two rows would be held out, or one trained on, or fewer than the groups; or if
        a group has a single row.
    """
    _check_split(len(sample), fraction, strata)
    rest, held_out = train_test_split(
        np.arange(len(sample)), test_size=fraction, random_state=random, stratify=strata
    )
    return sample.take(rest), sample.take(held_out)


def _least_populated() -> str:
    """Return scikit-learn's sentence on a class of one row, which its own tests expect."""
    try:
        train_test_split([0, 0, 1], stratify=[0, 0, 1])
    except ValueError as error:
        return str(error).partition(",")[0]
    return "The least populated class in y has only 1 member"


def _check_split(rows: int, fraction: float, strata: npt.NDArray[Any] | None) -> None:
    """Refuse a split that `train_test_split` would refuse, in the estimators' words."""
    if fraction <= 0.0:
        raise ValueError(
            f"validation_fraction must be above 0 with early_stopping=True, got {fraction!r}"
        )
    held_out = math.ceil(fraction * rows)
    names, groups = np.unique([] if strata is None else strata, return_counts=True)
    if groups.min(initial=2) < 2:
        raise ValueError(
            f"{_least_populated()}, expected at least 2 rows of each class, one to train on and "
            "one to hold out: set early_stopping=False, or pass X_val and y_val. "
            f"Classes with too few members are: {names[groups < 2].astype(str).tolist()}"
        )
    if held_out < max(2, len(groups)):
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of "
            f"your dataset: {fraction!r} of {rows} rows is {held_out}, expected at least 2."
        )
    if rows - held_out < max(1, len(groups)):
        raise ValueError(
            f"validation_fraction must leave at least {max(1, len(groups))} rows to train on, got "
            f"{fraction!r} of {rows} rows, which leaves {rows - held_out}"
        )
