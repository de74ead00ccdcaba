"""The Poisson loss, for counts as targets."""

import numpy as np

from handloom.losses.base import Targets
from handloom.losses.outputs import OutputLoss
from handloom.operations import ErrorLoss
from handloom.parameters import Array


class Poisson(OutputLoss):
    """Poisson loss: half the Poisson deviance, from the logarithms of the means.

    For a row of predictions ``z``, the logarithms of the means, with counts ``t``::

        loss = sum_j  exp(z_j) - t_j - t_j (z_j - log t_j)        (0 log 0 is 0)
        dz_j = exp(z_j) - t_j

    It is 0 if every mean equals its count. The loss of a row is the sum over its outputs, as
    in scikit-learn, not their mean; the loss is the mean over rows. It is computed in float64. A
    finite prediction whose exponential is infinite in its dtype has an infinite loss.

    Predictions have shape (n, k). Targets have shape (n, k), or (n,) where ``k`` is 1, and are at
    least 0; they need not be whole.

    References
    ----------
    McCullagh, Nelder, "Generalized Linear Models", 2nd edition, Chapman and Hall, 1989,
    section 2.3.
    """

    kind = "poisson"
    output_activation = "exp"
    lowest = 0.0

    def as_operation(self) -> ErrorLoss:
        """Return the loss as a record."""
        return ErrorLoss("poisson")

    def row_losses(self, predictions: Array, targets: Targets, gradient: Array) -> Array:
        """Return the loss of each row and write its gradient."""
        # in float64: the terms of a large count cancel almost entirely
        z, t = predictions.astype(np.float64), targets.astype(np.float64)
        errors = np.exp(z) - t
        gradient[...] = errors
        losses = errors - t * (z - np.log(np.where(t > 0, t, 1.0)))
        return np.asarray(losses.sum(axis=1), predictions.dtype)  # infinite like the gradient
