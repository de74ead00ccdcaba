"""ColumnEncoding: the learned encoding of one column of a table, and its columns in flat rows."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from handloom.data.cells import Cells
from handloom.data.text_index import TextIndex
from handloom.errors import (
    ConfigurationError,
    require_bool,
    require_count,
    require_known,
    require_number,
)

Kind = Literal["number", "category", "boolean"]

MISSING, UNSEEN, FIRST_CATEGORY = 0, 1, 2
"""The indices of an embedded column: of missing values, of unseen ones, of the first category."""


@dataclass(frozen=True)
class ColumnEncoding:
    """The encoding of a column, learned from the training rows.

    Numbers, and booleans as 0 and 1, are standardized; missing ones become 0, the mean. A category
    becomes 1 in a column of its own, or its index in the only column if it is embedded.

    Parameters
    ----------
    name : str
    kind : {"number", "category", "boolean"}
    missing : int
        The number of training rows without a value. If there are any, a further column is 1 in
        rows without a value, and else 0; an embedded column has an index for them.
    mean, scale : float
        The mean and the standard deviation of the numbers. A scale of 0 stands for a constant
        column, of which only the column of missing values remains.
    categories : tuple of str
        The categories in their order.
    embedded : bool
        Whether the column becomes indices: 0 for a missing value, 1 for an unseen one, and from 2
        on the categories.
    low, high : float or None
        The smallest and the largest number; None for categories.

    Raises
    ------
    ConfigurationError
        If a value is invalid.
    """

    name: str
    kind: Kind
    missing: int = 0
    mean: float = 0.0
    scale: float = 0.0
    categories: tuple[str, ...] = ()
    embedded: bool = False
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ConfigurationError(f"the name of a column must be a text, got {self.name!r}")
        column = f"of column {self.name!r}"
        require_known(f"kind {column}", self.kind, get_args(Kind))
        require_count(f"missing {column}", self.missing, minimum=0)
        require_number(f"mean {column}", self.mean)
        require_number(f"scale {column}", self.scale, minimum=0.0)
        require_bool(f"embedded {column}", self.embedded)
        if self.low is not None or self.high is not None:
            low = require_number(f"low {column}", self.low)
            require_number(f"high {column}", self.high, minimum=low)
        texts = all(isinstance(each, str) for each in self.categories)
        if not texts or len(set(self.categories)) < len(self.categories):
            raise ConfigurationError(f"categories {column} must be different texts")
        if (self.kind == "category") != bool(self.categories):
            raise ConfigurationError(f"categories {column} do not fit its kind {self.kind}")
        if self.embedded and self.kind != "category":
            raise ConfigurationError(f"embedded {column} must be false for its kind {self.kind}")
        if not self.names:
            raise ConfigurationError(f"column {self.name!r} is constant, without missing values")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns in flat rows."""
        if self.embedded:
            return (self.name,)
        indicator = [f"{self.name} is missing"] * bool(self.missing)
        if self.kind == "category":
            return (*(f"{self.name}={category}" for category in self.categories), *indicator)
        return (*[self.name] * bool(self.scale), *indicator)

    @cached_property
    def _index(self) -> TextIndex:
        return TextIndex(self.categories, FIRST_CATEGORY)

    def indices(self, cells: Cells) -> npt.NDArray[np.int64]:
        """Return the index of the category of each row, 0 if it is missing and 1 if unseen.

        A number may be written in several ways; see `handloom.data.text_index.TextIndex`.
        """
        labels = [self._index.get(text) or UNSEEN for text in cells.texts.tolist()]
        return np.where(cells.missing, MISSING, np.array(labels, np.int64))

    def far_outside(self, cells: Cells) -> npt.NDArray[np.bool_]:
        """Return which numbers are farther outside of the training range than it is wide.

        Of normal numbers a thousand training rows span about 6 standard deviations, so such a
        number is about 10 from the mean. The range, unlike the deviation, is right for rare values
        too: no training row is ever outside, and a single 1 among thousands of 0 is not far.
        """
        low, high = self.limits
        return ((cells.values < low) | (cells.values > high)) & ~cells.missing

    @property
    def limits(self) -> tuple[float, float]:
        """The numbers beyond which others are far outside; infinite if their range is unknown."""
        if self.kind != "number" or not self.scale or self.low is None or self.high is None:
            return -math.inf, math.inf
        width = self.high - self.low
        return self.low - width, self.high + width

    def write(self, cells: Cells, out: npt.NDArray[np.float32]) -> None:
        """Write the columns of the rows into ``out``, shape (n, columns)."""
        if self.kind == "category":
            indices = self.indices(cells)
            if self.embedded:
                out[:, 0] = indices
                return
            out[:, : len(self.categories)] = indices[:, None] == np.arange(
                FIRST_CATEGORY, FIRST_CATEGORY + len(self.categories)
            )
        elif self.scale:
            with np.errstate(over="ignore"):  # infinity is refused with the name of the column
                standardized = (cells.values - self.mean) / self.scale
                out[:, 0] = np.where(cells.missing, 0.0, standardized)
        if self.missing:
            out[:, -1] = cells.missing

    def to_json(self) -> dict[str, Any]:
        """Return the encoding as a JSON object."""
        return {**asdict(self), "categories": list(self.categories)}

    @classmethod
    def from_json(cls, values: object) -> Self:
        """Return the encoding that `to_json` described.

        Raises
        ------
        ConfigurationError
            If a value is missing, unknown or invalid.
        """
        if isinstance(values, dict):  # columns that were saved before had no range
            values = {"low": None, "high": None, **values}
        described = closed_object("a column", values, cls.__dataclass_fields__)
        return cls(**{**described, "categories": text_list("categories", described["categories"])})


def closed_object(name: str, values: object, entries: Iterable[str]) -> dict[str, Any]:
    """Return a JSON object after a check that it has exactly some entries.

    Raises
    ------
    ConfigurationError
        If it has others.
    """
    if not isinstance(values, dict) or set(values) != set(entries):
        received = ", ".join(map(str, values)) if isinstance(values, dict) else repr(values)
        raise ConfigurationError(f"{name} must hold {', '.join(entries)}, got {received[:200]}")
    return values


def text_list(name: str, values: object) -> tuple[str, ...]:
    """Return a JSON list of texts as a tuple.

    Raises
    ------
    ConfigurationError
        If it is none.
    """
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise ConfigurationError(f"{name} must be a list of texts, got {values!r:.200}")
    return tuple(values)
