"""Targets: classes or continuous values, and the names of classes that are learned from them."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.data.conversion import (
    as_floats,
    describe_not_finite,
    numeric,
    plain_array,
    require_complete,
    stacked_columns,
)
from handloom.data.frames import (
    FRAMES,
    SERIES,
    Column,
    all_strings,
    column_of,
    columns_of,
    is_instance,
    names_of,
)
from handloom.data.text_index import finite_number
from handloom.errors import DataError, did_you_mean
from handloom.text import listed

Array = npt.NDArray[Any]
Targets = tuple[Array, tuple[str, ...]]
"""Classes, shape (n,), or continuous targets, shape (n, k), and k names."""

FOR_REGRESSION = "for continuous targets pass targets.astype('float32')"


def convert_targets(targets: object, names: Iterable[object] | None = None) -> Targets:
    """Return targets as classes or continuous values, with their names.

    Parameters
    ----------
    targets : array-like, shape (n,), (n, 1) or (n, k)
        See `Dataset`.
    names : iterable of str, optional
        The names of classes or outputs; by default they are learned from the targets.

    Returns
    -------
    targets : array of int64, shape (n,), or floating-point array, shape (n, k)
    names : tuple of str, length k

    Raises
    ------
    DataError
        If the targets are invalid, or do not match the names.
    """
    known = None if names is None else checked_names(names)
    if is_instance(targets, *FRAMES):
        columns = columns_of(targets)
        if len(columns) != 1:
            return _frame(columns, known)
        return _of_column(columns[0], known)
    if is_instance(targets, *SERIES):
        return _of_column(column_of(targets), known)
    return _values(np.asarray(plain_array(targets, "targets")), known, None)


def checked_names(names: Iterable[object]) -> tuple[str, ...]:
    """Return class names as strings.

    Raises
    ------
    DataError
        If they are a single string or not iterable, or two are equal.
    """
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise DataError(f"class_names must be a sequence of strings, got {names!r}")
    checked = tuple(str(name) for name in names)
    if len(set(checked)) < len(checked):
        raise DataError(f"class names must differ, got {listed(checked)}")
    return checked


def _of_column(column: Column, names: tuple[str, ...] | None) -> Targets:
    column.require_complete("targets")
    values = column.values
    if column.categories is not None:
        labels = np.array([str(value) for value in values])
        return _labels(labels, names or checked_names(column.categories))
    if not all_strings(values):
        values = column.numeric("targets")
    return _values(values, names, None if column.name is None else (column.name,))


def _values(
    array: Array, names: tuple[str, ...] | None, learned: tuple[str, ...] | None
) -> Targets:
    """Return targets of an array of strings or numbers; ``learned`` are names of outputs."""
    if array.ndim > 2:
        raise DataError(f"targets must have shape (n,) or (n, k), got {array.shape}")
    if array.dtype.kind == "S":
        raise DataError("targets must be strings or numbers, got bytes: pass targets.astype(str)")
    require_complete(array, "targets")
    if array.size and all_strings(array):
        if array.ndim == 2 and array.shape[1] != 1:
            raise DataError(
                f"targets of strings must have shape (n,), one class for each row, got "
                f"{array.shape}"
            )
        return _labels(array.reshape(-1), names)
    return _of_numeric(numeric(array, "targets"), names, learned)


def _labels(labels: Array, names: tuple[str, ...] | None) -> Targets:
    """Return the classes of string labels, shape (n,); by default the names are sorted."""
    labels = labels.astype(object).astype(str)
    distinct, inverse = np.unique(labels, return_inverse=True)
    if names is None:
        return inverse.astype(np.int64), tuple(distinct.tolist())
    index = {name: label for label, name in enumerate(names)}
    for name in distinct.tolist():
        if name not in index:
            row = int(np.argmax(labels == name))
            number = finite_number(name)
            is_label = number is not None and number in range(len(names))
            hint = " For class numbers pass targets.astype(int)." if is_label else ""
            raise DataError(
                f"targets must be among the class names {listed(names)}, got {name!r} in row "
                f"{row}.{hint or did_you_mean(name, names)}"
            )
    return np.array([index[name] for name in distinct.tolist()], np.int64)[inverse], names


def _frame(columns: Sequence[Column], names: tuple[str, ...] | None) -> Targets:
    """Return the targets of a frame: one-hot if its columns are integers or booleans."""
    array = stacked_columns(columns, "targets")
    one_hot = all(column.values.dtype.kind in "biu" for column in columns)
    return _of_numeric(array.astype(np.int64) if one_hot else array, names, names_of(columns))


def _of_numeric(
    array: Array, names: tuple[str, ...] | None, learned: tuple[str, ...] | None
) -> Targets:
    """Return the targets of an array of numbers, shape (n,) or (n, k)."""
    if array.dtype.kind == "f":
        return _continuous(as_floats(array), names, learned)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array.reshape(-1)
    if array.ndim == 2:
        return _one_hot(array, names, learned)
    if array.dtype == bool:
        return _classes(array.astype(np.int64), names or ("False", "True"))
    return _classes(array, names)


def _continuous(
    array: Array, names: tuple[str, ...] | None, learned: tuple[str, ...] | None
) -> Targets:
    if array.ndim == 1:
        if names is not None and len(names) > 1:
            raise DataError(
                f"targets of shape (n,) must be integers for the {len(names)} classes "
                f"{listed(names)}, got {array.dtype}: for classes pass targets.astype(int), for "
                "one continuous target pass a single name"
            )
        array = array[:, None]
    outputs = array.shape[1]
    if names is not None and len(names) != outputs:
        raise DataError(f"targets of shape {array.shape} need {outputs} names, got {listed(names)}")
    if not np.isfinite(array).all():
        row = int(np.argmin(np.isfinite(array).all(axis=1)))
        value = array[row][~np.isfinite(array[row])][0]
        raise DataError(
            f"targets must be finite, got {describe_not_finite(value)}; the first such row is {row}"
        )
    return array, names or learned or tuple(str(index) for index in range(outputs))


def _one_hot(
    array: Array, names: tuple[str, ...] | None, learned: tuple[str, ...] | None
) -> Targets:
    """Return the classes of one-hot rows, shape (n, k)."""
    classes = array.shape[1]
    one_hot = ((array == 0) | (array == 1)).all(axis=1) & (array.sum(axis=1) == 1)
    if not one_hot.all():
        raise DataError(
            f"targets of {array.dtype} and shape {array.shape} must be one-hot, exactly one 1 in "
            f"each row, but row {int(one_hot.argmin())} is not; several labels in a row, and "
            "continuous targets, must be floating-point: targets.astype('float32')"
        )
    if names is not None and len(names) != classes:
        raise DataError(
            f"one-hot targets of shape {array.shape} need {classes} names, got {listed(names)}"
        )
    if names is not None and learned is not None and names != learned:
        raise DataError(
            f"the columns of one-hot targets must be the class names in the same order, "
            f"{listed(names)}, got {listed(learned)}: reorder them, or pass the columns without "
            "names, targets.to_numpy()"
        )
    known = names or learned or tuple(str(index) for index in range(classes))
    return array.argmax(axis=1).astype(np.int64), known


def _classes(array: Array, names: tuple[str, ...] | None) -> Targets:
    """Return integer classes, shape (n,), after a check of their range."""
    if not array.size:
        return array.astype(np.int64), names or ()
    low, high = int(array.min()), int(array.max())
    if names is None:
        names = _counted(array, low, high)
    if low < 0 or high >= len(names):
        own_names = {str(label) for label in np.unique(array).tolist()} <= set(names)
        hint = "; to match labels by name, pass targets.astype(str)" if own_names else ""
        raise DataError(
            f"targets must lie in 0..{len(names) - 1} (there are {len(names)} class names), got "
            f"{low}..{high}{hint}"
        )
    return array.astype(np.int64, copy=False), names


def _counted(array: Array, low: int, high: int) -> tuple[str, ...]:
    """Return the names "0" to the largest class, if every class occurs."""
    distinct = np.unique(array)
    if low == 0 and high == len(distinct) - 1:
        return tuple(map(str, range(high + 1)))
    shown = listed(map(str, distinct[:9].tolist()), 8)
    raise DataError(
        f"integer targets without class_names must be 0 to k - 1, each at least once, got {shown}: "
        "pass class_names if some classes do not occur (class_names=train.class_names for "
        "validation rows), or targets.astype(str) to have labels numbered; " + FOR_REGRESSION
    )
