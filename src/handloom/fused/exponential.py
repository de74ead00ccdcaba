"""The exponential function as a polynomial, so that the compiler can vectorize loops with it.

With ``x = k ln 2 + r`` and ``|r| <= ln 2 / 2``::

    e^x     = 2^k (e^r - 1) + 2^k
    e^x - 1 = 2^k (e^r - 1) + (2^k - 1)

where ``e^r - 1`` is its Taylor polynomial, and ``k`` is read from the last bits of a sum with a
constant so large that the sum rounds to a whole number. The error is at most 2 ulp.
"""

from functools import cache
from math import factorial
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from handloom.fused.compiling import compiled_inline
from handloom.operations import Array

_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13 = (
    1.0 / factorial(power) for power in range(1, 14)
)
LOG2_E = 1.4426950408889634


@cache
def exp_constants(dtype: np.dtype[Any]) -> Array:
    """Return the constants of a dtype for the functions below.

    They are the largest argument, a number whose last bit has the value 1, and ln 2 as a sum of two
    terms, the first with so few bits that its product with ``k`` is exact.
    """
    if dtype == np.float32:
        return np.array([80.0, 1.5 * 2.0**23, 0.693359375, -2.12194440e-4], dtype)
    return np.array([700.0, 1.5 * 2.0**52, 0.6931471803691238, 1.9082149292705877e-10], dtype)


def _power(_: Any, shifted: Any) -> Any:
    """Generate ``2^k`` from ``k + 1.5 * 2^52``, or ``2^23`` in float32, by shifting bits."""
    bits, fraction, bias = (64, 52, 1023) if shifted == types.float64 else (32, 23, 127)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = ir.IntType(bits)
        exponent = builder.shl(builder.bitcast(arguments[0], whole), ir.Constant(whole, fraction))
        power = builder.add(exponent, ir.Constant(whole, bias << fraction))
        return builder.bitcast(power, arguments[0].type)

    return shifted(shifted), generate


_power_of_two: Any = intrinsic(_power)


@compiled_inline
def _parts(x: Any, constants: Any) -> Any:
    """Return ``2^k`` and ``e^r - 1``."""
    real = constants.dtype.type
    x = constants[0] if x > constants[0] else (-constants[0] if x < -constants[0] else x)
    shifted = x * real(LOG2_E) + constants[1]
    k = shifted - constants[1]
    r = (x - k * constants[2]) - k * constants[3]
    p = real(_13)
    p = p * r + real(_12)
    p = p * r + real(_11)
    p = p * r + real(_10)
    p = p * r + real(_9)
    p = p * r + real(_8)
    p = p * r + real(_7)
    p = p * r + real(_6)
    p = p * r + real(_5)
    p = p * r + real(_4)
    p = p * r + real(_3)
    p = p * r + real(_2)
    p = p * r + real(_1)
    return _power_of_two(shifted), p * r


@compiled_inline
def exponential(x: Any, constants: Any) -> Any:
    """Return ``e^x``; ``x`` is clipped to the range of its dtype, a NaN stays one."""
    scale, rest = _parts(x, constants)
    return scale * rest + scale


@compiled_inline
def exponential_less_one(x: Any, constants: Any) -> Any:
    """Return ``e^x - 1``, accurate for small ``x`` too; see `exponential`."""
    scale, rest = _parts(x, constants)
    return scale * rest + (scale - constants.dtype.type(1))
