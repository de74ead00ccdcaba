"""Predictions on a grid, for networks of one or two inputs: their curves, and their boundaries."""

import numpy as np
import numpy.typing as npt

from handloom.data.columns import Columns
from handloom.model import Model
from handloom.parameters import Array

POINTS = 64
"""The number of points of an axis of two inputs."""

CURVE_POINTS = 256
"""The number of points of a single input."""

MARGIN = 0.1
"""The margin around the rows, relative to their extent."""


def has_grid(shape: tuple[int, ...], dtype: object, columns: Columns | None) -> bool:
    """Return whether rows of a shape and a dtype are one or two numbers.

    Those of a table with categories or missing values are not: no grid is between them.
    """
    if shape not in ((1,), (2,)) or np.dtype(str(dtype)) == np.uint8:
        return False
    if columns is None:
        return True
    inputs = columns.inputs
    return (len(inputs),) == shape and all(each.kind == "number" and each.scale for each in inputs)


def grid_axes(inputs: npt.NDArray[np.generic]) -> tuple[Array, ...]:
    """Return the points of each axis of a grid around rows of shape (n, 1) or (n, 2)."""
    low, high = (np.asarray(bound, np.float64) for bound in (inputs.min(0), inputs.max(0)))
    margin = np.where(high > low, MARGIN * (high - low), 1.0)  # of a constant feature
    points = POINTS if inputs.shape[1] == 2 else CURVE_POINTS
    return tuple(np.linspace(low - margin, high + margin, points).T.astype(inputs.dtype))


def grid_rows(axes: tuple[Array, ...]) -> Array:
    """Return the rows of a grid; the first feature changes fastest."""
    return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, len(axes))


def boundary_grid(model: Model, inputs: npt.NDArray[np.generic]) -> dict[str, Array]:
    """Return predictions on a grid around rows of two features.

    Parameters
    ----------
    model : Model
    inputs : floating-point array, shape (n, 2)

    Returns
    -------
    dict of str to array
        ``"grid_x"`` and ``"grid_y"``, shape (`POINTS`,), and ``"grid_predictions"``, shape
        (`POINTS`, `POINTS`, k), with the second feature along the first axis. Empty for rows of
        another shape, and for columns of category indices.
    """
    if inputs.shape[1:] != (2,) or inputs.dtype == np.uint8 or model.network.index_columns:
        return {}
    x, y = axes = grid_axes(inputs)
    predicted = model.predict(grid_rows(axes))
    return {"grid_x": x, "grid_y": y, "grid_predictions": predicted.reshape(POINTS, POINTS, -1)}
