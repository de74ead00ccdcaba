"""Comparison: predictions of a written file in onnxruntime, beside those of the model."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.data.table import MemoryTable
from handloom.errors import HandloomError
from handloom.interop.compared_rows import Figures, compared_rows, quiet
from handloom.interop.onnx.feeds import table_feeds
from handloom.interop.onnx.graph import ValueInfo
from handloom.model import Model

ROWS_AT_ONCE = 256
"""The number of rows that the runtime predicts at once."""

Feeds = Mapping[str, npt.NDArray[Any]]


class NotComparedError(HandloomError):
    """Nothing was compared; the message is the reason."""


def compared_in_runtime(
    content: bytes, model: Model, inputs: list[ValueInfo], rows: object | None
) -> Figures:
    """Return how far the predictions of a file are from those of its model.

    Parameters
    ----------
    content : bytes
        The written file.
    model : Model
    inputs : list of ValueInfo
        The inputs of its graph.
    rows : array-like, optional
        As `handloom.Model.predict` takes them; by default made-up ones.

    Raises
    ------
    DataError, ModelError
        If the rows do not fit the model.
    NotComparedError
        If onnxruntime is not installed, or does not run the file.
    """
    compared = compared_rows(model, rows)  # rows are checked where nothing can be compared too
    runner = Runner(content)
    if model.columns is not None and isinstance(compared.rows, MemoryTable):
        feeds = table_feeds(model.columns, compared.rows, tell=quiet)
    else:
        (each,) = inputs
        feeds = {each.name: np.asarray(compared.rows, each.dtype)}
    *_, predictions = runner.run(feeds)
    return compared.figures(predictions)


class Runner:
    """A file in onnxruntime, in one thread.

    Parameters
    ----------
    content : bytes
        The file.

    Raises
    ------
    NotComparedError
        If onnxruntime is not installed, or does not take the file.
    """

    def __init__(self, content: bytes) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise NotComparedError("the package onnxruntime is not installed") from None
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # errors are raised too
        options.intra_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime has no base class of its errors
            raise NotComparedError(f"onnxruntime does not take the file: {error}") from None

    def run(self, feeds: Feeds) -> list[npt.NDArray[Any]]:
        """Return all outputs for all rows.

        Raises
        ------
        NotComparedError
            If the runtime fails.
        """
        n = len(next(iter(feeds.values())))
        try:
            batches = [
                self._session.run(
                    None,
                    {name: values[start : start + ROWS_AT_ONCE] for name, values in feeds.items()},
                )
                for start in range(0, max(n, 1), ROWS_AT_ONCE)
            ]
        except Exception as error:  # as above
            raise NotComparedError(f"onnxruntime does not run the file: {error}") from None
        return [np.concatenate(parts) for parts in zip(*batches, strict=True)]
