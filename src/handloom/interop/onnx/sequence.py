"""network_from_onnx: a straight chain of standard operators, of any program, as a network."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from handloom.errors import HandloomError, ModelError
from handloom.interop.onnx.graph import ELEMENT_TYPES
from handloom.interop.onnx.metadata import FORMAT
from handloom.interop.onnx.operators import layers_of
from handloom.interop.onnx.reading import array_of, read_proto
from handloom.interop.onnx.step import Step
from handloom.layers import Layer
from handloom.network import Sequential

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto

DTYPES = {ELEMENT_TYPES[dtype]: dtype for dtype in ("float32", "float64")}
"""The dtypes of a network, by their numbers in files."""

ATTRIBUTES = {1: "f", 2: "i", 3: "s", 6: "floats", 7: "ints"}
"""The fields of attributes, by the numbers of their types in files: numbers, texts and lists."""


def network_from_onnx(path: str | Path) -> Sequential:
    """Read a sequential network from a file of ONNX that any program wrote.

    Its operators must form a straight chain from one input to one output: Gemm, or MatMul with an
    Add; Conv; BatchNormalization, LayerNormalization; Relu, LeakyRelu, Elu, Tanh, Sigmoid, Gelu
    (tanh form), Softmax; MaxPool, AveragePool, GlobalAveragePool; Flatten, Reshape. Identity and
    Dropout are left out. Nothing in the file is executed.

    `handloom.from_onnx` reads whole models that `handloom.to_onnx` wrote.

    Parameters
    ----------
    path : path

    Returns
    -------
    Sequential
        A built network, of the dtype of the input, with the weights of the file.

    Raises
    ------
    MissingExtraError
        If the package onnx is not installed.
    FileError
        If the file cannot be read.
    ModelError
        If the file is damaged, or has other operators; the message names the first one.
    """
    proto = read_proto(path)
    try:
        if any(each.key == FORMAT for each in proto.metadata_props):
            raise ModelError("it is a whole model of Handloom: handloom.from_onnx reads it")
        return _network(proto.graph)
    except HandloomError as error:
        raise ModelError(f"{path}: {error}") from None


def _network(graph: "GraphProto") -> Sequential:
    tensors = _tensors(graph)
    name, dtype, input_shape = _input(graph, tensors)
    layers: list[Layer] = []
    weights: dict[str, npt.NDArray[Any]] = {}
    shape = input_shape
    for step in _steps(graph, name, tensors):
        step.shape = shape
        for layer, arrays in layers_of(step):
            weights |= {f"{len(layers)}.{layer.kind}.{key}": own for key, own in arrays.items()}
            layers.append(layer)
            shape = layer.output_shape(shape)
    return Sequential(layers).build(input_shape, dtype=dtype, weights=weights)


def _tensors(graph: "GraphProto") -> dict[str, "TensorProto"]:
    """Return the constants of a graph by name, also those of Constant nodes."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and len(node.output) == 1:
            values = [each.t for each in node.attribute if each.name == "value"]
            if len(values) != 1:
                raise ModelError(f"Constant {node.output[0]!r} must be an array")
            tensors[node.output[0]] = values[0]
    return tensors


def _input(
    graph: "GraphProto", tensors: Mapping[str, "TensorProto"]
) -> tuple[str, str, tuple[int, ...]]:
    """Return the name of the only input, its dtype, and the shape of a row."""
    inputs = [each for each in graph.input if each.name not in tensors]
    if len(inputs) != 1:
        raise ModelError(f"a chain of layers has one input, got {len(inputs)}")
    (own,) = inputs
    kind = own.type.tensor_type
    if kind.elem_type not in DTYPES:
        raise ModelError(
            f"input {own.name!r} must be float32 or float64, got the type {kind.elem_type} of ONNX"
        )
    sizes = [dim.dim_value for dim in kind.shape.dim][1:]
    if not sizes or min(sizes) < 1:
        raise ModelError(f"input {own.name!r} must have rows of a known shape, got {sizes}")
    return own.name, DTYPES[kind.elem_type], tuple(sizes)


def _steps(graph: "GraphProto", x: str, tensors: Mapping[str, "TensorProto"]) -> Iterator[Step]:
    """Yield the operators from the input to the output; an Add joins the MatMul before it."""
    product: Step | None = None
    used: set[str] = set()
    for node in _chain(graph, x):
        if [*node.input].count(x) > 1:
            raise ModelError(f"{_named(node)} must take {x!r} once: branches are not read")
        others = [each for each in node.input if each != x]
        if node.op_type != "Add" and (not node.input or node.input[0] != x):
            raise ModelError(f"{_named(node)} must take {x!r} as its first input")
        x = node.output[0]
        arrays = [_constant(each, node, tensors, used) for each in others]
        if node.op_type == "Add" and product is not None and len(arrays) == 1:
            product.arrays += arrays
            yield product
            product = None
            continue
        if product is not None:
            yield product
        step = Step(node.op_type, node.name or x, _attributes(node), arrays, ())
        product = step if node.op_type == "MatMul" else None
        if product is None:
            yield step
    if product is not None:
        yield product


def _chain(graph: "GraphProto", x: str) -> Iterator["NodeProto"]:
    """Yield the nodes from an input to the output, each of which takes the one before it."""
    takers: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in {*node.input} if node.op_type != "Constant" else ():
            takers.setdefault(name, []).append(node)
    if len(graph.output) != 1:
        raise ModelError(f"a chain of layers has one output, got {len(graph.output)}")
    seen = {x}
    while x != graph.output[0].name:
        following = takers.get(x, [])
        if len(following) != 1:
            raise ModelError(f"a chain of layers uses {x!r} once, got {len(following)} operators")
        (node,) = following
        if node.domain not in ("", "ai.onnx"):
            raise ModelError(f"{_named(node)} is of the domain {node.domain!r}, expected ONNX's")
        if not node.output or node.output[0] in seen:
            raise ModelError(f"{_named(node)} has no output of its own")
        yield node
        x = node.output[0]
        seen.add(x)


def _constant(
    name: str, node: "NodeProto", tensors: Mapping[str, "TensorProto"], used: set[str]
) -> npt.NDArray[Any] | None:
    """Return a constant input of a node; weights that two nodes share would be copied."""
    if not name:
        return None
    if name not in tensors:
        raise ModelError(f"{_named(node)} must have {name!r} as a constant: branches are not read")
    array = array_of(tensors[name])
    if not np.isfinite(array).all():
        raise ModelError(f"array {name!r} must be finite, got NaN or infinity")
    if name in used and array.size > 8:  # as a shape may be
        raise ModelError(f"{_named(node)} shares {name!r} with another operator")
    used.add(name)
    return array


def _attributes(node: "NodeProto") -> dict[str, Any]:
    """Return the attributes of a node: numbers, texts, and lists of numbers."""
    attributes: dict[str, Any] = {}
    for each in node.attribute:
        if each.type not in ATTRIBUTES:
            raise ModelError(f"{_named(node)}: its attribute {each.name!r} is no number or text")
        value = getattr(each, ATTRIBUTES[each.type])
        if isinstance(value, bytes):
            value = value.decode(errors="replace")
        attributes[each.name] = value if isinstance(value, str | int | float) else list(value)
    return attributes


def _named(node: "NodeProto") -> str:
    return f"{node.op_type} {node.name or ', '.join(node.output)!r}"
