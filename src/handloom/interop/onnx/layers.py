"""From a layer to nodes of a graph: the layers, one after another, by their classes.

A converter is a function of a graph, the name and the object of a layer, and the name and the row
shape of the layer's input. It adds the nodes that compute the layer in inference, and returns the
name of their output. Arrays keep the names that they have in the network.
"""

from collections.abc import Iterable, Mapping

from handloom.interop.onnx.activations import ACTIVATIONS
from handloom.interop.onnx.graph import Converter, Graph, Shape
from handloom.interop.onnx.images import IMAGES
from handloom.interop.onnx.normalization import NORMALIZATIONS
from handloom.interop.onnx.own_nodes import add_own_nodes, brings_nodes, without_counterpart
from handloom.interop.onnx.rows import ROWS
from handloom.layers import Layer, Residual


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
        If the layer has no counterpart, or its own method returns something else than a name.
    """
    kind = type(layer)
    if kind in CONVERTERS:
        return CONVERTERS[kind](graph, name, layer, x, shape)
    if not brings_nodes(layer):
        raise without_counterpart(f"layer {name}:", kind, "its output")
    return add_own_nodes(graph, name, layer, x, shape, subject=f"layer {name}")


def _residual(graph: Graph, name: str, layer: Residual, x: str, shape: Shape) -> str:
    """Add ``F(x) + S(x)``, the block and the shortcut."""
    terms = []
    for branch, chain in layer.branches.items():
        named = [(f"{name}.{branch}.{inner}", each) for inner, each in chain.named]
        terms.append(add_layers(graph, named, x, shape))
    return graph.add("Add", *terms, name=name)


CONVERTERS: Mapping[type[Layer], Converter] = {
    **ROWS,
    **ACTIVATIONS,
    **NORMALIZATIONS,
    **IMAGES,
    Residual: _residual,
}
"""The converters by the class of the layer."""
