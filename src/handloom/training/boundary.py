"""Predictions on a grid, for networks of two inputs: their boundaries between classes."""

import numpy as np
import numpy.typing as npt

from handloom.model import Model
from handloom.parameters import Array

POINTS = 64
"""The number of points of an axis."""

MARGIN = 0.1
"""The margin around the rows, relative to their extent."""


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
    low, high = (np.asarray(bound, np.float64) for bound in (inputs.min(0), inputs.max(0)))
    margin = np.where(high > low, MARGIN * (high - low), 1.0)  # of a constant feature
    x, y = np.linspace(low - margin, high + margin, POINTS).T.astype(inputs.dtype)
    grid = np.stack(np.meshgrid(x, y), axis=-1)
    predicted = model.predict(grid.reshape(-1, 2))
    return {"grid_x": x, "grid_y": y, "grid_predictions": predicted.reshape(POINTS, POINTS, -1)}
