"""How loops are compiled, for those who installed the extra ``fast``."""

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., None]) -> Callable[..., None]:
    """Compile a loop that lets other threads run, and divides as NumPy does.

    With Python's rules for division every loop would check for zero, and none would be vectorized.
    """
    return njit(cache=True, nogil=True, error_model="numpy")(function)


def compiled_within(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a part of a loop, which is put wherever a compiled loop calls it."""
    return njit(error_model="numpy", forceinline=True)(function)
