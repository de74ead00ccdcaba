"""Validation of rows, targets and sample weights with scikit-learn's checks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import check_X_y
from sklearn.utils.validation import _check_sample_weight, validate_data

from handloom.data.conversion import require_unmasked
from handloom.data.frames import FRAMES, SERIES, column_of, columns_of, is_instance, names_of
from handloom.errors import DataError
from handloom.estimators.raw_rows import raw_rows
from handloom.estimators.rows import Sample, drop_zero_weights
from handloom.estimators.tasks import Task
from handloom.estimators.warn import warn
from handloom.training.class_weights import Weights

FLOATS = (np.float64, np.float32)

COLUMN = "A column-vector y was passed when a 1d array was expected: pass y.ravel()"
"""The warning about targets of shape (n, 1).

The estimator checks of scikit-learn look for the words before the colon.
"""


def check_rows(
    estimator: Any, X: Any, y: Any, *, continuous: bool, reset: bool, argument: str = "X"
) -> tuple[Any, Any]:
    """Return checked rows and targets; the names of the columns are checked too.

    With ``categorical_features`` rows are raw: their encoding is learned from some of them.

    Parameters
    ----------
    estimator : estimator
        The number and the names of its columns are set, or compared.
    X : array or sparse matrix, shape (n, d)
    y : array or sparse matrix, shape (n,) or (n, k)
    continuous : bool
        Whether targets are continuous (regression targets).
    reset : bool
        Whether columns are set, not compared.
    argument : str
        The name of the argument ``X``, for messages about raw columns.

    Returns
    -------
    X : float32 or float64 array, CSR matrix or RawRows, shape (n, d)
    y : array or sparse matrix, shape (n,) or (n, k)

    Raises
    ------
    ValueError
        If they are invalid.
    """
    refuse_masks_and_times("X", X)
    if isinstance(y, np.ma.MaskedArray):
        refuse_masks_and_times("y", y)
    _refuse_none(y)
    if continuous and hasattr(y, "toarray"):
        raise DataError("y must be dense in a regression, got a sparse matrix: pass y.toarray()")
    if estimator.categorical_features is not None:
        X = raw_rows(estimator, X, reset=reset, argument=argument)
        rows = np.empty((len(X), 0))
        _, y = check_X_y(
            rows,
            y,
            multi_output=True,
            y_numeric=continuous,
            estimator=estimator,
            ensure_min_features=0,
        )
    else:
        with _advice_on_texts(X):
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
    refuse_masks_and_times("y", y)
    if y.ndim == 2 and y.shape[1] == 1 and isinstance(y, np.ndarray):
        warn(COLUMN, DataConversionWarning)
        y = y[:, 0]
    return X, y


RAW = (
    "could not convert string to float",
    "arrays of bytes/strings",
    "Input X contains NaN",
    "'NAType'",  # NA of pandas
)
"""Parts of scikit-learn's errors on texts and missing values."""


@contextmanager
def _advice_on_texts(X: Any) -> Iterator[None]:
    """Add the parameter for raw columns, which are never sparse, to scikit-learn's errors."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if hasattr(X, "toarray") or not any(each in str(error) for each in RAW):
            raise
        raise DataError(
            f"{error}\nFor a table with texts, categories or missing values set "
            'categorical_features="from_dtype"'
        ) from error


def target_names(y: Any, outputs: int) -> tuple[str, ...] | None:
    """Return the names of the columns of a table of targets, or that of a Series.

    Returns
    -------
    tuple of str, or None
        None if there are no names, other than ``outputs`` of them, or two are equal.
    """
    if is_instance(y, *FRAMES):
        names = names_of(columns_of(y))
    elif is_instance(y, *SERIES):
        name = column_of(y).name
        names = None if name is None else (name,)
    else:
        return None
    return names if names is not None and len(set(names)) == len(names) == outputs else None


def training_sample(
    task: Task, X: Any, y: Any, sample_weight: Any, dtype: Any, *, incremental: bool
) -> tuple[Sample, Weights | None]:
    """Return checked rows as a training sample, without rows of weight zero, and class weights.

    Parameters
    ----------
    task : Task
    X, y : arrays or sparse matrices
        As `check_rows` returns them.
    sample_weight : array-like, shape (n,), or None
    dtype : float32 or float64
    incremental : bool
        Whether this is a ``partial_fit``, which does not see all rows.

    Returns
    -------
    Sample
    array of float64, shape (k,), or None
        The weight of each class, which is part of the weights of the sample.

    Raises
    ------
    ValueError
        If weights are invalid or all zero, or targets are invalid for the task.
    """
    weights = None
    if sample_weight is not None:
        refuse_masks_and_times("sample_weight", sample_weight)
        weights = _check_sample_weight(sample_weight, X, dtype=dtype, ensure_non_negative=True)
    of_classes = task.class_weights(y, weights, incremental=incremental)
    weights = task.row_weights(y, weights, of_classes, dtype)
    X, y, weights = drop_zero_weights(X, y, weights)
    return Sample(X, task.encode(y, dtype), weights), of_classes


def held_out_sample(
    estimator: Any,
    task: Task,
    X_val: Any,
    y_val: Any,
    dtype: Any,
    *,
    continuous: bool,
    of_classes: Weights | None = None,
) -> Sample:
    """Return ``X_val`` and ``y_val``, checked, as the validation sample.

    Parameters
    ----------
    estimator : estimator
        Its columns are expected.
    task : Task
    X_val, y_val : arrays or sparse matrices
    dtype : float32 or float64
    continuous : bool
        Whether targets are continuous (regression targets).
    of_classes : array of float64, shape (k,), or None
        The class weights of the training sample.

    Returns
    -------
    Sample

    Raises
    ------
    ValueError
        If rows or targets do not match those of the fit; the message starts with the arguments'
        names.
    """
    try:
        X_val, y_val = check_rows(
            estimator, X_val, y_val, continuous=continuous, reset=False, argument="X_val"
        )
        if y_val.shape[0] < 2:
            raise ValueError(f"must hold at least 2 rows for a score, got {y_val.shape[0]}")
        targets = task.encode(y_val, dtype)  # classes that y does not have are refused
        weights = task.row_weights(y_val, None, of_classes, dtype)
        if weights is not None and not weights.any():
            raise ValueError("class_weight must give at least one row a weight above zero")
        return Sample(X_val, targets, weights)
    except ValueError as error:
        raise ValueError(f"X_val, y_val: {error}") from error


def refuse_masks_and_times(name: str, values: Any) -> None:
    """Refuse masked values, and dates, times and records: scikit-learn would make numbers of them.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    values : array-like or data frame

    Raises
    ------
    DataError
        Naming the first masked value, or the dtype.
    """
    if isinstance(values, np.ma.MaskedArray):
        require_unmasked(values, name)
    dtypes: Any = getattr(values, "dtypes", getattr(values, "dtype", None))
    if is_instance(values, "polars.DataFrame", "pyarrow.Table"):
        dtypes = [column.values.dtype for column in columns_of(values)]
    names = list(map(str, getattr(values, "columns", ())))
    for index, dtype in enumerate(dtypes if hasattr(dtypes, "__iter__") else [dtypes]):
        if getattr(dtype, "kind", None) in ("M", "m", "V"):
            several = is_instance(values, "pandas.DataFrame", "polars.DataFrame")
            column = f" in column {names[index]!r}" if several else ""
            raise DataError(
                f"{name} must not hold dates, times or records, got dtype {dtype}{column}: "
                "convert it to numbers, for instance to days since the first, or leave it out"
            )
    if is_instance(values, "pandas.DataFrame"):
        for index, dtype in enumerate(dtypes):
            if getattr(dtype, "kind", None) == "O":
                _refuse_times_among_objects(name, values.iloc[:, index])


TIMES = ("Period", "Timestamp", "Timedelta", "datetime", "date", "time", "timedelta")
"""The classes of dates and times of pandas and Python."""


def _refuse_times_among_objects(name: str, column: Any) -> None:
    """Refuse dates and times in a column of Python objects, or of periods."""
    for row, value in enumerate(column):
        if type(value).__name__ in TIMES:
            raise DataError(
                f"{name} must not hold dates or times, got {value!r} in row {row} of column "
                f"{column.name!r} (rows count from 0): convert them to numbers, for instance to "
                "days since the first"
            )


def _refuse_none(y: Any) -> None:
    """Refuse None and NA of pandas among targets, which scikit-learn would compare."""
    if not isinstance(y, list | tuple) and getattr(getattr(y, "dtype", None), "kind", "") != "O":
        return
    for row, value in enumerate(y):
        if value is None or type(value).__name__ == "NAType":
            raise DataError(
                f"y must have no missing values, got {value} in row {row} (rows count from 0): "
                "drop such rows, or fill in a value"
            )
