"""Raw rows of an estimator: texts, categories and missing values, before they are encoded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import validate_data

from handloom.data.columns import Columns
from handloom.data.frames import FRAMES, Column, columns_of, is_instance
from handloom.data.table import Chunk, MemoryTable, checked_names
from handloom.errors import DataError, DataWarning
from handloom.estimators.warn import warn


@dataclass(frozen=True)
class RawRows:
    """Rows of a frame, or of an array of any dtype, of which some can be taken.

    Parameters
    ----------
    chunk : Chunk
        The columns by name, in their order.
    argument : str
        The argument that they are, for messages: ``"X"`` or ``"X_val"``.
    """

    chunk: Chunk
    argument: str = "X"

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and of columns."""
        return len(self.chunk), len(self.chunk.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.chunk.columns)

    def __len__(self) -> int:
        return len(self.chunk)

    def __getitem__(self, rows: npt.NDArray[np.integer]) -> "RawRows":
        return replace(self, chunk=self.chunk.take(rows))

    def encoded(self, columns: Columns) -> npt.NDArray[np.float32]:
        """Return flat rows, shape (n, d), and warn of those that are unlike the training rows.

        Raises
        ------
        DataError
            If a column holds texts in place of numbers, or infinity.
        """
        table = MemoryTable(self.chunk, self.names, where=f"{self.argument}: ")
        (rows,) = columns.encoded(table, tell=tell)
        return rows


def raw_rows(estimator: Any, X: Any, *, reset: bool, argument: str = "X") -> RawRows:
    """Return the raw rows of an argument, after scikit-learn's checks of its columns.

    Columns are taken by position. They have the names of the estimator's ``feature_names_in_``, or
    ``"x0"``, ``"x1"``, ...

    Parameters
    ----------
    estimator : estimator
        The number and the names of its columns are set, or compared.
    X : frame or array, shape (n, d)
    reset : bool
        Whether columns are set, not compared.
    argument : str
        The argument's name, for messages.

    Raises
    ------
    ValueError
        If they have other columns than in the fit.
    DataError
        If they are a sparse matrix, have no rows, or not two dimensions.
    """
    if hasattr(X, "toarray"):
        raise DataError(
            f"{argument} must be a frame or an array with categorical_features, got a sparse "
            "matrix: encode the categories before, and set categorical_features=None"
        )
    is_frame = is_instance(X, *FRAMES)
    if not is_frame:
        X = np.array(X, object) if isinstance(X, list | tuple) else np.asarray(X)
    if not is_frame and X.ndim != 2:
        raise DataError(
            f"Expected 2D array, got {X.ndim}D array instead: {argument} must have rows and "
            "columns; pass X.reshape(-1, 1) if there is a single column"
        )
    if X.shape[0] < 1 or X.shape[1] < 1:
        raise DataError(f"{argument} must have at least one row and one column, got {X.shape}")
    validate_data(estimator, X, skip_check_array=True, reset=reset)
    columns = columns_of(X) if is_frame else _columns_of_array(X)
    named = getattr(estimator, "feature_names_in_", None)
    names = [f"x{index}" for index in range(len(columns))] if named is None else list(named)
    checked_names(names, f"{argument}: ")
    by_name = {
        name: replace(column, name=name) for name, column in zip(names, columns, strict=True)
    }
    return RawRows(Chunk(by_name, np.arange(X.shape[0])), argument)


def _columns_of_array(X: npt.NDArray[Any]) -> Sequence[Column]:
    complete = np.zeros(len(X), bool)
    return [Column(None, column, complete, str(X.dtype)) for column in X.T]


def tell(note: str) -> None:
    """Issue a note as a `DataWarning`, which filters for scikit-learn's perceptrons silence."""
    warn(note, DataWarning)
