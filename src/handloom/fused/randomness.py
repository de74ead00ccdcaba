"""Compiled version of `handloom.randomness.philox`: NumPy's Philox-4x64-10, bit for bit."""

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from handloom.fused.compiling import compiled

COMPILES = "handloom.randomness"

ROUNDS = 10
# the multipliers and the Weyl sequence of the key: Salmon, Moraes, Dror, Shaw, "Parallel Random
# Numbers: As Easy as 1, 2, 3", SC 2011
M0, M1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
W0, W1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)


def philox(
    key: npt.NDArray[np.uint64], counter: npt.NDArray[np.uint64], out: npt.NDArray[np.uint64]
) -> None:
    """Write the words that Philox draws from a counter on."""
    _philox(key, counter, out)


def _upper_half(_: Any, a: Any, b: Any) -> Any:
    """Generate the upper 64 bits of a product: the processor computes 128, Numba has 64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide, word = ir.IntType(128), ir.IntType(64)
        product = builder.mul(*(builder.zext(factor, wide) for factor in arguments))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), word)

    return types.uint64(types.uint64, types.uint64), generate


_high_word: Any = intrinsic(_upper_half)


@compiled
def _philox(key, counter, out):  # type: ignore[no-untyped-def]
    one, zero = np.uint64(1), np.uint64(0)
    n0, n1, n2, n3 = counter[0], counter[1], counter[2], counter[3]
    for start in range(0, len(out), 4):
        n0 += one  # the counter is 256 bits wide
        if n0 == zero:
            n1 += one
            if n1 == zero:
                n2 += one
                if n2 == zero:
                    n3 += one
        c0, c1, c2, c3 = n0, n1, n2, n3
        k0, k1 = key[0], key[1]
        for _ in range(ROUNDS):
            high0, high1 = _high_word(M0, c0), _high_word(M1, c2)
            c0, c1, c2, c3 = high1 ^ c1 ^ k0, M1 * c2, high0 ^ c3 ^ k1, M0 * c0
            k0 += W0
            k1 += W1
        words = (c0, c1, c2, c3)
        for i in range(min(4, len(out) - start)):
            out[start + i] = words[i]


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the function compiled; it is the same for any dtype."""
    philox(np.zeros(2, np.uint64), np.zeros(4, np.uint64), np.zeros(1, np.uint64))
