"""Example rows: made-up rows of the shape and dtype that a model takes."""

from collections.abc import Sequence

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
    if model.row_dtype == "uint8":
        rng = np.random.default_rng(seed)
        return rng.integers(0, 256, (ROWS, *model.row_shape), np.uint8)
    rows = example_features(model.row_shape, model.network.index_columns, ROWS, seed)
    return rows.astype(model.row_dtype)


def example_features(
    shape: tuple[int, ...], index_columns: Sequence[int], rows: int, seed: int = 0
) -> npt.NDArray[np.float64]:
    """Return made-up features, as `example_rows` does, shape (n, ...), for n rows of a shape."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((rows, *shape))
    if columns := list(index_columns):
        features[:, columns] = rng.integers(0, FIRST_CATEGORY + 1, (rows, len(columns)))
    return features
