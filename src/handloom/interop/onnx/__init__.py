"""ONNX: models as graphs of standard operators, for runtimes in any language."""

from handloom.interop.onnx.export import to_onnx
from handloom.interop.onnx.feeds import feeds
from handloom.interop.onnx.graph import Graph, Node, ValueInfo
from handloom.interop.onnx.layers import add_layer, add_layers
from handloom.interop.onnx.reading import from_onnx
from handloom.interop.onnx.sequence import network_from_onnx

__all__ = [
    "Graph",
    "Node",
    "ValueInfo",
    "add_layer",
    "add_layers",
    "feeds",
    "from_onnx",
    "network_from_onnx",
    "to_onnx",
]
