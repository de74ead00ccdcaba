"""Example rows: made-up rows of the shape and dtype that a model takes."""

import numpy as np
import numpy.typing as npt

from handloom.layers.embedding import FIRST_CATEGORY
from handloom.model import Model

ROWS = 64
"""The number of rows."""


def example_rows(model: Model, seed: int = 0) -> npt.NDArray[np.generic]:
    """Return made-up flat rows or images, as `handloom.Model.predict` takes them.

    Parameters
    ----------
    model : Model
    seed : int
        The same seed makes the same rows.

    Returns
    -------
    array, shape (64, ...)
        Bytes are spread evenly, features normally. Columns of indices hold the first three, which
        any embedding has.
    """
    rng = np.random.default_rng(seed)
    shape = (ROWS, *model.row_shape)
    if model.row_dtype == "uint8":
        return rng.integers(0, 256, shape, np.uint8)
    rows = rng.standard_normal(shape).astype(model.row_dtype)
    if columns := list(model.network.index_columns):
        rows[:, columns] = rng.integers(0, FIRST_CATEGORY + 1, (ROWS, len(columns)))
    return rows
