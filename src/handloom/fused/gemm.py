"""Matrix products from compiled code, by the BLAS that NumPy brought along.

Compiled loops cannot call NumPy, so they call what NumPy calls. Its wheels hold OpenBLAS under
names of their own; where NumPy was built with another library there is none to be found here, and
networks run layer by layer.
"""

import ctypes
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from handloom.fused.compiling import compiled_within

ROW_MAJOR, AS_IT_IS, TRANSPOSED = 101, 111, 112
NAMES = {np.dtype(np.float32): "scipy_cblas_sgemm64_", np.dtype(np.float64): "scipy_cblas_dgemm64_"}


@cache
def gemm_address(dtype: np.dtype[Any]) -> int | None:
    """Return where ``gemm`` for a dtype lies in memory, or None if it is not there to be called."""
    from threadpoolctl import threadpool_info

    for library in threadpool_info():
        if library["user_api"] != "blas":
            continue
        found = getattr(ctypes.CDLL(library["filepath"]), NAMES[dtype], None)
        if found is not None:
            return ctypes.cast(found, ctypes.c_void_p).value
    return None


def _gemm(
    _: Any,
    address: Any,
    left: Any,
    right: Any,
    n: Any,
    h: Any,
    d: Any,
    kept: Any,
    a: Any,
    b: Any,
    c: Any,
) -> Any:
    """Generate a call of ``gemm``, with row-major arrays without gaps.

    ``c <- op(a) op(b) + kept c``; where nothing is kept, ``c`` may hold anything.
    """
    real = a.dtype

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = ir.FloatType() if real == types.float32 else ir.DoubleType()
        word, size, pointer = ir.IntType(32), ir.IntType(64), number.as_pointer()
        where, left, right, n, h, d, kept, *arrays = arguments
        kinds = signature.args[7:]
        data = [
            make_array(kind)(context, builder, array).data  # type: ignore[no-untyped-call]
            for kind, array in zip(kinds, arrays, strict=True)
        ]
        flags = [builder.trunc(flag, word) for flag in (left, right)]
        as_it_is = ir.Constant(word, AS_IT_IS)
        plain = [builder.icmp_signed("==", flag, as_it_is) for flag in flags]
        takes = [word] * 3 + [size] * 3 + [number, pointer, size, pointer, size]
        takes += [number, pointer, size]
        gemm = builder.inttoptr(where, ir.FunctionType(ir.VoidType(), takes).as_pointer())
        builder.call(
            gemm,
            [
                ir.Constant(word, ROW_MAJOR),
                *flags,
                n,
                h,
                d,
                ir.Constant(number, 1.0),
                data[0],
                builder.select(plain[0], d, n),
                data[1],
                builder.select(plain[1], h, d),
                builder.sitofp(kept, number),
                data[2],
                h,
            ],
        )
        return context.get_dummy_value()

    counts = (types.int64,) * 7
    return types.void(*counts, a, b, c), generate


_call: Any = intrinsic(_gemm)


@compiled_within
def product(gemm: int, a: Any, b: Any, out: Any) -> None:
    """Write ``a b`` into ``out``: (n, d), (d, h), (n, h)."""
    _call(gemm, AS_IT_IS, AS_IT_IS, a.shape[0], b.shape[1], a.shape[1], 0, a, b, out)


@compiled_within
def product_of_transposed(gemm: int, a: Any, b: Any, out: Any) -> None:
    """Write ``a^T b`` into ``out``: (n, d), (n, h), (d, h)."""
    _call(gemm, TRANSPOSED, AS_IT_IS, a.shape[1], b.shape[1], a.shape[0], 0, a, b, out)


@compiled_within
def add_product_of_transposed(gemm: int, a: Any, b: Any, out: Any) -> None:
    """Add ``a^T b`` to ``out``: (n, d), (n, h), (d, h)."""
    _call(gemm, TRANSPOSED, AS_IT_IS, a.shape[1], b.shape[1], a.shape[0], 1, a, b, out)


@compiled_within
def product_with_transposed(gemm: int, a: Any, b: Any, out: Any) -> None:
    """Write ``a b^T`` into ``out``: (n, h), (d, h), (n, d)."""
    _call(gemm, AS_IT_IS, TRANSPOSED, a.shape[0], b.shape[0], a.shape[1], 0, a, b, out)
