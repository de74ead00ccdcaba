"""The rows with which an export compares the written file with the model."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.data.column_encoding import ColumnEncoding
from handloom.data.columns import Columns
from handloom.data.conversion import convert_inputs
from handloom.data.frames import Column
from handloom.data.table import Chunk, MemoryTable, table_of
from handloom.errors import DataError
from handloom.layers import Embedding, Layer, Residual
from handloom.model import Model
from handloom.parameters import Array

EXAMPLES = 64
"""The number of rows that are made up."""


@dataclass(frozen=True)
class ComparedRows:
    """Raw rows, as an exported file takes them, and the predictions of the model for them.

    Attributes
    ----------
    rows : array, shape (n, ...), or dict of str to list
        Rows as the training data; of a model with ``columns``, raw rows of a table by column, with
        None for missing values.
    predictions : array, shape (n, k)
        Those of `handloom.Model.predict`.
    """

    rows: npt.NDArray[Any] | dict[str, list[Any]]
    predictions: Array

    def __len__(self) -> int:
        return len(self.predictions)

    def difference(self, predictions: npt.NDArray[np.floating]) -> float:
        """Return the largest absolute difference to other predictions, shape (n, k).

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
        return float(np.abs(np.where(same, 0.0, own - other)).max(initial=0.0))


def compared_rows(model: Model, rows: object = None) -> ComparedRows:
    """Return raw rows with the predictions of a model, by default for rows that are made up.

    Parameters
    ----------
    model : Model
    rows : array-like, shape (n, ...), or frame, optional
        As `handloom.Model.predict` takes them.

    Raises
    ------
    DataError, ModelError
        As `handloom.Model.predict`.
    """
    if model.columns is None:
        array = _examples(model) if rows is None else convert_inputs(rows).rows
        return ComparedRows(array, model.predict(array))
    if rows is None:
        raw = _raw_examples(model.columns)
    else:
        chunk = table_of(rows, "rows").chunk
        raw = {name: _cells(column) for name, column in chunk.columns.items()}
    columns = {name: _column(name, cells) for name, cells in raw.items()}
    size = len(next(iter(columns.values())).values)
    table = MemoryTable(Chunk(columns, np.arange(size)), tuple(columns))
    ((_, predictions),) = model.predict_chunks(table, tell=lambda _: None)
    return ComparedRows(raw, predictions)


def _examples(model: Model) -> npt.NDArray[Any]:
    """Return rows of the shape and dtype of the training data."""
    rng = np.random.default_rng(0)
    shape = (EXAMPLES, *model.row_shape)
    if model.row_dtype == "uint8":
        return rng.integers(0, 256, shape, np.uint8)
    rows = rng.normal(size=shape).astype(model.network.parameters.dtype)
    for embedding in _embeddings(model.network.layers[:1]):
        for column, categories in embedding.columns.items():
            rows.reshape(EXAMPLES, -1)[:, column] = rng.integers(0, categories + 2, EXAMPLES)
    return rows


def _embeddings(layers: tuple[Layer, ...]) -> Iterator[Embedding]:
    for layer in layers:
        if isinstance(layer, Embedding):
            yield layer
        elif isinstance(layer, Residual):
            yield from _embeddings(layer.block.layers[:1])
            yield from _embeddings(layer.shortcut.layers[:1])


def _raw_examples(columns: Columns) -> dict[str, list[Any]]:
    """Return raw rows with the learned means and categories, unseen and missing values."""
    rng = np.random.default_rng(0)
    return {each.name: _raw_cells(each, rng) for each in columns.inputs}


def _raw_cells(encoding: ColumnEncoding, rng: np.random.Generator) -> list[Any]:
    cells: list[Any]
    if encoding.kind == "boolean":
        cells = (rng.random(EXAMPLES) < 0.5).tolist()
    elif encoding.kind == "number":
        cells = rng.normal(encoding.mean, encoding.scale, EXAMPLES).tolist()
    else:
        known = [*encoding.categories, " unseen "]
        cells = [known[index] for index in rng.integers(0, len(known), EXAMPLES)]
    missing = (rng.random(EXAMPLES) < 0.1).tolist()
    return [None if without else cell for cell, without in zip(cells, missing, strict=True)]


def _cells(column: Column) -> list[Any]:
    pairs = zip(column.values.tolist(), column.missing.tolist(), strict=True)
    return [None if missing else value for value, missing in pairs]


def _column(name: str, cells: list[Any]) -> Column:
    values = np.empty(len(cells), object)
    values[:] = cells
    return Column(name, values, np.array([cell is None for cell in cells]), "object")
