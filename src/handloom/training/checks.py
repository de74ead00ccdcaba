"""Checks before a training: data, sample weights and network must match."""

import math

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.errors import DataError, ModelError
from handloom.network import Sequential


def check_data(network: Sequential, part: str, data: Dataset) -> None:
    """Refuse rows or classes that the network was not built for.

    Raises
    ------
    DataError
        With the part of the data, and the sizes that differ.
    ModelError
        If the network is not built.
    """
    if not network.built:
        size = math.prod(data.input_shape)
        raise ModelError(f"build the network first: network.build(({size},), seed=0)")
    if math.prod(data.input_shape) != math.prod(network.input_shape):
        raise DataError(
            f"the {part} rows must have {math.prod(network.input_shape)} features, for which the "
            f"network was built, got {math.prod(data.input_shape)} (shape {data.input_shape})"
        )
    if network.output_shape != (len(data.class_names),):
        raise DataError(
            f"the network's output must have shape ({len(data.class_names)},), one entry for each "
            f"class of the {part} rows, got {network.output_shape}{_advice(network, data)}"
        )


def _advice(network: Sequential, data: Dataset) -> str:
    if data.has_classes and network.output_shape == (1,):
        return "; integers are classes: for continuous targets pass targets.astype('float32')"
    return ""


def check_weights(weights: npt.NDArray[np.floating], rows: int) -> None:
    """Refuse sample weights unless there is one per row, all finite, none negative, not all zero.

    Raises
    ------
    DataError
        With the shape or the values that are expected.
    """
    if weights.shape != (rows,):
        raise DataError(f"sample_weights must have shape ({rows},), got {weights.shape}")
    if not np.isfinite(weights).all() or weights.min() < 0 or weights.max() == 0:
        raise DataError("sample_weights must be finite, zero or more, and not all zero")
