"""Binary cross-entropy: every output is a yes or a no by itself."""

import numpy as np

from handloom.backend import Backend
from handloom.losses.base import Targets
from handloom.losses.outputs import OutputLoss, as_rows
from handloom.operations import SigmoidCrossEntropy
from handloom.parameters import Array


class BinaryCrossEntropy(OutputLoss):
    """Sigmoid and binary cross-entropy in one step, from logits.

    For a row of logits ``z`` with targets ``t``, numbers from 0 (no) to 1 (yes)::

        loss = sum_j  -t_j log p_j - (1 - t_j) log(1 - p_j)        with p = sigmoid(z)
             = sum_j  max(z_j, 0) - t_j z_j + log(1 + exp(-|z_j|))
        dz_j = p_j - t_j

    The second form never overflows and never takes the logarithm of a number that rounded to zero.
    The loss of a row is the sum over its outputs, as in scikit-learn, not their mean; the loss is
    the mean over rows.

    Predictions have shape (n, k): one output for two classes, several for labels that do not
    exclude each other. Targets have shape (n, k), or (n,) where ``k`` is 1.
    """

    kind = "binary_cross_entropy"
    output_activation = "sigmoid"
    lowest, highest = 0.0, 1.0

    def correct(self, predictions: Array, targets: Targets) -> int:
        """Return how many rows have all their outputs on the right side.

        That is above 0 for a target above a half, and at most 0 for any other.

        Parameters
        ----------
        predictions : array, shape (n, k)
            Logits.
        targets : array, shape (n, k), or (n,) where k is 1

        Raises
        ------
        DataError
            If the shapes do not belong together.
        """
        yes = as_rows(predictions, targets) > 0.5
        right = np.where(yes, predictions > 0.0, predictions <= 0.0)
        return int(np.count_nonzero(right.all(axis=1)))

    def rows(self, predictions: Array, targets: Targets, gradient: Array) -> Array:
        """Return the loss of each row and write its gradient."""
        losses: Array = np.empty(len(predictions), np.float64)
        self._binary_cross_entropy(predictions, targets, gradient, losses)  # type: ignore[arg-type]
        return losses

    def use(self, backend: Backend) -> None:
        """Take the backend's version of the function."""
        self._binary_cross_entropy = backend.fetch(binary_cross_entropy)

    def as_operation(self) -> SigmoidCrossEntropy:
        """Return the loss as a record."""
        return SigmoidCrossEntropy()


def binary_cross_entropy(logits: Array, targets: Array, out: Array, losses: Array) -> None:
    """Compute the loss of each row and its gradient.

    Parameters
    ----------
    logits, targets : array, shape (n, k)
    out : array, shape (n, k)
        Takes ``sigmoid(logits) - targets``.
    losses : float64 array, shape (n,)
        Takes the sums over outputs of ``max(z, 0) - t z + log(1 + exp(-|z|))``.
    """
    z, t = logits, targets
    small = np.exp(-np.abs(z))
    of_outputs = np.maximum(z, 0.0) - t * z + np.log1p(small)
    np.divide(np.where(z > 0.0, 1.0, small), 1.0 + small, out=out)  # sigmoid(z)
    out -= t
    of_outputs.sum(axis=1, dtype=np.float64, out=losses)
