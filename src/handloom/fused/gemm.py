"""Matrix products (gemm) in compiled code, by NumPy's own BLAS.

Compiled loops cannot call NumPy, so they call its BLAS. NumPy's wheels contain OpenBLAS under
the function names below; where NumPy was built with another library, gemm is not available here,
and networks run layer by layer.
"""

import ctypes
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from handloom.fused.compiling import compiled_inline

ROW_MAJOR, NO_TRANS, TRANS = 101, 111, 112
NAMES = {np.dtype(np.float32): "scipy_cblas_sgemm64_", np.dtype(np.float64): "scipy_cblas_dgemm64_"}


@cache
def gemm_address(dtype: np.dtype[Any]) -> int | None:
    """Return the address of ``gemm`` for a dtype, or None if it is not available."""
    from threadpoolctl import threadpool_info

    for library in threadpool_info():
        if library["user_api"] != "blas":
            continue
        function = getattr(ctypes.CDLL(library["filepath"]), NAMES[dtype], None)
        if function is not None:
            return ctypes.cast(function, ctypes.c_void_p).value
    return None


def _gemm(
    _: Any,
    address: Any,
    left: Any,
    right: Any,
    n: Any,
    h: Any,
    d: Any,
    beta: Any,
    a: Any,
    b: Any,
    c: Any,
) -> Any:
    """Generate a call of ``gemm``, with contiguous row-major arrays.

    ``c <- op(a) op(b) + beta c``; with ``beta = 0``, ``c`` may be uninitialized.
    """
    real = a.dtype

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = ir.FloatType() if real == types.float32 else ir.DoubleType()
        word, size, pointer = ir.IntType(32), ir.IntType(64), number.as_pointer()
        gemm_at, left, right, n, h, d, beta, *arrays = arguments
        kinds = signature.args[7:]
        data = [
            make_array(kind)(context, builder, array).data  # type: ignore[no-untyped-call]
            for kind, array in zip(kinds, arrays, strict=True)
        ]
        flags = [builder.trunc(flag, word) for flag in (left, right)]
        no_trans = ir.Constant(word, NO_TRANS)
        not_transposed = [builder.icmp_signed("==", flag, no_trans) for flag in flags]
        argument_types = [word] * 3 + [size] * 3 + [number, pointer, size, pointer, size]
        argument_types += [number, pointer, size]
        gemm = builder.inttoptr(
            gemm_at, ir.FunctionType(ir.VoidType(), argument_types).as_pointer()
        )
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
                builder.select(not_transposed[0], d, n),
                data[1],
                builder.select(not_transposed[1], h, d),
                builder.sitofp(beta, number),
                data[2],
                h,
            ],
        )
        return context.get_dummy_value()

    counts = (types.int64,) * 7
    return types.void(*counts, a, b, c), generate


_call: Any = intrinsic(_gemm)


@compiled_inline
def gemm_nn(gemm: int, a: Any, b: Any, out: Any) -> None:
    """Write ``a b`` into ``out``; the shapes of a, b and out are (n, d), (d, h) and (n, h)."""
    _call(gemm, NO_TRANS, NO_TRANS, a.shape[0], b.shape[1], a.shape[1], 0, a, b, out)


@compiled_inline
def gemm_tn(gemm: int, a: Any, b: Any, out: Any) -> None:
    """Write ``a^T b`` into ``out``; the shapes are (n, d), (n, h) and (d, h)."""
    _call(gemm, TRANS, NO_TRANS, a.shape[1], b.shape[1], a.shape[0], 0, a, b, out)


@compiled_inline
def add_gemm_tn(gemm: int, a: Any, b: Any, out: Any) -> None:
    """Add ``a^T b`` to ``out``; the shapes are (n, d), (n, h) and (d, h)."""
    _call(gemm, TRANS, NO_TRANS, a.shape[1], b.shape[1], a.shape[0], 1, a, b, out)


@compiled_inline
def gemm_nt(gemm: int, a: Any, b: Any, out: Any) -> None:
    """Write ``a b^T`` into ``out``; the shapes are (n, h), (d, h) and (n, d)."""
    _call(gemm, NO_TRANS, TRANS, a.shape[0], b.shape[0], a.shape[1], 0, a, b, out)
