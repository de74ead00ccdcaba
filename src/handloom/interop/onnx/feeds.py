"""Feeds: the inputs of an ONNX model of a table, made of its raw rows."""

import json
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from handloom.data.cells import Cells, cells_of
from handloom.data.column_encoding import FIRST_CATEGORY, UNSEEN, ColumnEncoding
from handloom.data.columns import Columns, Remarks, write_column
from handloom.data.notes import Tell, warn
from handloom.data.table import Chunk, Table
from handloom.errors import ModelError
from handloom.interop.models import model_of
from handloom.interop.onnx.columns import indices_by_text
from handloom.interop.onnx.metadata import files_of
from handloom.interop.raw_columns import raw_table
from handloom.model import COLUMNS, Model
from handloom.training.loaded_run import LoadedRun

Feeds = dict[str, npt.NDArray[Any]]


class Session(Protocol):
    """A session of onnxruntime."""

    def get_modelmeta(self) -> Any:
        """Return an object with the texts of the file in ``custom_metadata_map``."""


def feeds(model: Model | LoadedRun | Session, rows: object) -> Feeds:
    """Return the inputs of the ONNX model of a table, as onnxruntime's ``session.run`` takes them.

    They are one array of shape (n, 1) for each raw column, under its name: float64 for numbers and
    booleans, NaN where they are missing; texts for categories, empty where they are missing. A
    category that is a number is written as it was in the training rows: ``"3.0"`` and ``"03"``
    become ``"3"``. So the graph predicts as `handloom.Model.predict` does.

    Parameters
    ----------
    model : Model, LoadedRun or onnxruntime.InferenceSession
        A model with ``columns``, or a session with the file that `handloom.to_onnx` wrote of it.
    rows : DataFrame, pyarrow table, or mapping of str to sequence
        Raw rows, with columns in any order; of a mapping each column has a value for each row.

    Returns
    -------
    dict of str to array, shape (n, 1)

    Raises
    ------
    ModelError
        If the model has no ``columns``, or the file was not written by `handloom.to_onnx`, or is
        damaged.
    DataError
        If a column is missing, holds texts instead of numbers, or infinity, or numbers so far from
        the training rows that they are infinite in float32.
    """
    columns = _columns_of(model)
    if columns is None:
        raise ModelError(
            "the model was not trained on a table of named columns: its only input takes the rows "
            "as they are"
        )
    return table_feeds(columns, raw_table(rows))


def _columns_of(model: Model | LoadedRun | Session) -> Columns | None:
    """Return the columns of a model, or of the description in a file."""
    if not hasattr(model, "get_modelmeta"):
        return model_of(model).columns
    try:
        files = files_of(model.get_modelmeta().custom_metadata_map)
    except ModelError as error:
        raise ModelError(f"the file of the session: {error}") from None
    if COLUMNS not in files:
        return None
    try:
        return Columns.from_json(json.loads(files[COLUMNS]))
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelError(f"the columns in the file are damaged: {error}") from None


def table_feeds(columns: Columns, table: Table, *, tell: Tell = warn) -> Feeds:
    """Return the inputs for all rows of a table; see `feeds`.

    Parameters
    ----------
    columns : Columns
    table : Table
    tell : callable, optional
        Called with each note about rows that are unlike the training rows; by default it is a
        `handloom.DataWarning`.
    """
    columns.check_names(table, tell=tell)
    remarks = Remarks(columns)
    chunks = [
        {each.name: _input(each, chunk, remarks, table.where) for each in columns.inputs}
        for chunk in table.chunks([each.name for each in columns.inputs])
    ]
    remarks.tell(tell)
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def _input(
    encoding: ColumnEncoding, chunk: Chunk, remarks: Remarks, where: str
) -> npt.NDArray[Any]:
    """Return one column, shape (n, 1)."""
    cells = cells_of(chunk.columns[encoding.name], encoding.categories)
    if encoding.kind != "category":  # as they are encoded in the graph, which refuses nothing
        flat = np.empty((len(chunk), len(encoding.names)), np.float32)
        write_column(encoding, cells, flat, chunk, where)
    remarks.add(encoding, cells)
    values = _texts(encoding, cells) if encoding.kind == "category" else cells.values
    return values[:, None]


def _texts(encoding: ColumnEncoding, cells: Cells) -> npt.NDArray[np.object_]:
    """Return the categories as they were written in the training rows, empty if missing.

    A text that the model has not seen stays, unless it means a missing value in the graph.
    """
    texts, indices = cells.texts.copy(), encoding.indices(cells)
    known = indices > UNSEEN
    texts[known] = np.array(encoding.categories, object)[indices[known] - FIRST_CATEGORY]
    in_graph = indices_by_text(encoding)
    unseen = "unseen"
    while unseen in in_graph:
        unseen += "?"
    for row in np.flatnonzero(indices == UNSEEN):
        if texts[row] in in_graph:
            texts[row] = unseen
    return texts
