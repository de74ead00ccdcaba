"""Compiled versions of `handloom.optimizers.adagrad`."""

from handloom.fused.adaptive_step import adaptive_step, compile_for
from handloom.operations import Array

COMPILES = "handloom.optimizers.adagrad"

__all__ = ["COMPILES", "adagrad_step", "compile_for"]


def adagrad_step(
    w: Array, dw: Array, v: Array, rate: float, epsilon: float, step: int, scratch: Array
) -> None:
    """Make a step of Adagrad in a single pass; ``scratch`` is unused."""
    adaptive_step(w, dw, v, rate, 1.0, 1.0, epsilon)
