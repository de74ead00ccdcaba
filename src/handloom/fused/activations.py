"""Compiled versions of `handloom.layers.activations`, each a single pass over memory."""

from typing import Any

import numpy as np

from handloom.fused.compiling import compiled
from handloom.operations import Array

COMPILES = "handloom.layers.activations"


def relu(x: Array, out: Array) -> None:
    """Write ``max(x, 0)``; a NaN stays one."""
    (x, flat), write_back = _flat(x, out=out)
    _relu(x, flat)
    write_back()


def relu_backward(y: Array, dy: Array, out: Array) -> None:
    """Write ``dy`` where ``y > 0``, else 0."""
    (y, dy, flat), write_back = _flat(y, dy, out=out)
    _relu_backward(y, dy, flat)
    write_back()


@compiled
def _relu(x, out):  # type: ignore[no-untyped-def]
    zero = x.dtype.type(0)
    for i in range(len(x)):
        out[i] = zero if x[i] < zero else x[i]


@compiled
def _relu_backward(y, dy, out):  # type: ignore[no-untyped-def]
    zero = y.dtype.type(0)
    for i in range(len(y)):
        out[i] = dy[i] if y[i] > zero else zero


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the functions compiled for a dtype."""
    x = np.zeros(4, dtype)
    relu(x, x.copy())
    relu_backward(x, x, x.copy())


def _flat(*inputs: Array, out: Array) -> Any:
    """Return flat arrays, ``out`` last, and a function to call after ``out`` was written.

    Contiguous arrays whose entries are in the same order in memory are viewed; others are copied.
    """
    arrays = [*inputs, out]
    if all(array.flags.c_contiguous for array in arrays):
        return [array.reshape(-1) for array in arrays], _do_nothing
    raveled = [array.ravel(order="K") for array in arrays]
    same_order = all(array.strides == out.strides for array in arrays)
    if same_order and all(np.may_share_memory(*pair) for pair in zip(raveled, arrays, strict=True)):
        return raveled, _do_nothing
    contiguous = [np.ascontiguousarray(array).reshape(-1) for array in inputs]
    result = np.empty(out.size, out.dtype)
    return [*contiguous, result], lambda: np.copyto(out, result.reshape(out.shape))


def _do_nothing() -> None:
    pass
