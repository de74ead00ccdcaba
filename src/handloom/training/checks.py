"""Checks before a training: data, sample weights and network must match."""

import math

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.errors import ConfigurationError, DataError
from handloom.network import Sequential


def check_data(network: Sequential, what: str, data: Dataset) -> None:
    """Refuse rows or classes that the network was not built for.

    Raises
    ------
    DataError
        With the part of the data, and the sizes that differ.
    """
    if math.prod(data.input_shape) != math.prod(network.input_shape):
        raise DataError(
            f"the {what} rows must have {math.prod(network.input_shape)} features, for which the "
            f"network was built, got {math.prod(data.input_shape)} (shape {data.input_shape})"
        )
    if network.output_shape != (len(data.class_names),):
        raise DataError(
            f"the network's output must have shape ({len(data.class_names)},), one entry for each "
            f"class of the {what} rows, got {network.output_shape}"
        )


def check_batches(network: Sequential, rows: int, batch_size: int | None) -> None:
    """Refuse batches with fewer rows than a layer that couples rows needs.

    Raises
    ------
    ConfigurationError
        With the fewest rows, and the rows that there are.
    """
    size, fewest = min(batch_size or rows, rows), network.fewest_rows
    if size < fewest:
        layers = ", ".join(name for name, layer in network.named_layers() if layer.couples_rows)
        raise ConfigurationError(
            f"a batch must have at least {fewest} rows, over which {layers} computes statistics, "
            f"got {size} ({rows} training rows, batch_size={batch_size})"
        )


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
