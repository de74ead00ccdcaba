"""Decorators that compile loops with Numba, which the extra ``fast`` installs."""

from collections.abc import Callable
from typing import Any, cast

from numba import njit, types
from numba.core.ccallback import CFunc
from numba.core.sigutils import normalize_signature
from numba.extending import intrinsic

from handloom.fused.caching import cache_of

WITHOUT_ENTRY = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Options of functions that Python does not call."""


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a loop that releases the GIL and divides as NumPy does.

    With Python's division every loop would check for zero, and none would be vectorized.
    """
    return _compiled(function, error_model="numpy")


def compiled_inner(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a loop that only other compiled loops call: without an entry for Python."""
    return _compiled(function, error_model="numpy", **WITHOUT_ENTRY)


def compiled_sum(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a sum for other compiled loops, vectorized, always in the same order."""
    return _compiled(function, error_model="numpy", fastmath={"reassoc", "nsz"}, **WITHOUT_ENTRY)


def compiled_callback(function: Callable[..., Any], signature: str) -> Any:
    """Compile a function immediately, for other compiled code to call by its address."""
    types_of: Any = normalize_signature
    callback: Any = CFunc(function, types_of(signature), {}, {"error_model": "numpy"})
    callback._cache = cache_of(function)
    callback.compile()
    return callback


def compiled_within(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function as a part of the one loop that calls it.

    Numba optimizes all that a function calls together with it, again for each level of calls; such
    a function is no level. It may have a single return, at its end.
    """
    return njit(error_model="numpy", inline="always")(function)


def compiled_inline(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that is inlined into the compiled loops that call it."""
    return njit(error_model="numpy", forceinline=True)(function)


def _compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    dispatcher: Any = njit(nogil=True, **options)(function)
    dispatcher._cache = cache_of(function)
    return cast(Callable[..., Any], dispatcher)


def _pointer(_: Any, address: Any) -> Any:
    """Generate a pointer from an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.int64), generate


pointer: Any = intrinsic(_pointer)
"""In a compiled loop, the pointer to an address; `numba.carray` makes an array of it."""
