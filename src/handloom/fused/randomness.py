"""Compiled version of `handloom.randomness.philox`: NumPy's Philox-4x64-10, bit for bit."""

from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.fused.compiling import compiled, compiled_inline

COMPILES = "handloom.randomness"

ROUNDS = 10
# Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011, table 2 and section 3.3
M0, M1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
W0, W1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
LOW, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


def philox(
    key: npt.NDArray[np.uint64], counter: npt.NDArray[np.uint64], out: npt.NDArray[np.uint64]
) -> None:
    """Write the words that Philox draws from a counter on."""
    _philox(key, counter, out)


@compiled_inline
def _high_word(a: Any, b: Any) -> Any:
    """Return the upper 64 bits of the product of two 64-bit integers."""
    a0, a1, b0, b1 = a & LOW, a >> HALF, b & LOW, b >> HALF
    middle = a1 * b0 + ((a0 * b0) >> HALF)
    return a1 * b1 + (middle >> HALF) + ((a0 * b1 + (middle & LOW)) >> HALF)


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
