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

from handloom.fused.compiling import compiled, compiled_inline

ROW_MAJOR, NO_TRANS, TRANS = 101, 111, 112
THREADS = "scipy_openblas_get_num_threads64_"
NAMES = {np.dtype(np.float32): "scipy_cblas_sgemm64_", np.dtype(np.float64): "scipy_cblas_dgemm64_"}


@cache
def gemm_address(dtype: np.dtype[Any]) -> int | None:
    """Return the address of ``gemm`` for a dtype, or None if it is not available."""
    return _address_of(NAMES[dtype])


@cache
def threads_address() -> int:
    """Return the address of the function that `blas_threads` calls."""
    return _address_of(THREADS) or 0


def _address_of(name: str) -> int | None:
    """Return the address of a function of NumPy's BLAS, or None if it has none of that name."""
    from threadpoolctl import threadpool_info

    for library in threadpool_info():
        if library["user_api"] != "blas":
            continue
        function = getattr(ctypes.CDLL(library["filepath"]), name, None)
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
    row_of_a: Any,
    row_of_b: Any,
    beta: Any,
    a: Any,
    b: Any,
    c: Any,
) -> Any:
    """Generate a call of ``gemm``, with row-major arrays whose rows are contiguous.

    ``c <- op(a) op(b) + beta c``; with ``beta = 0``, ``c`` may be uninitialized. From one row of
    ``a`` to the next it is ``row_of_a`` entries; the rows of ``c`` follow each other.
    """
    real = a.dtype

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = ir.FloatType() if real == types.float32 else ir.DoubleType()
        word, size, pointer = ir.IntType(32), ir.IntType(64), number.as_pointer()
        gemm_at, left, right, n, h, d, row_of_a, row_of_b, beta, *arrays = arguments
        kinds = signature.args[9:]
        data = [
            make_array(kind)(context, builder, array).data  # type: ignore[no-untyped-call]
            for kind, array in zip(kinds, arrays, strict=True)
        ]
        flags = [builder.trunc(flag, word) for flag in (left, right)]
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
                row_of_a,
                data[1],
                row_of_b,
                builder.sitofp(beta, number),
                data[2],
                h,
            ],
        )
        return context.get_dummy_value()

    counts = (types.int64,) * 9
    return types.void(*counts, a, b, c), generate


_call: Any = intrinsic(_gemm)


def _threads(_: Any, address: Any) -> Any:
    """Generate a call of a function that returns the number of threads of BLAS."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(32), [])
        number = builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), [])
        return builder.sext(number, ir.IntType(64))

    return types.int64(address), generate


blas_threads: Any = intrinsic(_threads)
"""In compiled code, ``blas_threads(address)`` with `threads_address`."""


@compiled_inline
def gemm_nn(gemm: int, a: Any, b: Any, out: Any) -> None:
    """Write ``a b`` into ``out``; the shapes of a, b and out are (n, d), (d, h) and (n, h)."""
    (n, d), h = a.shape, b.shape[1]
    _call(gemm, NO_TRANS, NO_TRANS, n, h, d, d, h, 0, a, b, out)


@compiled_inline
def gemm_tn(gemm: int, a: Any, b: Any, out: Any) -> None:
    """Write ``a^T b`` into ``out``; the shapes are (n, d), (n, h) and (d, h).

    ``a`` may be some columns of an array: its rows need not follow each other in memory.
    """
    (n, d), h = a.shape, b.shape[1]
    _call(gemm, TRANS, NO_TRANS, d, h, n, a.strides[0] // a.itemsize, h, 0, a, b, out)


@compiled_inline
def add_gemm_tn(gemm: int, a: Any, b: Any, out: Any) -> None:
    """Add ``a^T b`` to ``out``; the shapes are (n, d), (n, h) and (d, h)."""
    (n, d), h = a.shape, b.shape[1]
    _call(gemm, TRANS, NO_TRANS, d, h, n, d, h, 1, a, b, out)


@compiled_inline
def gemm_nt(gemm: int, a: Any, b: Any, out: Any) -> None:
    """Write ``a b^T`` into ``out``; the shapes are (n, h), (d, h) and (n, d)."""
    (n, h), d = a.shape, b.shape[0]
    _call(gemm, NO_TRANS, TRANS, n, d, h, h, h, 0, a, b, out)


@compiled
def gradient_of_weights(gemm, a, dy, dw):  # type: ignore[no-untyped-def]
    """Write ``dw = a^T dy``. BLAS is slow where there is a single output, here and below."""
    if dy.shape[1] > 1:
        gemm_tn(gemm, a, dy, dw)
        return
    dw[:, 0] = 0
    for row in range(len(a)):
        for i in range(len(dw)):
            dw[i, 0] += a[row, i] * dy[row, 0]


@compiled
def gradient_of_inputs(gemm, dy, w, dx):  # type: ignore[no-untyped-def]
    """Write ``dx = dy w^T``."""
    if dy.shape[1] > 1:
        gemm_nt(gemm, dy, w, dx)
        return
    for row in range(len(dx)):
        for i in range(len(w)):
            dx[row, i] = dy[row, 0] * w[i, 0]
