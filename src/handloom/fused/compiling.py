"""Decorators that compile loops with Numba, which the extra ``fast`` installs."""

from collections.abc import Callable
from typing import Any

from numba import njit, types
from numba.extending import intrinsic


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a loop that releases the GIL and divides as NumPy does.

    With Python's division every loop would check for zero, and none would be vectorized.
    """
    return njit(cache=True, nogil=True, error_model="numpy")(function)


def compiled_sum(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a sum, vectorized into several partial sums, always in the same order."""
    return njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "nsz"})(function)


def compiled_within(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that is inlined into the compiled loops that call it."""
    return njit(error_model="numpy", forceinline=True)(function)


def _pointer(_: Any, address: Any) -> Any:
    """Generate a pointer from an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.int64), generate


pointer: Any = intrinsic(_pointer)
"""In a compiled loop, the pointer to an address; `numba.carray` makes an array of it."""
