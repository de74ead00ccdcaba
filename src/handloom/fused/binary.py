"""Compiled versions of `handloom.losses.binary`."""

import math
from typing import Any

import numpy as np

from handloom.fused.compiling import compiled
from handloom.fused.exponential import exp_constants, exponential
from handloom.operations import Array

COMPILES = "handloom.losses.binary"


def binary_cross_entropy(logits: Array, targets: Array, out: Array, losses: Array) -> None:
    """Write ``sigmoid(logits) - targets`` and the loss of each row, summed over outputs."""
    _binary_cross_entropy(logits, targets, exp_constants(out.dtype), out, losses)


@compiled
def _binary_cross_entropy(logits, targets, constants, out, losses):  # type: ignore[no-untyped-def]
    zero, one = out.dtype.type(0), out.dtype.type(1)
    for row in range(logits.shape[0]):
        losses[row] = 0.0
        for column in range(logits.shape[1]):
            z, t = logits[row, column], targets[row, column]
            small = exponential(-abs(z), constants)
            losses[row] += ((one if z > zero else zero) - t) * z + math.log1p(small)
            out[row, column] = (one if z > zero else small) / (one + small) - t


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the functions compiled for a dtype."""
    square = np.zeros((2, 2), dtype)
    binary_cross_entropy(square, square, square.copy(), np.zeros(2))
