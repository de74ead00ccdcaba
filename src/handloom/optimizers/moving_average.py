"""Moving averages of vectors, with tiny entries set to zero (no subnormal numbers)."""

import numpy as np

from handloom.errors import require_number
from handloom.operations import TINY, Array

FLUSH_EVERY = 8
"""The number of steps after which `flush_to_zero` sets tiny entries to zero again.

An average with a decay of a third or more does not shrink from `TINY` to the smallest normal number
in fewer steps. One with a smaller decay shrinks past the subnormal numbers in a few steps.
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


def lerp(mean: Array, x: Array, weight: float, step: int, scratch: Array) -> None:
    """Update a moving average in place, ``mean <- mean + weight (x - mean)``.

    Parameters
    ----------
    mean, x : array, shape (m,)
        The average, and the new values, which are only read.
    weight : float
        The weight of the new values, from 0 to 1.
    step : int
        The number of this step, counted from 1, for `flush_to_zero`.
    scratch : array, shape (m,)
        Memory for intermediate results.
    """
    np.subtract(x, mean, out=scratch)
    scratch *= weight
    mean += scratch
    flush_to_zero(mean, step)


def flush_to_zero(state: Array, step: int) -> None:
    """Set entries of magnitude below `TINY` to zero, in place, in every `FLUSH_EVERY`-th step.

    Subnormal numbers, to which they would shrink, are slow. In other steps this does nothing.

    Parameters
    ----------
    state : array of any shape
    step : int
        The number of this step, counted from 1.
    """
    if step % FLUSH_EVERY == 0:
        state[np.abs(state) < TINY] = 0.0
