"""The encoding that ``categorical_features`` and ``categorical_encoding`` choose."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from handloom.data.column_learning import learn_inputs
from handloom.data.column_statistics import ColumnStatistics, Remedies
from handloom.data.columns import Columns
from handloom.data.table import require_columns
from handloom.data.table_target import TableTarget
from handloom.errors import ConfigurationError, DataError
from handloom.estimators.raw_rows import RawRows, tell

FROM_DTYPE: Literal["from_dtype"] = "from_dtype"

REMEDIES = Remedies(
    leave_out="leave it out of X",
    categorical="name it in categorical_features",
    embed="set categorical_encoding='embed'",
)


@dataclass(frozen=True)
class ColumnOptions:
    """Which columns are categories, and how they are encoded.

    Attributes
    ----------
    categorical : tuple of bool, length d, or "from_dtype"
        Whether each column holds categories; or all columns of texts and categories.
    embedded : bool
        Whether categories become indices for an `handloom.Embedding`.
    """

    categorical: tuple[bool, ...] | Literal["from_dtype"]
    embedded: bool = False

    @classmethod
    def of(cls, estimator: Any, names: Sequence[str]) -> Self:
        """Return the options of an estimator for columns of these names.

        Raises
        ------
        ConfigurationError
            If ``categorical_features`` is no mask, no list of names and none of indices, or names
            an unknown column.
        """
        embedded = estimator.categorical_encoding == "embed"
        features = estimator.categorical_features
        if isinstance(features, str):  # the constraints allow one text only
            return cls(FROM_DTYPE, embedded)
        return cls(_mask(list(features), names), embedded)

    def learn(self, rows: RawRows, target: TableTarget | None = None) -> Columns:
        """Return the encoding learned from training rows, and warn of doubtful columns.

        The target is that of the table, unless one of the columns has its name.

        Raises
        ------
        DataError
            If a column cannot be used, or holds texts and is not named as categorical.
        """
        where = f"{rows.argument}: "
        mask = self.categorical
        statistics = {
            name: ColumnStatistics(name, where, mask != FROM_DTYPE and bool(mask[index]), REMEDIES)
            for index, name in enumerate(rows.names)
        }
        for name, each in statistics.items():
            each.add(rows.chunk)
            if each.kind == "category" and not each.categorical and mask != FROM_DTYPE:
                raise DataError(
                    f"{where}column {name!r} holds texts or categories, but is not among "
                    f"categorical_features: name it there, set {FROM_DTYPE!r}, or leave it out"
                )
        inputs, constant = learn_inputs(statistics, self._embeds, where=where, tell=tell)
        if target is not None and target.name in rows.names:
            target = None
        return Columns(inputs, constant, target, len(rows))

    def _embeds(self, _: str, kind: str) -> bool:
        """Return whether a column of a kind becomes indices."""
        return self.embedded and kind == "category"


def _mask(features: list[Any], names: Sequence[str]) -> tuple[bool, ...]:
    """Return whether each column is among the features: a mask, names or indices."""
    if all(isinstance(each, bool | np.bool_) for each in features) and features:
        if len(features) != len(names):
            raise ConfigurationError(
                f"'categorical_features' as a mask must have an entry for each of the "
                f"{len(names)} columns, got {len(features)}"
            )
        return tuple(map(bool, features))
    if all(isinstance(each, str) for each in features):
        require_columns(features, names, "'categorical_features'", "")
        return tuple(name in features for name in names)
    whole = all(
        isinstance(each, int | np.integer) and not isinstance(each, bool) for each in features
    )
    if not whole:
        raise ConfigurationError(
            "'categorical_features' must be 'from_dtype', or the names, the indices or a mask of "
            f"columns, got {features!r}"
        )
    for index in features:
        if not 0 <= index < len(names):
            raise ConfigurationError(
                f"the indices in 'categorical_features' must be from 0 to {len(names) - 1}, "
                f"got {index}"
            )
    return tuple(index in features for index in range(len(names)))
