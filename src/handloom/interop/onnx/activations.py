"""Activation functions as nodes of a graph.

onnxruntime has no float64 version of some operators. There they are composed of others.
"""

from collections.abc import Mapping
from math import pi, sqrt

import numpy as np

from handloom.interop.onnx.graph import Converter, Graph, Shape
from handloom.layers import ELU, GELU, Layer, LeakyReLU, ReLU, Sigmoid, SiLU, Softmax, Tanh
from handloom.layers.gated import SATURATED


def _relu(graph: Graph, name: str, layer: ReLU, x: str, shape: Shape) -> str:
    return graph.add("Relu", x, name=name)


def _leaky_relu(graph: Graph, name: str, layer: LeakyReLU, x: str, shape: Shape) -> str:
    """Add LeakyRelu; in float64 ``max(x, slope x)``, the same for slopes up to 1."""
    if graph.dtype == np.float32:
        return graph.add("LeakyRelu", x, name=name, alpha=layer.slope)
    slope = graph.constant(f"{name}.slope", layer.slope)
    return graph.add("Max", x, graph.add("Mul", x, slope, name=f"{name}.negative"), name=name)


def _elu(graph: Graph, name: str, layer: ELU, x: str, shape: Shape) -> str:
    """Add Elu; in float64 of ``exp(z) - 1 = 2 t / (1 - t)``, with ``t = tanh(z / 2)``.

    For ``z = min(x, 0)`` neither side of the division cancels, so small ``x`` lose no digits.
    """
    if graph.dtype == np.float32:
        return graph.add("Elu", x, name=name, alpha=layer.alpha)
    zero, half, one = (graph.constant(f"{name}.{value}", value) for value in (0.0, 0.5, 1.0))
    double = graph.constant(f"{name}.double", 2.0 * layer.alpha)
    z = graph.add("Min", x, zero, name=f"{name}.negative")
    t = graph.add("Tanh", graph.add("Mul", z, half, name=f"{name}.half"), name=f"{name}.tanh")
    above = graph.add("Mul", t, double, name=f"{name}.above")
    below = graph.add("Sub", one, t, name=f"{name}.below")
    negative = graph.add("Div", above, below, name=f"{name}.expm1")
    return graph.add("Add", graph.add("Relu", x, name=f"{name}.positive"), negative, name=name)


def _tanh(graph: Graph, name: str, layer: Tanh, x: str, shape: Shape) -> str:
    return graph.add("Tanh", x, name=name)


def _sigmoid(graph: Graph, name: str, layer: Sigmoid, x: str, shape: Shape) -> str:
    return graph.add("Sigmoid", x, name=name)


def _silu(graph: Graph, name: str, layer: SiLU, x: str, shape: Shape) -> str:
    return graph.add("Mul", x, graph.add("Sigmoid", x, name=f"{name}.gate"), name=name)


def _gelu(graph: Graph, name: str, layer: GELU, x: str, shape: Shape) -> str:
    """Add ``x sigmoid(a (x + b x^3))``, with a gate that does not overflow."""
    a = 2.0 * sqrt(2.0 / pi)
    low, high = (graph.constant(f"{name}.{sign}", float(f"{sign}{SATURATED}")) for sign in "-+")
    cubic, linear = (
        graph.constant(f"{name}.{power}", value)
        for power, value in (("cubic", 0.044715 * a), ("linear", a))
    )
    z = graph.add("Clip", x, low, high, name=f"{name}.clipped")
    square = graph.add("Mul", z, z, name=f"{name}.square")
    inner = graph.add("Mul", square, cubic, name=f"{name}.cube")
    inner = graph.add("Add", inner, linear, name=f"{name}.slope")
    gate = graph.add("Sigmoid", graph.add("Mul", z, inner, name=f"{name}.v"), name=f"{name}.gate")
    return graph.add("Mul", x, gate, name=name)


def _softmax(graph: Graph, name: str, layer: Softmax, x: str, shape: Shape) -> str:
    return graph.add("Softmax", x, name=name, axis=1)


ACTIVATIONS: Mapping[type[Layer], Converter] = {
    ReLU: _relu,
    LeakyReLU: _leaky_relu,
    ELU: _elu,
    Tanh: _tanh,
    Sigmoid: _sigmoid,
    SiLU: _silu,
    GELU: _gelu,
    Softmax: _softmax,
}
"""The converters of this file by the class of the layer."""
