"""From stored rows to the input of a network, as nodes of a graph."""

from math import prod

from handloom.data.transforms import AsFloat, Scale
from handloom.interop.onnx.columns import add_columns
from handloom.interop.onnx.graph import Graph
from handloom.interop.onnx.own_nodes import add_own_nodes, brings_nodes, without_counterpart
from handloom.model import Model

INPUT = "input"
"""The name of the input of a model that takes arrays of rows."""


def add_input(graph: Graph, model: Model) -> str:
    """Add the input of a model and its preparation; return the name of the network's input.

    Bytes stay bytes. Features are an input of the dtype of the graph. A table has an input for each
    raw column.

    Raises
    ------
    ModelError
        If the transform has no counterpart.
    """
    shape, network_shape = model.row_shape, model.network.input_shape
    stored = "uint8" if model.row_dtype == "uint8" else graph.dtype
    if model.columns is None:
        x = graph.input(INPUT, stored, shape)
    else:
        x = add_columns(graph, model.columns)
    x = _transformed(graph, model, x)
    # a transform of one's own makes flat rows
    before = shape if type(model.transform) in (Scale, AsFloat) else (prod(shape),)
    return x if network_shape == before else graph.reshape(x, network_shape, name="transform.shape")


def _transformed(graph: Graph, model: Model, x: str) -> str:
    transform = model.transform
    kind = type(transform)
    if brings_nodes(transform):
        shape = model.row_shape
        return add_own_nodes(graph, "transform", transform, x, shape, subject="the transform")
    if kind not in (Scale, AsFloat):
        raise without_counterpart("the transform", kind, "the flat rows")
    if model.row_dtype == "uint8":
        x = graph.cast(x, graph.dtype, name="transform.cast")
    if isinstance(transform, Scale):
        shift = graph.constant("transform.shift", transform.shift)
        divisor = graph.constant("transform.divisor", transform.divisor)
        x = graph.add("Sub", x, shift, name="transform.shifted")
        x = graph.add("Div", x, divisor, name="transform")
    return x
