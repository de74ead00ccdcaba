"""The rows on which a written file is compared with its model: raw ones, with the predictions."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from handloom.data.conversion import convert_inputs
from handloom.data.table import MemoryTable
from handloom.errors import DataError
from handloom.interop.example_rows import example_rows
from handloom.interop.example_table import example_table
from handloom.interop.raw_columns import raw_table
from handloom.model import Model
from handloom.parameters import Array


class Figures(NamedTuple):
    """How far predictions are from the model's, as `handloom.interop.exported.Exported` has it."""

    compared_rows: int
    largest_difference: float
    relative_difference: float | None


@dataclass(frozen=True)
class ComparedRows:
    """Raw rows, as a model takes them, and its predictions for them.

    Attributes
    ----------
    rows : array, shape (n, ...), or MemoryTable
        Rows as the training data; of a model with ``columns``, raw rows of a table.
    predictions : array, shape (n, k)
        Those of the model.
    """

    rows: npt.NDArray[Any] | MemoryTable
    predictions: Array

    def __len__(self) -> int:
        return len(self.predictions)

    def figures(self, predictions: npt.NDArray[np.floating]) -> "Figures":
        """Return the figures of an export about other predictions, shape (n, k).

        Raises
        ------
        DataError
            As `difference`.
        """
        difference = self.difference(predictions)
        finite = np.isfinite(self.predictions)
        largest = float(np.abs(self.predictions).max(initial=0.0, where=finite))
        return Figures(len(self), difference, difference / largest if largest else None)

    def difference(self, predictions: npt.NDArray[np.floating]) -> float:
        """Return the largest absolute difference from other predictions, shape (n, k).

        Two equal infinities, and two NaN, do not differ.

        Raises
        ------
        DataError
            If there are other numbers of rows or outputs.
        """
        if predictions.shape != self.predictions.shape:
            raise DataError(
                f"predictions must have shape {self.predictions.shape}, got {predictions.shape}"
            )
        own, other = (np.asarray(each, np.float64) for each in (self.predictions, predictions))
        same = (own == other) | (np.isnan(own) & np.isnan(other))
        with np.errstate(invalid="ignore"):  # of infinities, which are the same or differ by NaN
            return float(np.abs(np.where(same, 0.0, own - other)).max(initial=0.0))


def compared_rows(model: Model, rows: object | None = None) -> ComparedRows:
    """Return raw rows with the predictions of a model, by default for rows that are made up.

    Parameters
    ----------
    model : Model
    rows : array-like, frame, mapping of str to sequence, or MemoryTable, optional
        As `handloom.Model.predict` takes them; of a table also its columns by name.

    Raises
    ------
    DataError, ModelError
        As `handloom.Model.predict`, and if there is no row.
    """
    if model.columns is None:
        array = convert_inputs(example_rows(model) if rows is None else rows).rows[:]
        if array.ndim and not len(array):
            raise DataError("rows must have at least one row to compare, got none")
        return ComparedRows(array, model.predict(array))
    if rows is None:
        table = example_table(model.columns)
    else:
        table = rows if isinstance(rows, MemoryTable) else raw_table(rows)
    chunks = model.predict_chunks(table, tell=quiet)
    return ComparedRows(table, np.concatenate([predicted for _, predicted in chunks]))


def quiet(note: str) -> None:
    """Tell no note."""
