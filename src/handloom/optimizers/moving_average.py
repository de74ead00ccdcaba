"""Moving averages of vectors, with tiny entries set to zero (no subnormal numbers)."""

import numpy as np

from handloom.errors import require_number
from handloom.operations import TINY, Array

FLUSH_EVERY = 8
"""The number of steps between two calls of `flush` that set tiny entries to zero.

An average with a decay of a third or more does not get from `TINY` to the smallest normal number in
fewer steps; one with a smaller decay is past the subnormal numbers in a few steps.
"""

SMALLEST_EPSILON = 1e-12
"""The smallest ``epsilon`` of an optimizer that divides by ``sqrt(v) + epsilon``.

A mean of squares ``v`` below `TINY` becomes 0. It belongs to gradients of at most 1e-15 or so, far
below such an epsilon, so the step is the same to about a thousandth of itself. Beside a much
smaller one it would be ``rate m / epsilon``, of any size, instead of about the learning rate.
"""


def require_epsilon(value: object) -> float:
    """Return the ``epsilon`` of an optimizer, at least `SMALLEST_EPSILON`.

    Raises
    ------
    ConfigurationError
        If it is not such a number.
    """
    return require_number("epsilon", value, minimum=SMALLEST_EPSILON)


def lerp(mean: Array, x: Array, share: float, step: int, scratch: Array) -> None:
    """Update a moving average in place, ``mean <- mean + share (x - mean)``.

    Parameters
    ----------
    mean, x : array, shape (m,)
    share : float
        From 0 to 1.
    step : int
        Counted from 1.
    scratch : array, shape (m,)
        Memory for intermediate results.
    """
    np.subtract(x, mean, out=scratch)
    scratch *= share
    mean += scratch
    flush(mean, step)


def flush(state: Array, step: int) -> None:
    """Set entries that are smaller than `TINY` to zero, in place, once in `FLUSH_EVERY` steps."""
    if step % FLUSH_EVERY == 0:
        state[np.abs(state) < TINY] = 0.0
