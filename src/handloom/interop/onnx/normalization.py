"""Batch and layer normalization as nodes of a graph.

The epsilon of ONNX's operators is a float32. In float64 they are composed of others, with all its
digits.
"""

from collections.abc import Mapping

import numpy as np

from handloom.interop.onnx.graph import Converter, Graph, Shape
from handloom.layers import BatchNorm, Layer, LayerNorm


def _batch_norm(graph: Graph, name: str, layer: BatchNorm, x: str, shape: Shape) -> str:
    """Add ``scale (x - mu) / s + shift`` of the running statistics."""
    names = ("scale", "shift", "running_mean", "running_variance")
    arrays = [graph.constant(f"{name}.{array}", layer.weights[array]) for array in names]
    if graph.dtype == np.float32:
        return graph.add("BatchNormalization", x, *arrays, name=name, epsilon=layer.epsilon)
    if len(shape) == 3:  # channels are not the last axis
        sizes = graph.integers(f"{name}.shape", shape[0], 1, 1)
        arrays = [graph.add("Reshape", each, sizes, name=f"{name}.channels") for each in arrays]
    scale, shift, mean, variance = arrays
    deviation = _deviation(graph, name, variance, layer.epsilon)
    factor = graph.add("Div", scale, deviation, name=f"{name}.factor")
    centered = graph.add("Sub", x, mean, name=f"{name}.centered")
    scaled = graph.add("Mul", centered, factor, name=f"{name}.scaled")
    return graph.add("Add", scaled, shift, name=name)


def _layer_norm(graph: Graph, name: str, layer: LayerNorm, x: str, shape: Shape) -> str:
    """Add layer normalization over all axes of a row.

    The mean is subtracted first: runtimes compute the variance as a difference of squares, which
    loses all digits for rows whose mean is much larger than their deviation.
    """
    axes = tuple(range(1, len(shape) + 1))
    scale, shift = (
        graph.constant(f"{name}.{array}", layer.weights[array]) for array in ("scale", "shift")
    )
    mean = graph.mean(x, axes, name=f"{name}.mean", keepdims=True)
    centered = graph.add("Sub", x, mean, name=f"{name}.centered")
    if graph.dtype == np.float32:
        inputs = (centered, scale, shift)
        return graph.add("LayerNormalization", *inputs, name=name, axis=1, epsilon=layer.epsilon)
    squares = graph.add("Mul", centered, centered, name=f"{name}.squares")
    variance = graph.mean(squares, axes, name=f"{name}.variance", keepdims=True)
    deviation = _deviation(graph, name, variance, layer.epsilon)
    normalized = graph.add("Div", centered, deviation, name=f"{name}.normalized")
    scaled = graph.add("Mul", normalized, scale, name=f"{name}.scaled")
    return graph.add("Add", scaled, shift, name=name)


def _deviation(graph: Graph, name: str, variance: str, epsilon: float) -> str:
    """Add ``s = sqrt(var + epsilon)``."""
    added = graph.constant(f"{name}.epsilon", epsilon)
    total = graph.add("Add", variance, added, name=f"{name}.stable")
    return graph.add("Sqrt", total, name=f"{name}.deviation")


NORMALIZATIONS: Mapping[type[Layer], Converter] = {BatchNorm: _batch_norm, LayerNorm: _layer_norm}
"""The converters of this file by the class of the layer."""
