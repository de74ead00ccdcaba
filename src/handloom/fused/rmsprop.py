"""Compiled versions of `handloom.optimizers.rmsprop`."""

from handloom.fused.adaptive_step import adaptive_step, compile_for
from handloom.operations import Array

COMPILES = "handloom.optimizers.rmsprop"

__all__ = ["COMPILES", "compile_for", "rmsprop_step"]


def rmsprop_step(
    w: Array,
    dw: Array,
    v: Array,
    rate: float,
    rho: float,
    epsilon: float,
    step: int,
    scratch: Array,
) -> None:
    """Make a step of RMSprop in a single pass; ``scratch`` is unused."""
    adaptive_step(w, dw, v, rate, rho, 1.0 - rho, epsilon)
