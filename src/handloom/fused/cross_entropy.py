"""Compiled versions of `handloom.losses.cross_entropy`."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.fused.compiling import compiled
from handloom.fused.exponential import exp_constants, exponential
from handloom.operations import Array

COMPILES = "handloom.losses.cross_entropy"


def softmax_cross_entropy(
    logits: Array, targets: npt.NDArray[np.integer], out: Array, losses: Array
) -> None:
    """Write ``softmax(logits) - onehot(targets)`` and the loss of each row."""
    _softmax_cross_entropy(logits, targets, exp_constants(out.dtype), out, losses)


@compiled
def _softmax_cross_entropy(logits, targets, constants, out, losses):  # type: ignore[no-untyped-def]
    _shift(logits, targets, out, losses)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            out[row, column] = exponential(out[row, column], constants)
    _normalize(targets, out, losses)


@compiled
def _shift(logits, targets, out, losses):  # type: ignore[no-untyped-def]
    """Subtract each row's maximum; store the class's shifted logit in ``losses``."""
    lowest = out.dtype.type(-60)
    for row in range(logits.shape[0]):
        highest = logits[row, 0]
        for column in range(logits.shape[1]):
            value = logits[row, column]
            if not value <= highest:  # a NaN stays one
                highest = value
        losses[row] = logits[row, targets[row]] - highest
        for column in range(logits.shape[1]):
            value = logits[row, column] - highest
            out[row, column] = lowest if value < lowest else value


@compiled
def _normalize(targets, out, losses):  # type: ignore[no-untyped-def]
    """Divide exponentials by their sum, and subtract 1 at the class."""
    for row in range(out.shape[0]):
        total = out.dtype.type(0)
        for column in range(out.shape[1]):
            total += out[row, column]
        losses[row] = math.log(total) - losses[row]
        for column in range(out.shape[1]):
            out[row, column] /= total
        out[row, targets[row]] -= out.dtype.type(1)


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the functions compiled for a dtype."""
    square, targets = np.zeros((2, 2), dtype), np.zeros(2, np.int64)
    softmax_cross_entropy(square, targets, square.copy(), np.zeros(2, dtype))
