"""Compiled version of `handloom.optimizers.proximal`, a single pass over memory."""

from typing import Any

import numpy as np

from handloom.fused.compiling import compiled
from handloom.operations import Array

COMPILES = "handloom.optimizers.proximal"


def proximal_step(w: Array, threshold: float, scratch: Array) -> None:
    """Move weights toward 0; ``scratch`` is unused."""
    _shrink(w, w.dtype.type(threshold))


@compiled
def _shrink(w, threshold):  # type: ignore[no-untyped-def]
    """Move weights toward 0 by ``threshold``, in place; a NaN stays one."""
    for i in range(len(w)):
        w[i] -= min(max(w[i], -threshold), threshold)


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the function compiled for a dtype."""
    proximal_step(np.zeros(4, dtype), 0.1, np.zeros(4, dtype))
