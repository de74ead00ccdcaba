"""Compiled versions of `handloom.data.batches`, which two threads can run."""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from handloom.fused.split_job import Job, array_at, compile_job, pack_arrays, splits
from handloom.parallel.partition import compiled_cut
from handloom.parallel.pool import Pool

COMPILES = "handloom.data.batches"


@splits
def gather_rows(
    pool: Pool,
    inputs: npt.NDArray[np.generic],
    rows: npt.NDArray[np.integer],
    out: npt.NDArray[np.generic],
) -> None:
    """Copy rows in two parts, or by NumPy.

    NumPy copies if the pool has no splitter, if the rows have fewer bytes than
    `handloom.parallel.partition.COMPILED_CUT_BYTES`, if an array is not C-contiguous, or if
    the dtypes or shapes differ.
    """
    contiguous = inputs.flags.c_contiguous and out.flags.c_contiguous
    same_layout = inputs.dtype == out.dtype and out.shape == (len(rows), *inputs.shape[1:])
    cut = compiled_cut(len(rows), out.nbytes, pool.lanes)
    if pool.splitter is None or cut is None or not (contiguous and same_layout):
        inputs.take(rows, axis=0, out=out, mode="clip")
        return
    indices = np.ascontiguousarray(rows, np.int64)  # held while its address is used
    source, target = (array.reshape(-1).view(np.uint8) for array in (inputs, out))
    args = pack_arrays(indices, source, target)
    pool.splitter.run_job(_rows_job(), args, cut, len(rows))


@cache
def _rows_job() -> Job:
    """Return the job that copies some of the rows, of any dtype.

    It takes the indices of the rows, and the source and the target as bytes.
    """

    def copy_rows(args, start, stop):  # type: ignore[no-untyped-def]
        rows = array_at(args, 0, np.int64)
        source, out = array_at(args, 1, np.uint8), array_at(args, 2, np.uint8)
        width = len(out) // len(rows)
        last = len(source) // width - 1
        for i in range(start, stop):
            row = min(max(rows[i], 0), last)
            copy_bytes(source.ctypes.data + row * width, out.ctypes.data + i * width, width)

    return compile_job(copy_rows)


def _copy(_: Any, source: Any, target: Any, count: Any) -> Any:
    """Generate a copy of ``count`` bytes from one address to another."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        source_pointer, target_pointer = (
            builder.inttoptr(address, byte) for address in arguments[:2]
        )
        cgutils.raw_memcpy(builder, target_pointer, source_pointer, arguments[2], 1)  # type: ignore[no-untyped-call]
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


copy_bytes: Any = intrinsic(_copy)


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the job compiled; it is the same for any dtype."""
    _rows_job()
