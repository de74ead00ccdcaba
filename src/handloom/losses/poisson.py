"""The Poisson loss, for counts as targets."""

import numpy as np

from handloom.losses.base import Targets
from handloom.losses.outputs import OutputLoss
from handloom.operations import ErrorLoss
from handloom.parameters import Array


class Poisson(OutputLoss):
    """Poisson loss: half the Poisson deviance, from the logarithms of the means.

    For a row of predictions ``z``, which are logarithms of the means ``m``, with counts ``t``::

        m    = exp(z)
        loss = sum_j  m_j - t_j - t_j (z_j - log t_j)        (0 log 0 is 0)
        dz_j = m_j - t_j

    It is 0 if every mean equals its count. The loss of a row is the sum over its outputs, as
    in scikit-learn, not their mean; the loss is the mean over rows. A prediction so large that its
    exponential is infinite has an infinite loss.

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
        z, t = predictions, targets
        np.copyto(gradient, z)  # exp rounds differently if memory is not contiguous
        np.exp(gradient, out=gradient)
        gradient -= t
        losses = gradient - t * (z - np.log(np.where(t > 0, t, 1.0)))
        return np.asarray(losses.sum(axis=1, dtype=np.float64))
