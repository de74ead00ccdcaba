"""The columns of an estimator: learned by a fit, and encoded for its predictions."""

from collections.abc import Mapping
from typing import Any

from sklearn.utils.validation import validate_data

from handloom.data.columns import Columns
from handloom.data.table_target import TableTarget
from handloom.estimators.column_options import ColumnOptions
from handloom.estimators.raw_rows import RawRows, raw_rows


class RawColumnsMixin:
    """The part of an estimator that knows its columns, with ``categorical_features`` or without."""

    categorical_features: Any
    categorical_encoding: str
    columns_: Columns
    _column_options: ColumnOptions | None = None

    @property
    def _columns(self) -> Columns | None:
        """The columns of raw rows; None without ``categorical_features``."""
        return getattr(self, "columns_", None)

    def _learn_columns(
        self, rows: RawRows | None, target: TableTarget | None, *, continued: bool
    ) -> None:
        """Set ``columns_`` to the encoding learned from raw rows; a continued fit keeps it."""
        options = None if rows is None else ColumnOptions.of(self, rows.names)
        if continued:
            if options != self._column_options:
                raise ValueError(
                    "'categorical_features' and 'categorical_encoding' must be as in the fit that "
                    "is continued (warm_start=True, or partial_fit): fit a new estimator, or set "
                    "warm_start=False"
                )
            return
        self.__dict__.pop("columns_", None)
        self._column_options = options
        if rows is not None and options is not None:
            self.columns_ = options.learn(rows, target)

    def _column_names(self) -> tuple[str, ...] | None:
        """Return the names of the columns of flat rows, if they have names."""
        if self._columns is not None:
            return self._columns.names
        named = getattr(self, "feature_names_in_", None)
        return None if named is None else tuple(named.tolist())

    @property
    def _embedded(self) -> Mapping[int, int]:
        """The columns of indices, each with the number of its categories."""
        return {} if self._columns is None else self._columns.embedded

    def _flat_rows(self, X: Any, dtype: Any) -> Any:
        """Return checked rows to predict, shape (n, d): an array, or a CSR matrix."""
        if self._columns is None:
            return validate_data(self, X, accept_sparse="csr", dtype=dtype, reset=False)
        return raw_rows(self, X, reset=False).encoded(self._columns)
