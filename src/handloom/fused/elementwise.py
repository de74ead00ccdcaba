"""Activations by their code: compiled code applies them to the output of a dense layer.

The derivative of most activations is computed from their output. That of SiLU and GELU needs the
input, so the forward pass writes it beside the output.
"""

import math
from typing import Any

from handloom.fused.compiling import compiled_inline, compiled_inner
from handloom.fused.exponential import exponential_less_one

NONE, RELU, LEAKY_RELU, ELU, TANH, SIGMOID, SILU, GELU = range(8)
ACTIVATIONS = {
    "": NONE,
    "relu": RELU,
    "leaky_relu": LEAKY_RELU,
    "elu": ELU,
    "tanh": TANH,
    "sigmoid": SIGMOID,
    "silu": SILU,
    "gelu": GELU,
}
STORES_SLOPES = frozenset({SILU, GELU})

GELU_SCALE, GELU_CUBE = 2.0 * math.sqrt(2.0 / math.pi), 0.044715


@compiled_inner
def add_biases_and_activate(activation, parameter, biases, constants, y, slopes):  # type: ignore[no-untyped-def]
    """Write ``f(y + biases)`` over ``y``.

    Parameters
    ----------
    activation : int
    parameter : float
        The slope of leaky ReLU, the alpha of ELU.
    biases : array, shape (h,)
    constants : array
        See `handloom.fused.exponential.exp_constants`.
    y : array, shape (n, h)
    slopes : array, shape (n, h)
        Overwritten with the derivatives, for SiLU and GELU.
    """
    if activation == RELU:
        _relu(biases, y)
    elif activation == NONE:
        _identity(biases, y)
    elif activation == LEAKY_RELU:
        _leaky_relu(y.dtype.type(parameter), biases, y)
    elif activation == ELU:
        _elu(y.dtype.type(parameter), biases, constants, y)
    elif activation == TANH:
        _tanh(biases, constants, y)
    elif activation == SIGMOID:
        _sigmoid(biases, constants, y)
    elif activation == SILU:
        _silu(biases, constants, y, slopes)
    else:
        _gelu(biases, constants, y, slopes)


@compiled_inner
def _identity(biases, y):  # type: ignore[no-untyped-def]
    for row in range(len(y)):
        for i in range(len(biases)):
            y[row, i] += biases[i]


@compiled_inner
def _relu(biases, y):  # type: ignore[no-untyped-def]
    zero = y.dtype.type(0)
    for row in range(len(y)):
        line = y[row]
        for i in range(len(line)):
            z = line[i] + biases[i]
            line[i] = zero if z < zero else z


@compiled_inner
def _leaky_relu(slope, biases, y):  # type: ignore[no-untyped-def]
    zero = y.dtype.type(0)
    for row in range(len(y)):
        line = y[row]
        for i in range(len(line)):
            z = line[i] + biases[i]
            line[i] = slope * z if z < zero else z


@compiled_inner
def _elu(alpha, biases, constants, y):  # type: ignore[no-untyped-def]
    zero = y.dtype.type(0)
    for row in range(len(y)):
        line = y[row]
        for i in range(len(line)):
            z = line[i] + biases[i]
            e = alpha * exponential_less_one(zero if z > zero else z, constants)
            line[i] = z if z > zero else e


@compiled_inner
def _tanh(biases, constants, y):  # type: ignore[no-untyped-def]
    two = y.dtype.type(2)
    for row in range(len(y)):
        line = y[row]
        for i in range(len(line)):
            e = exponential_less_one(two * (line[i] + biases[i]), constants)
            line[i] = e / (e + two)


@compiled_inner
def _sigmoid(biases, constants, y):  # type: ignore[no-untyped-def]
    for row in range(len(y)):
        line = y[row]
        for i in range(len(line)):
            line[i] = _sigmoid_of(line[i] + biases[i], constants)


@compiled_inner
def _silu(biases, constants, y, slopes):  # type: ignore[no-untyped-def]
    one = y.dtype.type(1)
    for row in range(len(y)):
        line, slope = y[row], slopes[row]
        for i in range(len(line)):
            z = line[i] + biases[i]
            s = _sigmoid_of(z, constants)
            line[i] = z * s
            slope[i] = s * (one + z * (one - s))


@compiled_inner
def _gelu(biases, constants, y, slopes):  # type: ignore[no-untyped-def]
    real = y.dtype.type
    one, three, scale, cube = real(1), real(3), real(GELU_SCALE), real(GELU_CUBE)
    for row in range(len(y)):
        line, slope = y[row], slopes[row]
        for i in range(len(line)):
            z = line[i] + biases[i]
            s = _sigmoid_of(scale * (z + cube * z * z * z), constants)
            line[i] = z * s
            slope[i] = s * (one + z * scale * (one + three * cube * z * z) * (one - s))


@compiled_inline
def _sigmoid_of(z: Any, constants: Any) -> Any:
    real = constants.dtype.type
    return real(1) / (exponential_less_one(-z, constants) + real(2))


@compiled_inner
def multiply_by_slopes(activation, parameter, y, slopes, dy):  # type: ignore[no-untyped-def]
    """Multiply ``dy`` by ``f'(x)``, where ``y = f(x)``; all flat, and ``slopes`` as above."""
    real = y.dtype.type
    zero, one, parameter = real(0), real(1), real(parameter)
    if activation == RELU:
        for i in range(len(y)):
            dy[i] = dy[i] if y[i] > zero else zero
    elif activation == LEAKY_RELU:
        for i in range(len(y)):
            dy[i] *= one if y[i] > zero else parameter
    elif activation == ELU:
        for i in range(len(y)):
            dy[i] *= one if y[i] > zero else y[i] + parameter
    elif activation == TANH:
        for i in range(len(y)):
            dy[i] *= one - y[i] * y[i]
    elif activation == SIGMOID:
        for i in range(len(y)):
            dy[i] *= y[i] * (one - y[i])
    elif activation != NONE:
        for i in range(len(y)):
            dy[i] *= slopes[i]
