"""The test rows of the form: their cells, and the true targets in the units of the table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handloom.data.column_encoding import ColumnEncoding
from handloom.data.dataset import Dataset
from handloom.model import Model
from handloom.parameters import Array
from handloom.predictions import both_classes
from handloom.reporting.alive.network_export import predictions
from handloom.reporting.form.cells import Cell, cells_of_row
from handloom.reporting.wording import percent

MOST_ROWS = 50
"""The largest number of test rows in the form."""

MOST_CELLS = 5_000
"""The largest number of their cells."""


@dataclass(frozen=True)
class FilledRow:
    """A test row.

    Attributes
    ----------
    index : int
        In the test rows.
    cells : list of Cell
    truth : list of str
        Its class, or its continuous targets; empty if they do not fit the outputs.
    """

    index: int
    cells: list[Cell]
    truth: list[str]


def filled_rows(model: Model, inputs: Sequence[ColumnEncoding], test: Dataset) -> list[FilledRow]:
    """Return test rows over the whole dataset."""
    most = max(1, min(MOST_ROWS, MOST_CELLS // len(inputs), len(test)))
    indices = np.linspace(0, len(test) - 1, most).astype(np.intp)
    few = test.take(indices)
    rows = np.asarray(few.inputs[:])
    truths = _truths(model, few)
    return [
        FilledRow(int(index), cells_of_row(inputs, row), truth)
        for index, row, truth in zip(indices, rows, truths, strict=True)
    ]


def _truths(model: Model, data: Dataset) -> list[list[str]]:
    if data.has_classes:
        return [[data.class_names[label]] for label in data.targets.tolist()]
    if data.targets.shape[1] != len(model.class_names):
        return [[] for _ in range(len(data))]
    targets = restored(model, data.targets)
    return [[value_text(value) for value in row] for row in targets.tolist()]


def restored(model: Model, outputs: Array) -> Array:
    """Return targets or predictions of a regression in the units of the table."""
    target = None if model.columns is None else model.columns.target
    return outputs if target is None else np.asarray(target.restore(outputs))


def predicted_texts(
    model: Model, names: tuple[str, ...], data: Dataset, *, classes: bool
) -> list[list[str]]:
    """Return the predictions of rows as texts: the class with its probability, or the values."""
    predicted = predictions(model, np.asarray(data.inputs[:]), model.before_loss)
    if not classes:
        values = restored(model, predicted).tolist()
        return [[value_text(value) for value in row] for row in values]
    shares = both_classes(predicted)
    return [[f"{names[row.argmax()]}, {percent(float(row.max()))}"] for row in shares]


def value_text(value: float) -> str:
    """Return a target or a prediction, with six significant digits."""
    return f"{value:,.6g}" if math.isfinite(value) else "not finite"
