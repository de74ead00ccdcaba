"""Cells in memory that one thread writes and another reads, and waiting for them awake.

A thread that sleeps takes tens of microseconds to wake, on some virtual machines hundreds, and
within a training step the next piece of work is rarely further away than that. The rest is what
threads need in order to hand each other work without the interpreter: a cell that one writes and
another reads.
"""

import platform
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

PATIENCE = 100_000
"""How many looks to take before going to sleep: some milliseconds."""


def _read(_: Any, counter: Any) -> Any:
    """Generate what reads the first entry from memory itself: another thread may change it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if platform.machine() in ("x86_64", "AMD64"):  # a hint that leaves the core to its twin
            name = "llvm.x86.sse2.pause"
            pause = ir.FunctionType(ir.VoidType(), [])
            known = builder.module.globals.get(name) or ir.Function(builder.module, pause, name)
            builder.call(known, [])
        array: Any = make_array(signature.args[0])(context, builder, arguments[0])  # type: ignore[no-untyped-call]
        return builder.load_atomic(array.data, "acquire", 8)

    return types.int64(counter), generate


def _store(_: Any, cell: Any, value: Any) -> Any:
    """Generate what writes the first entry, after everything that was written before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array: Any = make_array(signature.args[0])(context, builder, arguments[0])  # type: ignore[no-untyped-call]
        builder.store_atomic(arguments[1], array.data, "release", 8)
        return context.get_dummy_value()

    return types.void(cell, types.int64), generate


def _exchange(_: Any, cell: Any, expected: Any, value: Any) -> Any:
    """Generate what writes the first entry if it is what is expected, and says whether it was."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array: Any = make_array(signature.args[0])(context, builder, arguments[0])  # type: ignore[no-untyped-call]
        found = builder.cmpxchg(array.data, *arguments[1:], "acq_rel", "acquire")
        return builder.extract_value(found, 1)

    return types.boolean(cell, types.int64, types.int64), generate


look: Any = intrinsic(_read)
store: Any = intrinsic(_store)
exchange: Any = intrinsic(_exchange)


@njit(cache=True, nogil=True)
def _wait(counter: Any, seen: Any, looks: Any) -> None:
    for _ in range(looks):
        if look(counter) != seen:
            return


def wait(counter: npt.NDArray[np.int64], seen: int) -> None:
    """Return when a counter, shape (1,), is no longer what was seen, or when patience is over."""
    _wait(counter, seen, PATIENCE)


def rehearse(dtype: np.dtype[Any]) -> None:
    """Have the loop compiled; it is the same for any dtype."""
    wait(np.ones(1, np.int64), 0)
