"""Losses of rows and their gradients, compiled: part of ``fast``."""

import math

from handloom.fused.compiling import compiled
from handloom.fused.exponential import exponential


@compiled
def softmax_cross_entropy(logits, targets, known, out, losses):  # type: ignore[no-untyped-def]
    """Write ``softmax(logits) - onehot(targets)`` and the loss of each row."""
    _shift(logits, targets, out, losses)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            out[row, column] = exponential(out[row, column], known)
    _normalize(targets, out, losses)


@compiled
def binary_cross_entropy(logits, targets, known, out, losses):  # type: ignore[no-untyped-def]
    """Write ``sigmoid(logits) - targets`` and the loss of each row, summed over outputs."""
    zero, one = out.dtype.type(0), out.dtype.type(1)
    for row in range(logits.shape[0]):
        losses[row] = 0.0
        for column in range(logits.shape[1]):
            z, t = logits[row, column], targets[row, column]
            small = exponential(-abs(z), known)
            losses[row] += (zero if z < zero else z) - t * z + math.log1p(small)
            out[row, column] = (one if z > zero else small) / (one + small) - t


@compiled
def _shift(logits, targets, out, losses):  # type: ignore[no-untyped-def]
    """Subtract each row's maximum; note what the class's logit is then."""
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
    """Divide exponentials by their sum, and take the class's one away."""
    for row in range(out.shape[0]):
        total = out.dtype.type(0)
        for column in range(out.shape[1]):
            total += out[row, column]
        losses[row] = math.log(total) - losses[row]
        for column in range(out.shape[1]):
            out[row, column] /= total
        out[row, targets[row]] -= out.dtype.type(1)
