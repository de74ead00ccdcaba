"""The copy of rows that lie apart, compiled so that two threads can share it: part of ``fast``."""

from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from handloom.fused.halves import Job, array_at, job


@cache
def rows_job() -> Job:
    """Return the job that copies rows, of any dtype, which lie apart.

    It takes the rows' numbers, and as bytes where they come from and where they go to.
    """

    def run(given, start, stop):  # type: ignore[no-untyped-def]
        rows = array_at(given, 0, np.int64)
        source, out = array_at(given, 1, np.uint8), array_at(given, 2, np.uint8)
        width = len(out) // len(rows)
        last = len(source) // width - 1
        for place in range(start, stop):
            row = min(max(rows[place], 0), last)
            copy_bytes(source.ctypes.data + row * width, out.ctypes.data + place * width, width)

    return job(run)


def _copy(_: Any, source: Any, target: Any, count: Any) -> Any:
    """Generate a copy of so many bytes from one address to another."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        from_there, to_there = (builder.inttoptr(where, byte) for where in arguments[:2])
        cgutils.raw_memcpy(builder, to_there, from_there, arguments[2], 1)  # type: ignore[no-untyped-call]
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


copy_bytes: Any = intrinsic(_copy)
