"""Dense layers, embeddings, and layers that keep the entries of a row, as nodes of a graph."""

from collections.abc import Mapping

from handloom.interop.onnx.graph import Converter, Graph, Shape
from handloom.layers import Dense, Dropout, Embedding, Flatten, Layer, Reshape


def _dense(graph: Graph, name: str, layer: Dense, x: str, shape: Shape) -> str:
    w, b = (graph.constant(f"{name}.{array}", layer.weights[array]) for array in layer.weights)
    return graph.add("Gemm", x, w, b, name=name)


def _embedding(graph: Graph, name: str, layer: Embedding, x: str, shape: Shape) -> str:
    """Add the vectors of the index columns, followed by the other columns.

    An index that the layer would refuse is refused by the runtime too. Gather alone would take -1
    as the last index, and the conversion cut off fractions.
    """
    parts = []
    for column in layer.index_columns:
        table = graph.constant(f"{name}.column_{column}", layer.weights[f"column_{column}"])
        # the index has no axes, so that of the columns is dropped
        at = graph.constant(f"{name}.index_{column}", column, "int64")
        values = graph.add("Gather", x, at, name=f"{name}.values", axis=1)
        whole = graph.add("Abs", graph.add("Floor", values), name=f"{name}.whole")
        valid = graph.add("Equal", values, whole, name=f"{name}.valid")
        none = graph.constant(f"{name}.none_{column}", len(layer.weights[f"column_{column}"]))
        checked = graph.add("Where", valid, values, none, name=f"{name}.checked")
        indices = graph.cast(checked, "int64", name=f"{name}.indices")
        parts.append(graph.add("Gather", table, indices, name=f"{name}.vectors", axis=0))
    if others := [c for c in range(*shape) if c not in layer.columns]:
        columns = graph.integers(f"{name}.others", *others)
        parts.append(graph.add("Gather", x, columns, name=f"{name}.passed_on", axis=1))
    return graph.add("Concat", *parts, name=name, axis=1)


def _flatten(graph: Graph, name: str, layer: Flatten, x: str, shape: Shape) -> str:
    return graph.add("Flatten", x, name=name, axis=1)


def _reshape(graph: Graph, name: str, layer: Reshape, x: str, shape: Shape) -> str:
    return graph.reshape(x, layer.shape, name=name)


def _dropout(graph: Graph, name: str, layer: Dropout, x: str, shape: Shape) -> str:
    """Add nothing: in inference dropout changes nothing."""
    return x


ROWS: Mapping[type[Layer], Converter] = {
    Dense: _dense,
    Embedding: _embedding,
    Flatten: _flatten,
    Reshape: _reshape,
    Dropout: _dropout,
}
"""The converters of this file by the class of the layer."""
