"""Regression losses: mean squared error, mean absolute error and Huber.

In all of them the loss of a row is the mean over its outputs, so it does not grow with their
number. Predictions have shape (n, k); targets have shape (n, k), or (n,) where ``k`` is 1.
"""

import numpy as np

from handloom.errors import require_number
from handloom.losses.base import Targets
from handloom.losses.outputs import OutputLoss
from handloom.operations import ErrorLoss
from handloom.parameters import Array


class MeanSquaredError(OutputLoss):
    """Mean squared error (MSE) over rows and outputs, times a factor.

    For a row of predictions ``z`` with targets ``t``::

        loss = factor / k  sum_j (z_j - t_j)^2
        dz_j = 2 factor / k (z_j - t_j)

    The prediction with the least loss is the mean of the targets.

    Parameters
    ----------
    factor : float
        Above 0. At 1 this is the mean squared error; at 1/2, with one output, the gradient is the
        error itself.

    Raises
    ------
    ConfigurationError
        If the factor is not above 0.
    """

    kind = "mean_squared_error"

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = require_number("factor", factor, minimum=0.0, exclusive=True)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {"factor": self.factor}

    def as_operation(self) -> ErrorLoss:
        """Return the loss as a record."""
        return ErrorLoss("squared", self.factor)

    def row_losses(self, predictions: Array, targets: Targets, gradient: Array) -> Array:
        """Return the loss of each row and write its gradient."""
        np.subtract(predictions, targets, out=gradient)
        losses = np.square(gradient).mean(axis=1, dtype=np.float64)
        losses *= self.factor
        gradient *= 2.0 * self.factor / gradient.shape[1]
        return np.asarray(losses)


class MeanAbsoluteError(OutputLoss):
    """Mean absolute error (MAE) over rows and outputs.

    For a row of predictions ``z`` with targets ``t``::

        loss = 1 / k  sum_j |z_j - t_j|
        dz_j = 1 / k  sign(z_j - t_j)        (0 where they are equal)

    The prediction with the least loss is the median of the targets, so outliers have little
    effect.
    """

    kind = "mean_absolute_error"

    def as_operation(self) -> ErrorLoss:
        """Return the loss as a record."""
        return ErrorLoss("absolute")

    def row_losses(self, predictions: Array, targets: Targets, gradient: Array) -> Array:
        """Return the loss of each row and write its gradient."""
        np.subtract(predictions, targets, out=gradient)
        losses = np.abs(gradient).mean(axis=1, dtype=np.float64)
        np.sign(gradient, out=gradient)
        gradient *= 1.0 / gradient.shape[1]
        return np.asarray(losses)


class Huber(OutputLoss):
    """Huber loss: quadratic for small errors, linear for large ones.

    For a row of predictions ``z`` with targets ``t`` and errors ``e = z - t``::

        loss = 1 / k  sum_j  e_j^2 / 2                  where |e_j| <= delta
                             delta (|e_j| - delta / 2)  elsewhere
        dz_j = 1 / k  min(max(e_j, -delta), delta)

    Parameters
    ----------
    delta : float
        The absolute error at which the loss becomes linear, above 0, in the unit of the targets.

    Raises
    ------
    ConfigurationError
        If delta is not above 0.

    References
    ----------
    Huber, "Robust Estimation of a Location Parameter", Annals of Mathematical Statistics 35, 1964.
    """

    kind = "huber"

    def __init__(self, delta: float = 1.0) -> None:
        self.delta = require_number("delta", delta, minimum=0.0, exclusive=True)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {"delta": self.delta}

    def as_operation(self) -> ErrorLoss:
        """Return the loss as a record."""
        return ErrorLoss("huber", self.delta)

    def row_losses(self, predictions: Array, targets: Targets, gradient: Array) -> Array:
        """Return the loss of each row and write its gradient."""
        errors = predictions - targets
        clipped = np.clip(errors, -self.delta, self.delta, out=gradient)
        # one formula for both cases: e (e - e / 2) and delta (|e| - delta / 2)
        losses = (clipped * (errors - 0.5 * clipped)).mean(axis=1, dtype=np.float64)
        gradient *= 1.0 / gradient.shape[1]
        return np.asarray(losses)
