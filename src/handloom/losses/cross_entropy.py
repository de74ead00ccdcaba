"""Categorical cross-entropy: every row belongs to one of several classes."""

import numpy as np
import numpy.typing as npt

from handloom.backend import Backend
from handloom.errors import DataError, require_fraction
from handloom.losses.base import RowLoss, Targets
from handloom.operations import CrossEntropy
from handloom.parameters import Array
from handloom.reductions import row_maxima, row_sums


class _OfClasses(RowLoss):
    """A loss with a column for each class.

    Targets are class indices, an integer array of shape (n,), or rows of class probabilities, shape
    (n, k), which are one-hot rows as a rule.
    """

    def correct(self, predictions: Array, targets: Targets) -> int:
        """Return how many rows have their class predicted: their largest entry is at the target's.

        Parameters
        ----------
        predictions : array, shape (n, k)
        targets : integer array, shape (n,), or array, shape (n, k)

        Raises
        ------
        DataError
            If the shapes do not belong together or an index names no class.
        """
        targets = self.check_targets(predictions, targets, None)
        classes = targets if targets.ndim == 1 else targets.argmax(axis=1)
        return int(np.count_nonzero(predictions.argmax(axis=1) == classes))

    def check_targets(self, predictions: Array, targets: Targets, weights: Array | None) -> Targets:
        """Return class indices as int64, or probabilities in the predictions' dtype."""
        n, k = predictions.shape
        if targets.shape not in ((n,), (n, k)):
            raise DataError(
                f"targets must have shape ({n},) or ({n}, {k}) to fit predictions of shape "
                f"({n}, {k}), got {targets.shape}"
            )
        if targets.ndim == 2:
            return targets.astype(predictions.dtype, copy=False)
        if targets.dtype.kind not in "iu":
            raise DataError(f"class indices must be integers, got {targets.dtype}")
        if n and (targets.min() < 0 or targets.max() >= k):
            raise DataError(
                f"class indices must lie in 0..{k - 1}, found {targets.min()}..{targets.max()}"
            )
        return targets.astype(np.int64, copy=False)


class SoftmaxCrossEntropy(_OfClasses):
    """Softmax and categorical cross-entropy in one step, from logits.

    For a row of logits ``z`` with class ``c``, or with class probabilities ``t``::

        loss = log sum_j exp(z_j) - z_c          = sum_i t_i (log sum_j exp(z_j) - z_i)
        dz_j = softmax(z)_j - [j = c]            = softmax(z)_j sum_i t_i - t_j

    Joined, the two need no clipping: the logarithm never sees a probability that rounded to zero.

    Smoothed, every target gives a share of itself to all ``k`` classes alike::

        t_j <- (1 - s) t_j + s / k sum_i t_i

    and the value is the cross-entropy with these targets, which is above zero however right the
    predictions are.

    Parameters
    ----------
    label_smoothing : float
        The share ``s``, at least 0 and below 1.

    Raises
    ------
    ConfigurationError
        If the share is out of range.

    References
    ----------
    Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the Inception Architecture for Computer
    Vision", CVPR 2016, section 7, on smoothing.
    """

    kind = "softmax_cross_entropy"
    output_activation = "softmax"

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = require_fraction("label_smoothing", label_smoothing)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {"label_smoothing": self.label_smoothing}

    def rows(self, predictions: Array, targets: Targets, gradient: Array) -> Array:
        """Return the loss of each row and write its gradient."""
        losses: Array = np.empty(len(predictions), predictions.dtype)
        if targets.ndim == 1:
            self._softmax_cross_entropy(predictions, targets, gradient, losses)  # type: ignore[arg-type]
            if self.label_smoothing:
                self._smooth(predictions, targets, gradient, losses)
        else:
            self._of_probabilities(predictions, targets, gradient, losses)
        return losses

    def _smooth(self, logits: Array, classes: Targets, gradient: Array, losses: Array) -> None:
        """Move the share from each row's class to all of them."""
        share, k, rows = self.label_smoothing, logits.shape[1], np.arange(len(logits))
        losses += share * (logits[rows, classes] - row_sums(logits)[:, 0] / k)
        gradient[rows, classes] += share
        gradient -= share / k

    def _of_probabilities(
        self, logits: Array, targets: Targets, gradient: Array, losses: Array
    ) -> None:
        """Compute each row's loss and gradient, for rows of class probabilities."""
        nearest = targets.argmax(axis=1)  # any class would do to get log-sum-exp and softmax
        self._softmax_cross_entropy(logits, nearest, gradient, losses)
        rows, mass = np.arange(len(logits)), targets.sum(axis=1)
        if share := self.label_smoothing:
            targets = (1.0 - share) * targets + (share / logits.shape[1]) * mass[:, None]
        gradient[rows, nearest] += 1.0
        losses += logits[rows, nearest]
        losses *= mass
        losses -= np.einsum("nk,nk->n", logits, targets)
        gradient *= mass[:, None]
        gradient -= targets

    def fetch(self, backend: Backend) -> None:
        """Take the backend's version of the function."""
        self._softmax_cross_entropy = backend.fetch(softmax_cross_entropy)

    def describe(self) -> CrossEntropy:
        """Return the loss as a record."""
        return CrossEntropy(self.label_smoothing)


def softmax_cross_entropy(
    logits: Array, targets: npt.NDArray[np.integer], out: Array, losses: Array
) -> None:
    """Compute the loss of each row and its gradient, for class indices.

    Parameters
    ----------
    logits : array, shape (n, k)
    targets : integer array, shape (n,)
    out : array, shape (n, k)
        Takes ``softmax(logits) - onehot(targets)``.
    losses : array, shape (n,)
        Takes ``log sum_j exp(logits_j) - logits[target]``.
    """
    rows = np.arange(len(targets))
    np.subtract(logits, row_maxima(logits), out=out)
    of_target = out[rows, targets]
    # exp(-60) is far below the rounding of a sum that is at least 1, and far above the numbers
    # so small that processors slow down on them
    np.maximum(out, -60.0, out=out)
    np.exp(out, out=out)
    sums = row_sums(out)
    np.log(sums[:, 0], out=losses)
    losses -= of_target
    out /= sums
    out[rows, targets] -= 1.0


class CategoricalCrossEntropy(_OfClasses):
    """Categorical cross-entropy of probabilities that a softmax has made already.

    For a row of probabilities ``p`` with class ``c``, or with class probabilities ``t``::

        loss = -log p_c                          = -sum_i t_i log p_i
        dp_j = -[j = c] / p_c                    = -t_j / p_j

    with ``p`` clipped to ``[1e-7, 1 - 1e-7]``. Where it clips the value does not change with ``p``,
    and the gradient is zero. This form is for reading and for driving layers by hand; training uses
    `SoftmaxCrossEntropy`.
    """

    kind = "categorical_cross_entropy"
    smallest = 1e-7

    def rows(self, predictions: Array, targets: Targets, gradient: Array) -> Array:
        """Return the loss of each row and write its gradient."""
        clipped = np.clip(predictions, self.smallest, 1.0 - self.smallest)
        inside = clipped == predictions
        if targets.ndim == 1:
            rows = np.arange(len(targets))
            losses: Array = -np.log(clipped[rows, targets])
            gradient[...] = 0.0
            gradient[rows, targets] = -1.0 / clipped[rows, targets]
        else:
            losses = -np.einsum("nk,nk->n", np.log(clipped), targets)
            np.divide(-targets, clipped, out=gradient)
        gradient *= inside
        return losses
