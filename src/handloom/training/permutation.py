"""Permutation importance: how much worse a model predicts without the order of a column."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.data.input_columns import InputColumn
from handloom.errors import ConfigurationError, ModelError, require_count
from handloom.markup import render, table
from handloom.model import Model
from handloom.randomness import Purpose, Stream
from handloom.text import printable
from handloom.training.datasets import require_dataset, require_model
from handloom.training.evaluation import evaluate
from handloom.training.table_outputs import (
    column_named,
    columns_of_table,
    sample_of,
    without_divergence_warnings,
)

Floats = npt.NDArray[np.float64]

MOST_SHOWN = 30
"""The largest number of columns that a notebook shows."""


@dataclass(frozen=True, eq=False)
class PermutationImportance:
    """The importance of each column of a table for the predictions of a model.

    Attributes
    ----------
    columns : tuple of str, length c
        The names of the columns, as in the raw table.
    losses : array of float64, shape (c, repetitions)
        The increase of the loss by each permutation of a column: of the mean cross-entropy, or of
        the mean squared error in the units of the target.
    scores : array of float64, shape (c, repetitions)
        The decrease of the accuracy, or of R^2.
    score : {"accuracy", "R^2"}
        The name of the score.
    loss_before, score_before : float
        The loss and the score of the rows as they are.
    rows : int
        The number of rows that were predicted.
    """

    columns: tuple[str, ...]
    losses: Floats
    scores: Floats
    score: Literal["accuracy", "R^2"]
    loss_before: float
    score_before: float
    rows: int

    @property
    def mean(self) -> Floats:
        """The mean increase of the loss over the repetitions, shape (c,)."""
        mean: Floats = self.losses.mean(axis=1)
        return mean

    @property
    def std(self) -> Floats:
        """The sample standard deviation of single repetitions, shape (c,); NaN of a single one."""
        deviation: Floats = standard_error(self.losses) * np.sqrt(self.losses.shape[1])
        return deviation

    @property
    def standard_error(self) -> Floats:
        """The standard error of the mean over the repetitions, shape (c,); NaN of a single one.

        It is of the orders alone: the rows are the same, and others would have another importance.
        """
        return standard_error(self.losses)

    @property
    def order(self) -> npt.NDArray[np.intp]:
        """The indices of the columns, the most important one first; shape (c,)."""
        return np.argsort(-self.mean, kind="stable")

    def __repr__(self) -> str:
        leading = [f"{self.columns[i]} {self.mean[i]:.4g}" for i in self.order[:3]]
        more = ", ..." if len(self.columns) > len(leading) else ""
        return (
            f"PermutationImportance({len(self.columns)} columns, increase of the loss: "
            f"{', '.join(map(printable, leading))}{more})"
        )

    def _repr_html_(self) -> str:
        """Return the columns with their importance, as a notebook shows them."""
        figures = zip(self.mean, self.standard_error, self.scores.mean(axis=1), strict=True)
        texts = [(f"{mean:.4g}", _shown(error), f"{score:z.3f}") for mean, error, score in figures]
        head = ("column", "increase of the loss", "± (standard error)", f"decrease of {self.score}")
        shown = self.order[:MOST_SHOWN]
        caption = (
            f"Permutation importance, {self.rows:,} rows, {self.losses.shape[1]} random orders"
        )
        if len(shown) < len(self.columns):
            caption += f"; the first {len(shown)} of {len(self.columns)} columns"
        return render(table(head, [(self.columns[i], *texts[i]) for i in shown], caption))


def _shown(error: float) -> str:
    return "-" if np.isnan(error) else f"{error:.2g}"


def standard_error(values: Floats) -> Floats:
    """Return the standard error of the mean of each row, shape (c,), of values of shape (c, r)."""
    repetitions = values.shape[1]
    if repetitions < 2:
        return np.full(len(values), np.nan)
    error: Floats = values.std(axis=1, ddof=1) / np.sqrt(repetitions)
    return error


def permutation_importance(
    model: Model,
    data: Dataset,
    columns: Iterable[str] | None = None,
    *,
    repeats: int = 5,
    max_rows: int = 2_000,
    seed: int = 0,
) -> PermutationImportance:
    """Return how much worse a model predicts if the values of one column are permuted.

    With the loss ``L`` of rows ``X``, and the rows ``P_j X`` in which the values of column ``j``
    have another order, the importance of ``j`` is the mean over random orders of
    ``L(P_j X) - L(X)``. A column that the network does not use has 0. Columns that tell the same
    share their importance, or hide that of each other, since the network still has the other one.

    All columns of flat rows that a column of the table became are permuted together: its
    categories, and whether its value is missing.

    Parameters
    ----------
    model : Model
    data : Dataset
        Flat rows that were not trained on, shape (n, d), of classes or continuous targets.
    columns : iterable of str, optional
        The columns of the table, by default all.
    repeats : int
        The number of random orders of each column.
    max_rows : int
        The largest number of rows to use, drawn if there are more.
    seed : int
        The seed of rows and orders, zero or more.

    Returns
    -------
    PermutationImportance

    Raises
    ------
    ConfigurationError
        If an argument is invalid, or a column is unknown.
    DataError, ModelError
        If rows are not flat, or as `handloom.evaluate`.

    References
    ----------
    Breiman, "Random Forests", Machine Learning 45, 2001, on trees; Fisher, Rudin, Dominici, "All
    Models are Wrong, but Many are Useful: Learning a Variable's Importance by Studying an Entire
    Class of Prediction Models Simultaneously", JMLR 20, 2019, on any model.
    """
    require_model(model)
    require_dataset("data", data)
    require_count("repeats", repeats)
    require_count("max_rows", max_rows, minimum=2)
    stream = Stream(seed).at(Purpose.PERMUTE)
    known = columns_of_table(model, data)
    chosen = known if columns is None else _named(known, columns)
    data = sample_of(data, max_rows, stream)
    before, score = _measured(model, data)
    measured = np.array(
        [
            [
                _permuted(model, data, each, stream.at(each.start, repetition))
                for repetition in range(repeats)
            ]
            for each in chosen
        ]
    )
    loss, correct = before
    return PermutationImportance(
        tuple(each.name for each in chosen),
        measured[:, :, 0] - loss,
        correct - measured[:, :, 1],
        score,
        loss,
        correct,
        len(data),
    )


def _named(known: tuple[InputColumn, ...], names: Iterable[str]) -> tuple[InputColumn, ...]:
    chosen = tuple(
        column_named(known, name) for name in ([names] if isinstance(names, str) else names)
    )
    if not chosen:
        raise ConfigurationError("columns must name at least one column, got none")
    return chosen


def _permuted(
    model: Model, data: Dataset, column: InputColumn, stream: Stream
) -> tuple[float, float]:
    """Return loss and score after one permutation of a column."""
    inputs = np.array(data.inputs[:])
    inputs[:, column.flat] = inputs[stream.generator().permutation(len(data)), column.flat]
    with without_divergence_warnings():
        return _measured(
            model,
            Dataset(
                inputs,
                data.targets,
                data.class_names,
                data.name,
                data.column_names,
                columns=data.columns,
            ),
        )[0]


def _measured(
    model: Model, data: Dataset
) -> tuple[tuple[float, float], Literal["accuracy", "R^2"]]:
    """Return loss and score of rows, and the name of the score."""
    evaluation = evaluate(model, data)
    if evaluation.quantiles is not None:
        raise ModelError("the importance of columns is not measured for several quantiles")
    if evaluation.regression is None:
        return (evaluation.loss, evaluation.accuracy), "accuracy"
    return (evaluation.regression.mse, evaluation.regression.r2), "R^2"
