"""From standard operators of ONNX to layers, for `handloom.interop.onnx.sequence`."""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.interop.onnx.images import FILTERS_LAST
from handloom.interop.onnx.step import Step
from handloom.layers import (
    ELU,
    GELU,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePool2D,
    Layer,
    LayerNorm,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Reshape,
    Sigmoid,
    Softmax,
    Tanh,
)
from handloom.layers.windows import Windows

Arrays = dict[str, npt.NDArray[Any]]
Made = tuple[Layer, Arrays]

CONSTANTS = {
    "Dropout": 1,
    "Gemm": 2,
    "MatMul": 2,
    "Conv": 2,
    "BatchNormalization": 4,
    "LayerNormalization": 2,
    "Reshape": 1,
}
"""The largest number of constant inputs of each operator; other operators have none."""


def layers_of(step: Step) -> list[Made]:
    """Return the layers of an operator with their arrays; none if it changes nothing.

    Raises
    ------
    ModelError
        If it has no counterpart.
    """
    if step.operator not in OPERATORS:
        known = ", ".join(sorted(OPERATORS))
        raise step.refuse(f"has no counterpart; known are: {known}")
    if len(step.arrays) > (most := CONSTANTS.get(step.operator, 0)):
        raise step.refuse(f"must have at most {most} constant inputs, got {len(step.arrays)}")
    made = OPERATORS[step.operator](step)
    if step.attributes:
        raise step.refuse(f"has attributes without a counterpart: {', '.join(step.attributes)}")
    return made if isinstance(made, list) else [made]


def _nothing(step: Step) -> list[Made]:
    step.take("ratio", None)  # options of dropout in training
    step.take("seed", None)
    return []


def _gemm(step: Step) -> Made:
    step.expect(alpha=1.0, beta=1.0, transA=0)
    w = step.array(0, 2)
    w = w.T if step.take("transB", 0) else w
    return _dense(step, w, step.optional(1))


def _matmul(step: Step) -> Made:
    return _dense(step, step.array(0, 2), step.optional(1))


def _dense(step: Step, w: npt.NDArray[Any], b: npt.NDArray[Any] | None) -> Made:
    """Return a dense layer; biases may be a matrix of one row, or one for all units."""
    units = w.shape[1]
    if b is not None and b.shape not in ((units,), (1, units), (1,), ()):
        raise step.refuse(f"must add biases of shape {(units,)}, got shape {b.shape}")
    biases = np.zeros(units, w.dtype) if b is None else np.broadcast_to(b.ravel(), (units,))
    return Dense(units), {"weights": w, "biases": biases}


def _conv(step: Step) -> Made:
    c, *_ = step.image()
    w = step.array(0, 4)
    filters, channels, size, across = w.shape
    if channels != c or size != across:
        raise step.refuse(
            f"must have weights of shape (f, {c}, k, k), got shape {w.shape}: groups and windows "
            "that are not square have no counterpart"
        )
    step.expect(group=1, dilations=[1, 1], kernel_shape=[size, size])
    stride = step.side("strides", [1, 1])
    arrays = {"weights": w.transpose(FILTERS_LAST)}
    if len(step.arrays) > 1:
        arrays["biases"] = step.array(1, 1)
    padding = _padding(step, size, stride)
    layer = Conv2D(filters, size, stride=stride, padding=padding, biases=len(arrays) > 1)
    return layer, arrays


def _padding(step: Step, size: int, stride: int) -> int | str:
    """Return the padding with the margins of an operator, as far as windows reach."""
    automatic = step.take("auto_pad", "NOTSET")
    pads = step.take("pads", [0, 0, 0, 0])
    if automatic in ("SAME_UPPER", "VALID"):
        return "same" if automatic == "SAME_UPPER" else "valid"
    if automatic != "NOTSET" or len(pads) != 4 or min(pads) < 0:
        raise step.refuse(f"has padding without a counterpart: {automatic}, {pads}")
    top, left, below, right = pads
    c, y, x = step.image()
    rows, columns = (y + top + below - size) // stride + 1, (x + left + right - size) // stride + 1
    candidates: list[int | str] = ["same", *([top] if top == left and top < size else [])]
    for padding in reversed(candidates):
        windows = Windows.over("conv2d", (c, y, x), size, stride, padding)
        if (windows.top, windows.left, windows.rows, windows.columns) == (top, left, rows, columns):
            return padding
    raise step.refuse(f"has pads without a counterpart: {pads} around images of {y} x {x}")


def _batch_norm(step: Step) -> Made:
    step.expect(training_mode=0)
    names = ("scale", "shift", "running_mean", "running_variance")
    arrays = {name: step.array(index, 1) for index, name in enumerate(names)}
    if (arrays["running_variance"] < 0.0).any():
        raise step.refuse("must have variances of at least 0")
    layer = BatchNorm(epsilon=step.take("epsilon", 1e-5), momentum=step.take("momentum", 0.9))
    return layer, arrays


def _layer_norm(step: Step) -> Made:
    axes = len(step.shape)
    axis = step.take("axis", -1)
    if axis not in (1, -axes):
        raise step.refuse(f"must normalize over all {axes} axes of a row, got axis {axis}")
    step.expect(stash_type=1)
    scale = step.array(0)
    shift = step.optional(1)
    shift = np.zeros_like(scale) if shift is None else shift
    return LayerNorm(epsilon=step.take("epsilon", 1e-5)), {"scale": scale, "shift": shift}


def _without_options(kind: type[Layer]) -> Callable[[Step], Made]:
    return lambda _: (kind(), {})


def _leaky_relu(step: Step) -> Made:
    return LeakyReLU(step.take("alpha", 0.01)), {}


def _elu(step: Step) -> Made:
    return ELU(step.take("alpha", 1.0)), {}


def _gelu(step: Step) -> Made:
    if (form := step.take("approximate", "none")) != "tanh":
        raise step.refuse(f"must be in its tanh form (approximate 'tanh'), got {form!r}")
    return GELU(), {}


def _softmax(step: Step) -> Made:
    if len(step.shape) != 1 or step.take("axis", -1) not in (1, -1):
        raise step.refuse(f"must be over the entries of flat rows, got rows of {step.shape}")
    return Softmax(), {}


def _pool(kind: type[MaxPool2D | AveragePool2D]) -> Callable[[Step], Made]:
    def make(step: Step) -> Made:
        step.image()
        step.expect(pads=[0, 0, 0, 0], dilations=[1, 1], ceil_mode=0, storage_order=0)
        step.take("count_include_pad", 0)  # there is no padding
        if step.take("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
            raise step.refuse("must have no padding")
        size = step.side("kernel_shape", [])
        return kind(size, stride=step.side("strides", [1, 1])), {}

    return make


def _global_average(step: Step) -> list[Made]:
    """Return the layer, whose rows are flat; those of the operator are images of one pixel."""
    c, *_ = step.image()
    return [(GlobalAveragePool2D(), {}), (Reshape((c, 1, 1)), {})]


def _flatten(step: Step) -> Made:
    step.expect(axis=1)
    return Flatten(), {}


def _reshape(step: Step) -> Made:
    """Return the new shape of a row: 0 keeps a size, -1 stands for the rest of a row."""
    step.expect(allowzero=0)
    rows, *sizes = step.array(0, 1).tolist() or [0]
    entries = prod(step.shape)
    for index, size in enumerate(sizes):
        if size == 0 and index < len(step.shape):
            sizes[index] = step.shape[index]
    if sizes.count(-1) == 1:
        known = -prod(sizes)
        sizes[sizes.index(-1)] = entries // known if known > 0 else 0
    if rows not in (0, -1, 1) or min(sizes, default=0) < 1 or prod(sizes) != entries:
        raise step.refuse(
            f"must keep the rows of shape {step.shape} apart, got the shape {[rows, *sizes]}"
        )
    return Reshape(tuple(sizes)), {}


OPERATORS: Mapping[str, Callable[[Step], Made | list[Made]]] = {
    "Identity": _nothing,
    "Dropout": _nothing,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Conv": _conv,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "Relu": _without_options(ReLU),
    "LeakyRelu": _leaky_relu,
    "Elu": _elu,
    "Tanh": _without_options(Tanh),
    "Sigmoid": _without_options(Sigmoid),
    "Gelu": _gelu,
    "Softmax": _softmax,
    "MaxPool": _pool(MaxPool2D),
    "AveragePool": _pool(AveragePool2D),
    "GlobalAveragePool": _global_average,
    "Flatten": _flatten,
    "Reshape": _reshape,
}
"""The functions of this file by the name of the operator."""
