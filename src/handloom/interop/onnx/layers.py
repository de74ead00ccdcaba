"""From a layer to nodes of a graph, for each layer that there is.

Every function here takes a graph, the name and the object of a layer, and the name and the row
shape of the layer's input. It adds the nodes that compute the layer in inference, and returns the
name of their output. Arrays keep the names that they have in the network.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from handloom.errors import ModelError
from handloom.interop.onnx.graph import Graph
from handloom.layers import Dense, Dropout, Layer, ReLU

Shape = tuple[int, ...]
Converter = Callable[[Graph, str, Any, str, Shape], str]


def add_layers(graph: Graph, named: Iterable[tuple[str, Layer]], x: str, shape: Shape) -> str:
    """Add layers, one after another, and return the name of the last one's output.

    Parameters
    ----------
    graph : Graph
    named : iterable of (str, Layer)
        The layers with their names, as `handloom.Sequential.named_layers` returns them.
    x : str
        The name of the input, shape (n, ...).
    shape : tuple of int
        The shape of one row of it.

    Raises
    ------
    ModelError
        If a layer has no counterpart.
    """
    for name, layer in named:
        x = add_layer(graph, name, layer, x, shape)
        shape = layer.output_shape(shape)
    return x


def add_layer(graph: Graph, name: str, layer: Layer, x: str, shape: Shape) -> str:
    """Add one layer, and return the name of its output.

    A layer of a class of your own brings a method ``to_onnx(graph, name, x, shape)`` that does so.
    It is called only if the layer's own class defines it, since a subclass may override `forward`.

    Raises
    ------
    ModelError
        If the layer has no counterpart.
    """
    kind = type(layer)
    if "to_onnx" in vars(kind):
        return str(layer.to_onnx(graph, name, x, shape))  # type: ignore[attr-defined]
    if kind not in CONVERTERS:
        raise ModelError(
            f"layer {name}: {kind.__name__} has no counterpart in ONNX: give the class a method "
            "to_onnx(self, graph, name, x, shape) that adds its nodes with graph.add and returns "
            "the name of its output"
        )
    return CONVERTERS[kind](graph, name, layer, x, shape)


def _dense(graph: Graph, name: str, layer: Dense, x: str, shape: Shape) -> str:
    w, b = (graph.constant(f"{name}.{array}", layer.weights[array]) for array in layer.weights)
    return graph.add("Gemm", x, w, b, name=name)


def _relu(graph: Graph, name: str, layer: ReLU, x: str, shape: Shape) -> str:
    return graph.add("Relu", x, name=name)


def _nothing(graph: Graph, name: str, layer: Layer, x: str, shape: Shape) -> str:
    return x


CONVERTERS: Mapping[type[Layer], Converter] = {
    Dense: _dense,
    Dropout: _nothing,
    ReLU: _relu,
}
"""The functions of this file by the class of the layer."""
