"""Losses by their code: the loss of one row of logits, and its gradient.

They are the losses of `handloom.losses`, computed row by row.
"""

import math

import numpy as np

from handloom.fused.compiling import compiled_inner
from handloom.fused.exponential import exponential
from handloom.operations import CrossEntropy, LossOperation, SigmoidCrossEntropy

SOFTMAX, SIGMOID, SQUARED, ABSOLUTE, HUBER, PINBALL, POISSON = range(7)
ERRORS = {
    "squared": SQUARED,
    "absolute": ABSOLUTE,
    "huber": HUBER,
    "pinball": PINBALL,
    "poisson": POISSON,
}


def code_of(loss: LossOperation) -> tuple[int, float]:
    """Return the code of a loss, and its parameter: smoothing, factor, delta or quantile."""
    if isinstance(loss, CrossEntropy):
        return SOFTMAX, loss.label_smoothing
    if isinstance(loss, SigmoidCrossEntropy):
        return SIGMOID, 0.0
    return ERRORS[loss.function], loss.parameter


@compiled_inner
def row_loss(loss, parameter, constants, z, row, label, t, at, out, shifts):  # type: ignore[no-untyped-def]
    """Return the loss of a row, and write its gradient.

    For the softmax, `softmax_rows` has written ``out`` and ``shifts``.

    Parameters
    ----------
    loss : int
    parameter : float
        See `code_of`.
    constants : array
        See `handloom.fused.exponential.exp_constants`.
    z, row : array, shape (n, k), and int
        The logits, and the row of them. A view of the row would take longer than its loss.
    label : int
        The class, or -1 if ``t`` has the targets.
    t, at : array, shape (N, k), and int
        The targets, and the row of them; unused with a class.
    out : array, shape (n, k)
    shifts : array, shape (n, 2)
        The largest logit, and the sum of the exponentials of the shifted ones.
    """
    if loss == SOFTMAX:
        if label >= 0:
            return _loss_of_class(parameter, z, row, label, out, shifts)
        return _loss_of_probabilities(parameter, z, row, t, at, out, shifts)
    if loss == SIGMOID:
        return _binary(constants, z, row, t, at, out)
    return _error(loss, parameter, z, row, t, at, out)


@compiled_inner
def softmax_rows(constants, z, out, shifts):  # type: ignore[no-untyped-def]
    """Write the softmax of rows of logits, shape (n, k), and `row_loss`'s ``shifts``."""
    (n, k), lowest, zero = z.shape, z.dtype.type(-60), z.dtype.type(0)
    for row in range(n):
        highest = z[row, 0]
        for j in range(k):
            v = z[row, j]
            highest = highest if v <= highest else v  # a NaN stays one
        for j in range(k):
            v = z[row, j] - highest
            out[row, j] = lowest if v < lowest else v
        shifts[row, 0] = highest
    flat = out.reshape(-1)  # short rows would leave most of a vector empty
    for i in range(len(flat)):
        flat[i] = exponential(flat[i], constants)
    for row in range(n):
        total = zero
        for j in range(k):
            total += out[row, j]
        share = z.dtype.type(1) / total
        for j in range(k):
            out[row, j] *= share
        shifts[row, 1] = total


@compiled_inner
def _loss_of_class(smoothing, z, row, label, out, shifts):  # type: ignore[no-untyped-def]
    real, k, highest = z.dtype.type, z.shape[1], shifts[row, 0]
    loss = math.log(shifts[row, 1]) - (1.0 - smoothing) * (z[row, label] - highest)
    if smoothing > 0.0:
        share = smoothing / k
        for j in range(k):
            loss -= share * (z[row, j] - highest)
            out[row, j] -= real(share)
    out[row, label] -= real(1.0 - smoothing)
    return loss


@compiled_inner
def _loss_of_probabilities(smoothing, z, row, t, at, out, shifts):  # type: ignore[no-untyped-def]
    real, k, highest = z.dtype.type, z.shape[1], shifts[row, 0]
    whole = real(0)
    for j in range(k):
        whole += t[at, j]
    loss, share = math.log(shifts[row, 1]) * whole, smoothing / k * whole
    for j in range(k):
        target = (1.0 - smoothing) * t[at, j] + share
        loss -= target * (z[row, j] - highest)
        out[row, j] = out[row, j] * whole - real(target)
    return loss


@compiled_inner
def _binary(constants, z, row, t, at, out):  # type: ignore[no-untyped-def]
    zero, one, loss = z.dtype.type(0), z.dtype.type(1), 0.0
    for j in range(z.shape[1]):
        logit = z[row, j]
        small = exponential(-abs(logit), constants)
        positive = logit > zero
        loss += ((one if positive else zero) - t[at, j]) * logit + math.log1p(small)
        out[row, j] = (one if positive else small) / (one + small) - t[at, j]
    return loss


@compiled_inner
def _error(loss, parameter, z, row, t, at, out):  # type: ignore[no-untyped-def]
    real = z.dtype.type
    total, k = 0.0, z.shape[1]
    for j in range(k):
        e = z[row, j] - t[at, j]
        if loss == SQUARED:
            total += parameter * (e * e) / k
            out[row, j] = real(2.0 * parameter / k) * e
        elif loss == ABSOLUTE:
            total += abs(e) / k
            out[row, j] = real(1.0 / k) * (real(1) if e > 0 else (real(-1) if e < 0 else e))
        elif loss == HUBER:
            delta = real(parameter)
            clipped = delta if e > delta else (-delta if e < -delta else e)
            total += clipped * (e - real(0.5) * clipped) / k
            out[row, j] = real(1.0 / k) * clipped
        elif loss == PINBALL:
            q = real(parameter)
            slope = real(1) - q if e > 0 else (-q if e < 0 else e)
            total += slope * e / k
            out[row, j] = real(1.0 / k) * slope
        else:
            # in float64: the terms of a large count cancel almost entirely
            logit, target = np.float64(z[row, j]), np.float64(t[at, j])
            error = math.exp(logit) - target
            log_target = math.log(target) if target > 0 else 0.0
            total += real(error - target * (logit - log_target))  # infinite like the gradient
            out[row, j] = real(error)
    return total


@compiled_inner
def row_is_correct(loss, z, row, label, t, at):  # type: ignore[no-untyped-def]
    """Return whether a row is predicted correctly, as the loss counts it."""
    if loss == SIGMOID:
        wrong = 0
        for j in range(z.shape[1]):
            wrong += (t[at, j] > 0.5) != (z[row, j] > 0)
        return wrong == 0
    k = z.shape[1]
    if label < 0:
        label = 0
        for j in range(k):
            label = j if t[at, j] > t[at, label] else label
    for j in range(k):  # of equal predictions the first one counts
        if z[row, j] > z[row, label] or (j < label and z[row, j] == z[row, label]):
            return False
    return True
