"""Atomic load, store and compare-and-exchange on a cell in memory, and a spin wait on it.

A sleeping thread takes tens of microseconds to wake, on some virtual machines hundreds. In a
training step the next piece of work usually comes sooner, so threads spin. Through a cell, which
both of them read and write, two threads pass work to each other without the interpreter.
"""

import platform
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from handloom.fused.compiling import compiled

PATIENCE = 100_000
"""The number of reads in a spin wait before a thread sleeps: some milliseconds."""


def _atomic_load(_: Any, counter: Any) -> Any:
    """Generate an atomic load of the first entry, which another thread may change."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if platform.machine() in (
            "x86_64",
            "AMD64",
        ):  # a hint that yields the core to its sibling thread
            name = "llvm.x86.sse2.pause"
            pause = ir.FunctionType(ir.VoidType(), [])
            function = builder.module.globals.get(name) or ir.Function(builder.module, pause, name)
            builder.call(function, [])
        array: Any = make_array(signature.args[0])(context, builder, arguments[0])  # type: ignore[no-untyped-call]
        return builder.load_atomic(array.data, "acquire", 8)

    return types.int64(counter), generate


def _atomic_store(_: Any, cell: Any, value: Any) -> Any:
    """Generate an atomic store to the first entry, after all earlier writes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array: Any = make_array(signature.args[0])(context, builder, arguments[0])  # type: ignore[no-untyped-call]
        builder.store_atomic(arguments[1], array.data, "release", 8)
        return context.get_dummy_value()

    return types.void(cell, types.int64), generate


def _compare_exchange(_: Any, cell: Any, expected: Any, value: Any) -> Any:
    """Generate an atomic compare-and-exchange of the first entry; it returns whether it wrote."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array: Any = make_array(signature.args[0])(context, builder, arguments[0])  # type: ignore[no-untyped-call]
        exchanged = builder.cmpxchg(array.data, *arguments[1:], "acq_rel", "acquire")
        return builder.extract_value(exchanged, 1)

    return types.boolean(cell, types.int64, types.int64), generate


atomic_load: Any = intrinsic(_atomic_load)
atomic_store: Any = intrinsic(_atomic_store)
compare_exchange: Any = intrinsic(_compare_exchange)


@compiled
def _wait(counter: Any, seen: Any, looks: Any) -> None:
    for _ in range(looks):
        if atomic_load(counter) != seen:
            return


def wait(counter: npt.NDArray[np.int64], seen: int) -> None:
    """Spin until a counter, shape (1,), differs from ``seen``, or after `PATIENCE` reads."""
    _wait(counter, seen, PATIENCE)


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the loop compiled; it is the same for any dtype."""
    wait(np.ones(1, np.int64), 0)
