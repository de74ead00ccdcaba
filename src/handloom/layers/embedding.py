"""Embedding: columns of category indices, replaced by learned vectors."""

from __future__ import annotations  # numpy.random is loaded when it is used

import math
from collections.abc import Iterable, Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from handloom.arguments import BY_POSITION
from handloom.errors import (
    ConfigurationError,
    DataError,
    ModelError,
    require_count,
    require_number,
)
from handloom.initializers import Initializer, initializer, initializer_config
from handloom.layers.base import Layer
from handloom.parameters import Array, ParameterSpec

FIRST_CATEGORY = 2
"""The index of the first category: 0 is a missing value, 1 a category that was not seen."""

MOST_INDICES = 1 << 24
"""The largest number of indices of a column: float32 is exact for whole numbers up to 2^24."""


def default_width(categories: int) -> int:
    """Return the width of a vector: ``1.6 categories^0.56`` rounded, at most 600.

    It is the rule of thumb in fastai's documentation of ``emb_sz_rule`` (Howard, Gugger, "fastai: A
    Layered API for Deep Learning", Information 11, 2020, has the library, not the rule), which
    counts the missing value as a category. A file stores a width only if one was chosen, so the
    rule must stay.
    """
    return min(600, round(1.6 * math.pow(categories, 0.56)))


class Embedding(Layer):
    """Replaces columns of category indices by learned vectors, and passes the other columns on.

    Each index column ``c`` has a table ``E_c``, with a row for each index. Forward and, given
    ``dy``, backward, for rows ``i`` with the index columns ``a``, ``b``, ...::

        y_i     = [E_a[x_ia], E_b[x_ib], ..., the other columns of x_i]
        dE_c[e] = sum of the part of dy_i for c, over the rows i with x_ic = e
        dx      = the part of dy for the other columns; 0 for index columns

    A row of ``y`` begins with the vectors, in the order of their columns, as one block; the other
    columns follow in their order. ``E_c`` is ``self.weights["column_<c>"]``.

    A column with ``k`` categories has ``k + 2`` indices: 0 for a missing value, 1 for a category
    that was not seen in training, and 2 to ``k + 1`` for the categories. The vector of an index
    that no training row has keeps its initial value, which by default is close to zero, unless
    there is a penalty. Tables do not count as matrices: `handloom.Muon` updates them by AdamW, and
    weight decay leaves them out, so that it does not shrink vectors of rare categories in every
    step.

    Indices are whole numbers in floating point, as the other columns. They need a transform that
    leaves them as they are, such as `handloom.data.AsFloat`. The layer is the first of a network.

    Parameters
    ----------
    columns : mapping of int to int
        The number of categories of each index column, by its position in a row, counted from 0; or
        pairs of both.
    width : int, optional
        The width of every vector; by default that of `default_width` for each column.
    weights : str, dict or Initializer
        The initializer of the vectors: its name, its configuration, or an object; by default
        ``N(0, 0.01^2)``, the scale of fastai. It is kept as ``self.initializer``.
    weights_l1, weights_l2 : float
        The strengths of the penalty ``l1 * sum |w| + l2 * sum w^2`` of each table, at least 0.

    Raises
    ------
    ConfigurationError
        If a column, a number of categories or an option is invalid.

    References
    ----------
    Guo, Berkhahn, "Entity Embeddings of Categorical Variables", 2016, arXiv 1604.06737.
    """

    kind = "embedding"

    _argument_advice: ClassVar[Mapping[str, str]] = {
        **Layer._argument_advice,
        **dict.fromkeys(
            ("num_embeddings", "input_dim", "vocabulary_size"),
            "The numbers of categories are in columns: Embedding({0: 12})",
        ),
        **dict.fromkeys(
            ("embedding_dim", "output_dim"), "The width of every vector is width: width=8"
        ),
        "padding_idx": "Missing values have the index 0, and a vector of their own",
        BY_POSITION: "Write Embedding({0: 12}, width=8), with the number of categories of column 0",
    }

    def __init__(
        self,
        columns: Mapping[int, int] | Iterable[tuple[int, int]],
        *,
        width: int | None = None,
        weights: str | dict[str, object] | Initializer = "scaled_normal",
        weights_l1: float = 0.0,
        weights_l2: float = 0.0,
    ) -> None:
        super().__init__()
        self.columns = _checked(columns)
        self.index_columns = tuple(self.columns)
        self.width = None if width is None else require_count("width", width)
        self.initializer = initializer(weights)
        self.weights_l1 = require_number("weights_l1", weights_l1, minimum=0.0)
        self.weights_l2 = require_number("weights_l2", weights_l2, minimum=0.0)
        self._sizes = np.array([FIRST_CATEGORY + count for count in self.columns.values()])
        self._parts = _parts(self.width or default_width(k) for k in self.columns.values())
        self._passed_on = _between(self.index_columns)

    def declare(self, input_shape: tuple[int, ...]) -> dict[str, ParameterSpec]:
        """Declare a table ``"column_<c>"`` for each index column, for input rows of shape (d,).

        Raises
        ------
        ModelError
            If an input row is not flat, or has no such column.
        """
        if len(input_shape) != 1:
            raise ModelError(f"embedding: an input row must be flat, got shape {input_shape}")
        if self.index_columns[-1] >= input_shape[0]:
            raise ModelError(
                f"embedding: columns must be below {input_shape[0]}, the number of columns of an "
                f"input row, got column {self.index_columns[-1]}"
            )
        return {
            _name(column): ParameterSpec(
                (int(size), part.stop - part.start),
                self.initializer,
                l1=self.weights_l1,
                l2=self.weights_l2,
                elementwise=True,
            )
            for column, size, part in zip(self.index_columns, self._sizes, self._parts, strict=True)
        }

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the width of all vectors plus the number of other columns."""
        return (self._parts[-1].stop + input_shape[0] - len(self.columns),)

    def multiplications(self, input_shape: tuple[int, ...]) -> int:
        """Return 0: vectors are looked up."""
        return 0

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments as JSON-serializable values."""
        return {
            "columns": [list(pair) for pair in self.columns.items()],
            "width": self.width,
            "weights": initializer_config(self.initializer),
            "weights_l1": self.weights_l1,
            "weights_l2": self.weights_l2,
        }

    def forward(
        self,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Look up the vectors of each row of ``x``, shape (n, d), and append the other columns.

        Raises
        ------
        ModelError
            If the layer is not built, or ``x`` has too few columns.
        DataError
            If a value of an index column is not one of its indices.
        """
        if not self.weights:
            raise ModelError("embedding: build the layer before running it")
        if x.ndim != 2 or x.shape[1] <= self.index_columns[-1]:
            raise ModelError(
                f"embedding: expected rows of at least {self.index_columns[-1] + 1} columns, "
                f"got shape {x.shape}"
            )
        indices = self._indices(x)
        self._save_for_backward(x, training)
        tables = [self.weights[_name(column)] for column in self.index_columns]
        y = self._buffer("y", (len(x), *self.output_shape(x.shape[1:])), tables[0].dtype)
        for table, part, own in zip(tables, self._parts, indices.T, strict=True):
            y[:, part] = table[own]
        start = self._parts[-1].stop
        for columns in self._passed_on:
            block = x[:, columns]
            y[:, start : start + block.shape[1]] = block
            start += block.shape[1]
        return y

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Write the gradient of each table; return ``dx``, or None."""
        x = self._saved_array()
        indices = x[:, self.index_columns].astype(np.intp)
        for column, part, own in zip(self.index_columns, self._parts, indices.T, strict=True):
            sum_rows_by_index(dy[:, part], own, out=self.gradients[_name(column)])
        if not need_dx:
            return None
        dx = self._buffer("dx", x.shape, dy.dtype)
        dx[:, self.index_columns] = 0.0
        start = self._parts[-1].stop
        for columns in self._passed_on:
            block = dx[:, columns]
            block[...] = dy[:, start : start + block.shape[1]]
            start += block.shape[1]
        return dx

    def _indices(self, x: Array) -> npt.NDArray[np.intp]:
        """Return the values of the index columns as indices, shape (n, m).

        Raises
        ------
        DataError
            If one is no whole number, or out of range.
        """
        values = x[:, self.index_columns]
        with np.errstate(invalid="ignore"):  # NaN and infinity become an index that differs
            indices = values.astype(np.intp)
        valid = (indices == values) & (indices >= 0) & (indices < self._sizes)
        if not valid.all():
            row, j = np.argwhere(~valid)[0]
            raise DataError(
                f"embedding: column {self.index_columns[j]} must hold whole numbers from 0 to "
                f"{self._sizes[j] - 1} (0 for a missing value, 1 for an unseen category, then the "
                f"categories), got {values[row, j]:.9g}"
            )
        return indices


def sum_rows_by_index(rows: Array, indices: npt.NDArray[np.intp], *, out: Array) -> None:
    """Write the sum of the rows of each index, in float64, to that row of ``out``.

    Parameters
    ----------
    rows : array, shape (n, w)
    indices : array, shape (n,)
        From 0 to k - 1.
    out : array, shape (k, w)
        Zero for an index without rows.
    """
    entries = indices[:, None] * out.shape[1] + np.arange(out.shape[1])
    out[...] = np.bincount(entries.ravel(), rows.ravel(), out.size).reshape(out.shape)


def _name(column: int) -> str:
    return f"column_{column}"


def _checked(columns: object) -> dict[int, int]:
    """Return the number of categories of each index column, sorted by column."""
    pairs = list(columns.items() if isinstance(columns, Mapping) else _pairs(columns))
    if not pairs:
        raise ConfigurationError("columns must name at least one index column, got none")
    checked: dict[int, int] = {}
    for key, count in pairs:
        column = require_count("a column in columns", key, minimum=0)
        if column in checked:
            raise ConfigurationError(f"columns must name each column once, got {column} twice")
        checked[column] = require_count(f"the number of categories of column {column}", count)
        if checked[column] > MOST_INDICES - FIRST_CATEGORY:
            raise ConfigurationError(
                f"the number of categories of column {column} must be at most "
                f"{MOST_INDICES - FIRST_CATEGORY:,}, since indices are exact in float32 only up to "
                f"2^24, got {count:,}"
            )
    return dict(sorted(checked.items()))


def _pairs(columns: object) -> list[tuple[object, object]]:
    try:
        return [(column, count) for column, count in columns]  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"columns must be a mapping from index columns to numbers of categories, such as "
            f"{{0: 12}}, got {columns!r}"
        ) from None


def _parts(widths: Iterable[int]) -> list[slice]:
    """Return consecutive slices of these widths, from 0."""
    parts, start = [], 0
    for width in widths:
        parts.append(slice(start, start + width))
        start += width
    return parts


def _between(columns: tuple[int, ...]) -> list[slice]:
    """Return the blocks of columns that are not among ``columns``, the last one open."""
    starts = (0, *(column + 1 for column in columns))
    stops = (*columns, None)
    return [
        slice(start, stop)
        for start, stop in zip(starts, stops, strict=True)
        if stop is None or start < stop
    ]
