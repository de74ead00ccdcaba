"""The output activations of models as nodes of a graph."""

from handloom.interop.onnx.graph import Graph, Node

OPERATORS = {"sigmoid": "Sigmoid", "exp": "Exp"}
"""The operators of output activations that one computes alone."""


def add_output_activation(graph: Graph, activation: str, x: str, outputs: int) -> str:
    """Add the way from the outputs of a network to predictions, and return their name.

    Parameters
    ----------
    graph : Graph
    activation : str
        One of `handloom.predictions.OUTPUT_ACTIVATIONS`.
    x : str
        The name of the outputs of the network, shape (n, outputs).
    outputs : int
    """
    if activation == "identity":
        return x
    if activation == "softmax":
        return graph.add("Softmax", x, axis=1)
    if activation == "sort":
        return _ascending(graph, x, outputs)
    return graph.add(OPERATORS[activation], x)


def _ascending(graph: Graph, x: str, outputs: int) -> str:
    """Add the outputs of each row in ascending order: the smallest of all of them."""
    count = graph.integers("sort.count", outputs)
    ordered, order = graph.unused("sort"), graph.unused("sort.order")
    attributes = {"axis": 1, "largest": 0, "sorted": 1}
    graph.nodes.append(Node("TopK", (x, count), (ordered, order), ordered, attributes))
    return ordered
