"""From a layer to the source of the PyTorch module that computes the same, and its state."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.errors import ModelError
from handloom.interop.torch import classes
from handloom.interop.torch.arrays import state_of
from handloom.layers import (
    ELU,
    GELU,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePool2D,
    Layer,
    LayerNorm,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Reshape,
    Residual,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from handloom.layers.windows import Windows

Shape = tuple[int, ...]


@dataclass(frozen=True)
class ModuleSource:
    """The source of a PyTorch module that computes a layer, and the arrays of the module.

    Parameters
    ----------
    call : str
        The expression that makes the module: ``"nn.Linear(784, 32)"``. It knows ``torch``, ``nn``
        and the classes of ``classes``. It may have several lines.
    state : mapping of str to array
        The arrays of the module by its own names, ``"weight"``, in its own order of axes; empty if
        there are none, or the layer is not built.
    classes : tuple of str
        The source of each class that the call needs and PyTorch does not have.
    """

    call: str
    state: Mapping[str, npt.NDArray[np.generic]] = field(default_factory=dict)
    classes: tuple[str, ...] = ()


def source_of(name: str, layer: Layer, shape: Shape) -> ModuleSource:
    """Return the source of a layer's module.

    A layer of a class of your own brings a method ``to_torch(shape)`` that returns its
    `ModuleSource`. It is called only if the layer's own class defines it, since a subclass may
    override `forward`.

    Parameters
    ----------
    name : str
        The name of the layer, for errors.
    layer : Layer
        Its arrays are the state of the module, if it is built.
    shape : tuple of int
        The shape of a row of its input.

    Raises
    ------
    ModelError
        If the layer has no counterpart.
    """
    kind = type(layer)
    if type(layer) is Residual:
        return _residual(name, layer, shape)
    if "to_torch" in vars(kind):
        exported: Any = layer
        source = exported.to_torch(shape)
        if not isinstance(source, ModuleSource):
            raise ModelError(
                f"layer {name}: to_torch of {kind.__name__} must return a "
                f"handloom.interop.torch.ModuleSource, got {type(source).__name__}"
            )
        return source
    if kind in WITHOUT_OPTIONS:
        return ModuleSource(WITHOUT_OPTIONS[kind])
    if kind not in WITH_OPTIONS:
        raise ModelError(
            f"layer {name}: {kind.__name__} has no counterpart in PyTorch: give the class a method "
            "to_torch(self, shape) that returns a handloom.interop.torch.ModuleSource: the call "
            "that makes its module, the state of the module, and the source of its class"
        )
    call = WITH_OPTIONS[kind](layer, shape)
    frozen = bool(layer.weights) and not layer.trainable
    own = [source for name, source in OWN_CLASSES.items() if call.startswith(f"{name}(")]
    return ModuleSource(
        f"{call}.requires_grad_(False)" if frozen else call, state_of(layer), tuple(own)
    )


def source_of_chain(named: list[tuple[str, Layer]], shape: Shape, path: str = "") -> ModuleSource:
    """Return the source of an ``nn.Sequential`` of layers, a module for each.

    Parameters
    ----------
    named : list of (str, Layer)
        The layers with their names, as `handloom.Sequential.named_layers` returns them.
    shape : tuple of int
        The shape of a row of the first layer's input.
    path : str
        In front of the names of layers in errors.

    Raises
    ------
    ModelError
        If a layer has no counterpart.
    """
    calls: list[str] = []
    state: dict[str, npt.NDArray[np.generic]] = {}
    own: list[str] = []
    for index, (name, layer) in enumerate(named):
        source = source_of(f"{path}{name}", layer, shape)
        calls.append(source.call)
        state |= {f"{index}.{array}": values for array, values in source.state.items()}
        own += [each for each in source.classes if each not in own]
        shape = layer.output_shape(shape)
    return ModuleSource(call_of("nn.Sequential", *calls), state, tuple(own))


def call_of(name: str, *arguments: str) -> str:
    """Return a call of other calls, one to a line."""
    lines = [f"    {line}" for each in arguments for line in f"{each},".splitlines()]
    return "\n".join([f"{name}(", *lines, ")"]) if lines else f"{name}()"


def _residual(name: str, layer: Residual, shape: Shape) -> ModuleSource:
    """Return a block and its shortcut; an empty shortcut passes its input on."""
    sources = {
        branch: source_of_chain(chain.named, shape, f"{name}.{branch}.")
        for branch, chain in layer.branches.items()
    }
    state = {
        f"{branch}.{array}": values
        for branch, source in sources.items()
        for array, values in source.state.items()
    }
    own = [each for source in sources.values() for each in source.classes]
    calls = [source.call for branch, source in sources.items() if len(layer.branches[branch])]
    return ModuleSource(
        call_of("Residual", *calls), state, tuple(dict.fromkeys([*own, classes.RESIDUAL]))
    )


def _convolution(layer: Conv2D, shape: Shape) -> str:
    windows = Windows.over(layer.kind, shape, layer.size, layer.stride, layer.padding)
    options: dict[str, object] = {"stride": layer.stride} if layer.stride > 1 else {}
    bias = {} if layer.biases else {"bias": False}
    padding: object = layer.padding if isinstance(layer.padding, int) else 0
    name = "nn.Conv2d"
    if layer.padding == "same":  # PyTorch's takes no strides
        top, below, left, right = windows.margins
        if (top, left) == (below, right):
            padding = top if top == left else (top, left)
        else:
            name, options["zeros"] = "PaddedConv2d", (left, right, top, below)
    if padding:
        options["padding"] = padding
    return _call(name, windows.channels, layer.filters, layer.size, **options, **bias)


def _batch_norm(layer: BatchNorm, shape: Shape) -> str:
    """Return PyTorch's batch norm, whose momentum is the fraction of the new statistics."""
    name = "nn.BatchNorm2d" if len(shape) == 3 else "nn.BatchNorm1d"
    momentum = float(f"{1.0 - layer.momentum:.12g}")  # 0.1, not 0.09999999999999998
    options = {"momentum": momentum} if momentum != 0.1 else {}
    return _call(name, shape[0], **_epsilon(layer), **options)


def _epsilon(layer: BatchNorm | LayerNorm) -> dict[str, object]:
    return {"eps": layer.epsilon} if layer.epsilon != 1e-5 else {}


def _pooling(name: str) -> Callable[[Any, Shape], str]:
    def call(layer: MaxPool2D | AveragePool2D, shape: Shape) -> str:
        options = {} if layer.stride == layer.size else {"stride": layer.stride}
        return _call(name, layer.size, **options)

    return call


def _reshape(layer: Reshape, shape: Shape) -> str:
    if len(layer.shape) == 1:
        return "nn.Flatten()"
    unflatten = _call("nn.Unflatten", 1, layer.shape)
    return unflatten if len(shape) == 1 else f"nn.Sequential(nn.Flatten(), {unflatten})"


def _embedding(layer: Embedding, shape: Shape) -> str:
    specs = layer.declare(shape).values()
    tables = {column: spec.shape for column, spec in zip(layer.columns, specs, strict=True)}
    return _call("ColumnEmbedding", tables)


def _call(name: str, *values: object, **options: object) -> str:
    arguments = [*map(repr, values), *(f"{key}={value!r}" for key, value in options.items())]
    return f"{name}({', '.join(arguments)})"


def _dense(layer: Dense, shape: Shape) -> str:
    return _call("nn.Linear", shape[0], layer.units)


def _dropout(layer: Dropout, shape: Shape) -> str:
    return _call("nn.Dropout", layer.rate)


def _elu(layer: ELU, shape: Shape) -> str:
    return _call("nn.ELU", layer.alpha)


def _leaky_relu(layer: LeakyReLU, shape: Shape) -> str:
    return _call("nn.LeakyReLU", layer.slope)


def _layer_norm(layer: LayerNorm, shape: Shape) -> str:
    return _call("nn.LayerNorm", shape if len(shape) > 1 else shape[0], **_epsilon(layer))


WITHOUT_OPTIONS: Mapping[type[Layer], str] = {
    Flatten: "nn.Flatten()",
    GELU: 'nn.GELU(approximate="tanh")',
    GlobalAveragePool2D: "nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())",
    ReLU: "nn.ReLU()",
    Sigmoid: "nn.Sigmoid()",
    SiLU: "nn.SiLU()",
    Softmax: "nn.Softmax(dim=1)",
    Tanh: "nn.Tanh()",
}
"""The call of the module of each class of layers without options."""

WITH_OPTIONS: Mapping[type[Layer], Callable[[Any, Shape], str]] = {
    AveragePool2D: _pooling("nn.AvgPool2d"),
    BatchNorm: _batch_norm,
    Conv2D: _convolution,
    Dense: _dense,
    Dropout: _dropout,
    ELU: _elu,
    Embedding: _embedding,
    LayerNorm: _layer_norm,
    LeakyReLU: _leaky_relu,
    MaxPool2D: _pooling("nn.MaxPool2d"),
    Reshape: _reshape,
}
"""From a layer of another class, and the shape of a row of its input, to the call of its module."""

OWN_CLASSES = {
    "ColumnEmbedding": classes.COLUMN_EMBEDDING,
    "PaddedConv2d": classes.PADDED_CONVOLUTION,
}
"""The classes of `handloom.interop.torch.classes` by their names in calls."""
