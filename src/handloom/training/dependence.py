"""Partial dependence: how the predictions of a model depend on one column of a table."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.charts.small_chart import Line, small_chart
from handloom.data.column_encoding import FIRST_CATEGORY, MISSING
from handloom.data.dataset import Dataset
from handloom.data.input_columns import InputColumn, Rows
from handloom.errors import require_count
from handloom.markup import render, table
from handloom.model import Model
from handloom.randomness import Purpose, Stream
from handloom.text import printable
from handloom.training.datasets import require_dataset, require_model
from handloom.training.table_outputs import (
    column_named,
    columns_of_table,
    output_names,
    outputs_in_units,
    sample_of,
)

Floats = npt.NDArray[np.floating]

OUTER = 0.025
"""The fraction of rows below the first value of a grid, and of those above its last one."""

DECILES = tuple(tenth / 10 for tenth in range(1, 10))
"""The quantiles that show where the values of the rows are."""

MOST_SHOWN = 4
"""The largest number of outputs that a notebook shows."""

NO_VALUE = "no value"
"""The text of a missing value among categories."""


@dataclass(frozen=True, eq=False)
class PartialDependence:
    """The dependence of predictions on one column of a table.

    Attributes
    ----------
    column : str
        The name of the column, as in the raw table.
    values : array of float64 or of str, shape (g,)
        The values that the column was set to: ascending numbers, or categories as texts, the most
        frequent one first, and a missing value last.
    outputs : tuple of str, length k
        The names of the classes, or of the continuous outputs.
    predictions : array, shape (g, n, k)
        The predictions of each row with each value: probabilities, or values in the units of the
        target. ``predictions[:, i]`` are the curves of row ``i`` alone (individual conditional
        expectation).
    rows_at : array of float64
        Of numbers: their deciles in all rows of the dataset, from 10 to 90 %, shape (9,). Of
        categories, and of booleans: the fraction of all rows that have each, shape (g,).
    missing : array, shape (k,), or None
        The mean prediction without a value, if flat rows of numbers tell missing values.
    categories : int
        The number of categories of the column, of which ``values`` has the most frequent ones; 0
        of numbers and booleans.
    """

    column: str
    values: npt.NDArray[Any]
    outputs: tuple[str, ...]
    predictions: Floats
    rows_at: npt.NDArray[np.float64]
    missing: Floats | None = None
    categories: int = 0

    @property
    def mean(self) -> Floats:
        """The partial dependence: the mean prediction over the rows, shape (g, k)."""
        mean: Floats = self.predictions.mean(axis=1)
        return mean

    @property
    def of_numbers(self) -> bool:
        """Whether the values are numbers."""
        return self.values.dtype.kind == "f"

    def _repr_html_(self) -> str:
        """Return the mean predictions, as a notebook shows them: a chart, or a table of texts."""
        k = min(len(self.outputs), MOST_SHOWN)
        few = f"; the first {k} of {len(self.outputs)} outputs" if k < len(self.outputs) else ""
        if self.of_numbers:
            lines = [
                Line(name, self.values.tolist(), self.mean[:, index].tolist())
                for index, name in enumerate(self.outputs[:k])
            ]
            title = f"mean prediction of {self.predictions.shape[1]:,} rows{few}"
            return render(small_chart(title, lines, x_label=self.column))
        rows = [
            [value, f"{100 * share:.1f} %", *(f"{each:.4g}" for each in mean[:k])]
            for value, share, mean in zip(self.values, self.rows_at, self.mean, strict=True)
        ]
        caption = f"Mean predictions of {self.predictions.shape[1]:,} rows by {self.column}{few}"
        if self.categories > len(rows):
            caption += f"; the most frequent of {self.categories:,} categories"
        return render(table([self.column, "of the rows", *self.outputs[:k]], rows, caption))

    def __repr__(self) -> str:
        return (
            f"PartialDependence({printable(self.column)!r}, {len(self.values)} values, "
            f"{self.predictions.shape[1]:,} rows, {len(self.outputs)} outputs)"
        )


def partial_dependence(
    model: Model,
    data: Dataset,
    column: str,
    *,
    points: int = 20,
    max_rows: int = 300,
    seed: int = 0,
) -> PartialDependence:
    """Return how the predictions of a model depend on one column, all else being as it is.

    For each value ``v`` of a grid, the column is set to ``v`` in all rows, and ::

        f(v) = 1 / n  sum_i  prediction of row i with the column set to v

    is the partial dependence. Where columns depend on each other, some of these rows are unlike any
    of the table, and the network has not learned what to predict for them.

    Parameters
    ----------
    model : Model
    data : Dataset
        Flat rows, shape (n, d).
    column : str
        The name of a column of the table; of flat rows without names ``"feature 1"``, ...
    points : int
        The largest number of values: evenly spaced numbers between the 2.5 % and the 97.5 %
        quantile, or the most frequent categories; a missing value is one more.
    max_rows : int
        The largest number of rows to predict, drawn if there are more; the grid is of all rows.
    seed : int
        The seed of the rows that are drawn, zero or more.

    Returns
    -------
    PartialDependence

    Raises
    ------
    ConfigurationError
        If an argument is invalid, or the column is unknown.
    DataError, ModelError
        If rows are not flat, or do not fit the model.

    References
    ----------
    Friedman, "Greedy Function Approximation: A Gradient Boosting Machine", Annals of Statistics 29,
    2001, section 8.2. The curves of single rows: Goldstein, Kapelner, Bleich, Pitkin, "Peeking
    Inside the Black Box: Visualizing Statistical Learning with Plots of Individual Conditional
    Expectation", Journal of Computational and Graphical Statistics 24, 2015.
    """
    require_model(model)
    require_dataset("data", data)
    require_count("points", points, minimum=2)
    require_count("max_rows", max_rows)
    chosen = column_named(columns_of_table(model, data), column)
    model.check_rows(data.inputs)
    rows = np.array(sample_of(data, max_rows, Stream(seed).at(Purpose.PERMUTE)).inputs[:])
    every: Rows = data.inputs[:]
    if chosen.holds_categories:
        return _of_categories(model, chosen, rows, every, points)
    if chosen.is_boolean:
        return _of_booleans(model, chosen, rows, every)
    return _of_numbers(model, chosen, rows, every, points)


def _of_numbers(
    model: Model, column: InputColumn, rows: Rows, every: Rows, points: int
) -> PartialDependence:
    values = column.numbers_of(every)
    present = values[~np.isnan(values)]
    if not len(present):
        present = np.zeros(1) if column.encoding is None else np.array([column.encoding.mean])
    grid = np.unique(present)
    if len(grid) > points:
        low, high = np.quantile(present, (OUTER, 1.0 - OUTER)).tolist()
        grid = np.unique(np.linspace(low, high, points))
    missing = None
    if column.may_be_missing:
        missing = outputs_in_units(model, column.without_value(rows)).mean(axis=0)
    each = [outputs_in_units(model, column.with_number(rows, value)) for value in grid.tolist()]
    deciles = np.quantile(present, DECILES)
    return PartialDependence(
        column.name, grid, output_names(model), np.stack(each), deciles, missing
    )


def _of_booleans(model: Model, column: InputColumn, rows: Rows, every: Rows) -> PartialDependence:
    values = column.numbers_of(every).round()
    with_each = {
        str(bool(value)): (column.with_number(rows, value), values == value) for value in (0.0, 1.0)
    }
    if column.may_be_missing:
        with_each[NO_VALUE] = column.without_value(rows), np.isnan(values)
    return _of_texts(model, column, with_each)


def _of_categories(
    model: Model, column: InputColumn, rows: Rows, every: Rows, points: int
) -> PartialDependence:
    indices = column.indices_of(every)
    counts = np.bincount(indices, minlength=FIRST_CATEGORY + len(column.categories))
    known = np.arange(FIRST_CATEGORY, len(counts))
    frequent = known[np.argsort(-counts[known], kind="stable")[:points]].tolist()
    with_each = {
        column.category(index) or NO_VALUE: (column.with_category(rows, index), indices == index)
        for index in [*frequent, *([MISSING] if column.may_be_missing else [])]
    }
    return replace(_of_texts(model, column, with_each), categories=len(known))


def _of_texts(
    model: Model, column: InputColumn, with_each: Mapping[str, tuple[Rows, npt.NDArray[np.bool_]]]
) -> PartialDependence:
    """Return the dependence on texts, each with the changed rows, and the rows that have it."""
    each = [outputs_in_units(model, changed) for changed, _ in with_each.values()]
    fractions = np.array([float(own.mean()) for _, own in with_each.values()])
    return PartialDependence(
        column.name, np.array(list(with_each)), output_names(model), np.stack(each), fractions
    )
