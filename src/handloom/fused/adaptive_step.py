"""Step of RMSprop and Adagrad: the gradient, scaled by the root of a mean or sum of squares.

It is the shared loop of ``fused/rmsprop.py`` and ``fused/adagrad.py``; Adam has a loop of its own.
It compiles no definition itself, so it has no ``COMPILES``.
"""

from typing import Any

import numpy as np

from handloom.fused.compiling import compiled
from handloom.operations import TINY, Array


def adaptive_step(
    w: Array, dw: Array, squares: Array, rate: float, decay: float, weight: float, epsilon: float
) -> None:
    """Compute ``s <- decay s + weight dw^2``, then ``w <- w - rate dw / (sqrt(s) + epsilon)``.

    Entries of ``s``, which is ``squares``, below `TINY` become 0.
    """
    real = w.dtype.type
    constants = real(rate), real(decay), real(weight), real(epsilon), real(TINY)
    update_by_scaled_gradient(w, dw, squares, *constants)


@compiled
def update_by_scaled_gradient(w, dw, squares, rate, decay, weight, epsilon, tiny):  # type: ignore[no-untyped-def]
    """Update weights and squares in place; see `adaptive_step`."""
    zero = w.dtype.type(0)
    for i in range(len(w)):
        g = dw[i]
        v = decay * squares[i] + weight * (g * g)
        v = zero if v < tiny else v
        squares[i] = v
        w[i] -= rate * (g / (np.sqrt(v) + epsilon))


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the function compiled for a dtype."""
    w = np.zeros(4, dtype)
    adaptive_step(w, w.copy(), w.copy(), 0.1, 0.9, 0.1, 1e-7)
