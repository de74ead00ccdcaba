"""What must hold before a training begins: data, weights of rows and network belong together."""

import math

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.errors import DataError
from handloom.network import Sequential


def check_data(network: Sequential, what: str, data: Dataset) -> None:
    """Refuse rows or classes that the network was not built for.

    Raises
    ------
    DataError
        Naming which part of the data, and the sizes that differ.
    """
    if math.prod(data.input_shape) != math.prod(network.input_shape):
        raise DataError(
            f"the network was built for rows of {math.prod(network.input_shape)} numbers, "
            f"the {what} rows have {math.prod(data.input_shape)} (shape {data.input_shape})"
        )
    if network.output_shape != (len(data.class_names),):
        raise DataError(
            f"the network's output has shape {network.output_shape}, the {what} rows have "
            f"{len(data.class_names)} classes"
        )


def check_weights(weights: npt.NDArray[np.floating], rows: int) -> None:
    """Refuse weights of rows that are not one a row, finite, zero or more, and not all zero.

    Raises
    ------
    DataError
        Saying what they must be.
    """
    if weights.shape != (rows,):
        raise DataError(f"sample_weights must have shape ({rows},), got {weights.shape}")
    if not np.isfinite(weights).all() or weights.min() < 0 or weights.max() == 0:
        raise DataError("sample_weights must be finite, zero or more, and not all zero")
