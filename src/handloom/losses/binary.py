"""Binary cross-entropy: every output is a binary class of its own."""

import numpy as np

from handloom.backend import Backend
from handloom.losses.base import Targets, check_predictions
from handloom.losses.outputs import OutputLoss, as_rows
from handloom.operations import SigmoidCrossEntropy
from handloom.parameters import Array


class BinaryCrossEntropy(OutputLoss):
    """Binary cross-entropy from logits: sigmoid and cross-entropy in one step.

    For a row of logits ``z`` with targets ``t``, from 0 (negative) to 1 (positive)::

        loss = sum_j  -t_j log p_j - (1 - t_j) log(1 - p_j)        with p = sigmoid(z)
             = sum_j  ([z_j > 0] - t_j) z_j + log(1 + exp(-|z_j|))
        dz_j = p_j - t_j

    The second form, which is computed, does not overflow, takes no logarithm of zero, and keeps the
    digits of a small loss of a large logit. The loss of a row is the sum over its outputs, as in
    scikit-learn, not their mean; the loss is the mean over rows.

    Predictions have shape (n, k): one output for two classes, several for multi-label
    classification. Targets have shape (n, k), or (n,) where ``k`` is 1.
    """

    kind = "binary_cross_entropy"
    output_activation = "sigmoid"
    lowest, highest = 0.0, 1.0

    def correct(self, predictions: Array, targets: Targets) -> int:
        """Return the number of correct predictions: rows with all outputs correct.

        An output is correct if it is above 0 for a target above 0.5, and at most 0 otherwise.

        Parameters
        ----------
        predictions : array, shape (n, k)
            Logits.
        targets : array, shape (n, k), or (n,) where k is 1

        Raises
        ------
        DataError
            If predictions have another shape or are not floating-point, or the shapes do not match.
        """
        check_predictions(predictions)
        positive = as_rows(predictions, targets) > 0.5
        correct = np.where(positive, predictions > 0.0, predictions <= 0.0)
        return int(np.count_nonzero(correct.all(axis=1)))

    def row_losses(self, predictions: Array, targets: Targets, gradient: Array) -> Array:
        """Return the loss of each row and write its gradient."""
        losses: Array = np.empty(len(predictions), np.float64)
        self._binary_cross_entropy(predictions, targets, gradient, losses)  # type: ignore[arg-type]
        return losses

    def set_backend(self, backend: Backend) -> None:
        """Use the backend's version of `binary_cross_entropy`."""
        self._binary_cross_entropy = backend.version_of(binary_cross_entropy)

    def as_operation(self) -> SigmoidCrossEntropy:
        """Return the loss as a record."""
        return SigmoidCrossEntropy()


def binary_cross_entropy(logits: Array, targets: Array, out: Array, losses: Array) -> None:
    """Compute the binary cross-entropy of each row and its gradient.

    Parameters
    ----------
    logits, targets : array, shape (n, k)
    out : array, shape (n, k)
        Overwritten with ``sigmoid(logits) - targets``.
    losses : float64 array, shape (n,)
        Overwritten with the sums over outputs of ``([z > 0] - t) z + log(1 + exp(-|z|))``.
    """
    z, t = logits, targets
    small = np.exp(-np.abs(z))
    of_outputs = ((z > 0.0) - t) * z + np.log1p(small)
    np.divide(np.where(z > 0.0, 1.0, small), 1.0 + small, out=out)  # sigmoid(z)
    out -= t
    of_outputs.sum(axis=1, dtype=np.float64, out=losses)
