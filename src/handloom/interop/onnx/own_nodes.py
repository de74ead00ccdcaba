"""Nodes that a class of a user's own adds, by its method ``to_onnx(graph, name, x, shape)``."""

from typing import Any

from handloom.errors import ModelError
from handloom.interop.onnx.graph import Graph, Shape


def brings_nodes(part: object) -> bool:
    """Return whether the class of a layer or transform defines ``to_onnx``.

    That of another class does not count, since a subclass may override the arithmetic.
    """
    return "to_onnx" in vars(type(part))


def add_own_nodes(graph: Graph, name: str, part: Any, x: str, shape: Shape, *, subject: str) -> str:
    """Add the nodes of a layer or transform, and return the name of its output.

    Parameters
    ----------
    graph : Graph
    name : str
        The name of the layer, or ``"transform"``.
    part : Layer or transform
    x : str
        The name of its input.
    shape : tuple of int
        The shape of a row of it.
    subject : str
        The subject of errors: ``"layer 2.mine"``.

    Raises
    ------
    ModelError
        If the method returns something else than a name.
    """
    output = part.to_onnx(graph, name, x, shape)
    if not isinstance(output, str):
        raise ModelError(
            f"{subject}: to_onnx of {type(part).__name__} must return the name of its output, as "
            f"graph.add returns it, got {output!r}"
        )
    return output


def without_counterpart(subject: str, kind: type, output: str) -> ModelError:
    """Return the error about a class that ONNX does not have, with the way to add it."""
    return ModelError(
        f"{subject} {kind.__name__} has no counterpart in ONNX: give the class a method "
        "to_onnx(self, graph, name, x, shape) that adds its nodes with graph.add and returns "
        f"the name of {output}"
    )
