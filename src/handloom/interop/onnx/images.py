"""Layers of images as nodes of a graph.

onnxruntime has float32 versions only of convolution and average pooling. In float64 they are
composed of the pixels that each entry of a window covers, for all windows at once.
"""

from collections.abc import Mapping

import numpy as np

from handloom.interop.onnx.graph import Converter, Graph, Shape
from handloom.layers import AveragePool2D, Conv2D, GlobalAveragePool2D, Layer, MaxPool2D
from handloom.layers.windows import Windows

FILTERS_FIRST, FILTERS_LAST = (3, 2, 0, 1), (2, 3, 1, 0)
"""The axes of convolution weights, from (k, k, c, f) to ONNX's (f, c, k, k), and back."""


def _conv2d(graph: Graph, name: str, layer: Conv2D, x: str, shape: Shape) -> str:
    windows = Windows.over(layer.kind, shape, layer.size, layer.stride, layer.padding)
    weights = layer.weights["weights"].transpose(FILTERS_FIRST)
    w = graph.constant(f"{name}.weights", weights)
    b = [graph.constant(f"{name}.biases", layer.weights["biases"])] if layer.biases else []
    if graph.dtype == np.float64:
        return _conv2d_in_float64(graph, name, windows, x, w, b)
    top, below, left, right = windows.margins
    return graph.add(
        "Conv",
        x,
        w,
        *b,
        name=name,
        kernel_shape=[layer.size, layer.size],
        strides=[layer.stride, layer.stride],
        pads=[top, left, below, right],
    )


def _conv2d_in_float64(
    graph: Graph, name: str, windows: Windows, x: str, w: str, b: list[str]
) -> str:
    """Add a convolution as one matrix product of all windows (im2col), channels last."""
    top, below, left, right = windows.margins
    pads = graph.integers(f"{name}.pads", 0, top, left, 0, 0, below, right, 0)
    x = graph.add("Transpose", x, name=f"{name}.channels_last", perm=[0, 2, 3, 1])
    x = graph.add("Pad", x, pads, name=f"{name}.padded")
    entries = _entries(graph, name, windows, x, axes=(1, 2))
    columns = graph.add("Concat", *entries, name=f"{name}.windows", axis=3)
    matrix = graph.add("Transpose", w, name=f"{name}.filters_last", perm=list(FILTERS_LAST))
    inputs, filters = windows.size**2 * windows.channels, graph.constants[w].shape[0]
    sizes = graph.integers(f"{name}.matrix_shape", inputs, filters)
    matrix = graph.add("Reshape", matrix, sizes, name=f"{name}.matrix")
    y = graph.add("MatMul", columns, matrix, name=f"{name}.products")
    for biases in b:
        y = graph.add("Add", y, biases, name=f"{name}.sums")
    return graph.add("Transpose", y, name=name, perm=[0, 3, 1, 2])


def _max_pool(graph: Graph, name: str, layer: MaxPool2D, x: str, shape: Shape) -> str:
    return _pool(graph, "MaxPool", name, layer, x)


def _average_pool(graph: Graph, name: str, layer: AveragePool2D, x: str, shape: Shape) -> str:
    if graph.dtype == np.float32:
        return _pool(graph, "AveragePool", name, layer, x)
    windows = Windows.over(layer.kind, shape, layer.size, layer.stride, "valid")
    sums = graph.add("Sum", *_entries(graph, name, windows, x, axes=(2, 3)), name=f"{name}.sums")
    return graph.add("Mul", sums, graph.constant(f"{name}.share", layer.size**-2), name=name)


def _pool(graph: Graph, operator: str, name: str, layer: MaxPool2D | AveragePool2D, x: str) -> str:
    size, stride = layer.size, layer.stride
    return graph.add(operator, x, name=name, kernel_shape=[size, size], strides=[stride, stride])


def _global_average(
    graph: Graph, name: str, layer: GlobalAveragePool2D, x: str, shape: Shape
) -> str:
    return graph.mean(x, (2, 3), name=name)


def _entries(graph: Graph, name: str, windows: Windows, x: str, axes: tuple[int, int]) -> list[str]:
    """Add for each entry of a window, in row-major order, its pixels in all windows."""
    at = graph.integers(f"{name}.axes", *axes)
    steps = graph.integers(f"{name}.steps", windows.stride, windows.stride)
    entries = []
    for _, rows, columns in windows.steps():
        start = graph.integers(f"{name}.start", rows.start, columns.start)
        stop = graph.integers(f"{name}.stop", rows.stop, columns.stop)
        entries.append(graph.add("Slice", x, start, stop, at, steps, name=f"{name}.entry"))
    return entries


IMAGES: Mapping[type[Layer], Converter] = {
    Conv2D: _conv2d,
    MaxPool2D: _max_pool,
    AveragePool2D: _average_pool,
    GlobalAveragePool2D: _global_average,
}
"""The converters of this file by the class of the layer."""
