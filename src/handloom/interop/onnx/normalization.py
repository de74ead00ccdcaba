"""Batch and layer normalization as nodes of a graph."""

from handloom.interop.onnx.graph import Graph
from handloom.layers import BatchNorm, LayerNorm

Shape = tuple[int, ...]


def _batch_norm(graph: Graph, name: str, layer: BatchNorm, x: str, shape: Shape) -> str:
    """Add ``scale (x - mu) / s + shift`` of the running statistics."""
    names = ("scale", "shift", "running_mean", "running_variance")
    arrays = [graph.constant(f"{name}.{array}", layer.weights[array]) for array in names]
    return graph.add("BatchNormalization", x, *arrays, name=name, epsilon=layer.epsilon)


def _layer_norm(graph: Graph, name: str, layer: LayerNorm, x: str, shape: Shape) -> str:
    """Add layer normalization over all axes of a row.

    The mean is subtracted first: runtimes compute the variance as a difference of squares, which
    loses all digits for rows whose mean is much larger than their deviation.
    """
    scale, shift = (
        graph.constant(f"{name}.{array}", layer.weights[array]) for array in ("scale", "shift")
    )
    mean = graph.mean(x, tuple(range(1, len(shape) + 1)), name=f"{name}.mean", keepdims=True)
    centered = graph.add("Sub", x, mean, name=f"{name}.centered")
    return graph.add(
        *("LayerNormalization", centered, scale, shift), name=name, axis=1, epsilon=layer.epsilon
    )


NORMALIZATIONS = {BatchNorm: _batch_norm, LayerNorm: _layer_norm}
"""The converters of this file by the class of the layer."""
