"""Rows, targets and weights as scikit-learn checks them, for a fit to learn from."""

from typing import Any

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.validation import _check_sample_weight, validate_data

from handloom.estimators.rows import Sample, without_absent_rows
from handloom.estimators.tasks import Task

FLOATS = (np.float64, np.float32)


def check_rows(estimator: Any, X: Any, y: Any, *, continuous: bool, reset: bool) -> tuple[Any, Any]:
    """Return rows and targets, checked together with the names of columns.

    Parameters
    ----------
    estimator : estimator
        It keeps the number and the names of columns, or has them compared.
    X : array or sparse matrix, shape (n, d)
    y : array or sparse matrix, shape (n,) or (n, k)
    continuous : bool
        Whether targets are to be numbers.
    reset : bool
        Whether columns are learned, not compared.

    Returns
    -------
    X : float32 or float64 array, or CSR matrix, shape (n, d)
    y : array or sparse matrix, shape (n,) or (n, k)
    """
    X, y = validate_data(
        estimator,
        X,
        y,
        accept_sparse="csr",
        multi_output=True,
        y_numeric=continuous,
        dtype=FLOATS,
        order="C",
        reset=reset,
    )
    if y.ndim == 2 and y.shape[1] == 1 and isinstance(y, np.ndarray):
        y = column_or_1d(y, warn=True)
    return X, y


def training_sample(
    task: Task, X: Any, y: Any, sample_weight: Any, dtype: Any, *, incremental: bool
) -> Sample:
    """Return checked rows as a sample to learn from, without those of weight zero.

    Parameters
    ----------
    task : Task
    X, y : arrays or sparse matrices
        As `check_rows` returns them.
    sample_weight : array-like, shape (n,), or None
    dtype : float32 or float64
    incremental : bool
        Whether these are some rows of many, as in ``partial_fit``.

    Raises
    ------
    ValueError
        If weights are invalid or all zero, or targets are not those of the task.
    """
    weights = None
    if sample_weight is not None:
        weights = _check_sample_weight(sample_weight, X, dtype=dtype, ensure_non_negative=True)
    weights = task.weigh(y, weights, dtype, incremental=incremental)
    X, y, weights = without_absent_rows(X, y, weights)
    return Sample(X, task.encode(y, dtype), weights)


def held_out_sample(
    estimator: Any, task: Task, X_val: Any, y_val: Any, dtype: Any, *, continuous: bool
) -> Sample:
    """Return the caller's rows to measure after each epoch.

    Parameters
    ----------
    estimator : estimator
        Whose columns they are to have.
    task : Task
    X_val, y_val : arrays or sparse matrices
    dtype : float32 or float64
    continuous : bool
        Whether targets are to be numbers.

    Raises
    ------
    ValueError
        If rows or targets are not like those of the fit; the message says which rows they are.
    """
    try:
        X_val, y_val = check_rows(estimator, X_val, y_val, continuous=continuous, reset=False)
        if y_val.shape[0] < 2:
            raise ValueError("at least 2 rows are needed to measure a score")
        return Sample(X_val, task.encode(y_val, dtype))
    except ValueError as error:
        raise ValueError(f"X_val, y_val: {error}") from error
