"""Losses: how wrong predictions are, as one number, and the slope of that number.

Each is called with predictions, targets and, where wanted, one weight a row. It returns the
weighted mean of the rows' losses and its gradient with respect to the predictions. ``total_weight``
is what the mean divides by: given the weight of a whole batch, the values and gradients of its
shards simply add up to those of the batch.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from handloom.errors import DataError
from handloom.kernels import UsesKernels
from handloom.parameters import Array

Targets = npt.NDArray[np.integer] | npt.NDArray[np.floating]


class Loss(Protocol):
    """A function from predictions and targets to a value and its gradient."""

    def __call__(
        self,
        predictions: Array,
        targets: Targets,
        weights: Array | None = None,
        *,
        total_weight: float | None = None,
        out: Array | None = None,
    ) -> tuple[float, Array]:
        """Return the weighted mean loss and its gradient with respect to the predictions."""
        ...


class SoftmaxCrossEntropy(UsesKernels):
    """Softmax and categorical cross-entropy in one step, from logits.

    For a row of logits ``z`` with class ``c``, or with class probabilities ``t``::

        loss = log sum_j exp(z_j) - z_c          = sum_i t_i (log sum_j exp(z_j) - z_i)
        dz_j = softmax(z)_j - [j = c]            = softmax(z)_j sum_i t_i - t_j

    Joined, the two need no clipping: the logarithm never sees a probability that rounded to zero.
    """

    def __call__(
        self,
        predictions: Array,
        targets: Targets,
        weights: Array | None = None,
        *,
        total_weight: float | None = None,
        out: Array | None = None,
    ) -> tuple[float, Array]:
        """Return the mean loss and its gradient.

        Parameters
        ----------
        predictions : array, shape (n, k)
            Logits.
        targets : integer array, shape (n,), or float array, shape (n, k)
            Class indices, or one-hot rows.
        weights : array, shape (n,), optional
            A weight a row.
        total_weight : float, optional
            What the mean divides by; by default the rows' weight.
        out : array, shape (n, k), optional
            Where to write the gradient.

        Returns
        -------
        value : float
        gradient : array, shape (n, k)

        Raises
        ------
        DataError
            If the shapes do not belong together or an index names no class.
        """
        targets = _check(predictions, targets, weights)
        gradient: Array = np.empty_like(predictions) if out is None else out
        losses: Array = np.empty(len(predictions), predictions.dtype)
        if targets.ndim == 1:
            self.kernels.softmax_cross_entropy(predictions, targets, gradient, losses)  # type: ignore[arg-type]
        else:
            self._of_rows(predictions, targets, gradient, losses)
        return _mean(losses, gradient, weights, total_weight)

    def _of_rows(self, logits: Array, targets: Targets, gradient: Array, losses: Array) -> None:
        """Compute each row's loss and gradient, for rows of class probabilities."""
        nearest = targets.argmax(axis=1)  # any class would do to get log-sum-exp and softmax
        self.kernels.softmax_cross_entropy(logits, nearest, gradient, losses)
        rows, mass = np.arange(len(logits)), targets.sum(axis=1)
        gradient[rows, nearest] += 1.0
        losses += logits[rows, nearest]
        losses *= mass
        losses -= np.einsum("nk,nk->n", logits, targets)
        gradient *= mass[:, None]
        gradient -= targets


class CategoricalCrossEntropy:
    """Categorical cross-entropy of probabilities that a softmax has made already.

    For a row of probabilities ``p`` with class ``c``, or with class probabilities ``t``::

        loss = -log p_c                          = -sum_i t_i log p_i
        dp_j = -[j = c] / p_c                    = -t_j / p_j

    with ``p`` clipped to ``[1e-7, 1 - 1e-7]``. Where it clips the value does not change with ``p``,
    and the gradient is zero. This form is for reading and for driving layers by hand; training uses
    `SoftmaxCrossEntropy`.
    """

    smallest = 1e-7

    def __call__(
        self,
        predictions: Array,
        targets: Targets,
        weights: Array | None = None,
        *,
        total_weight: float | None = None,
        out: Array | None = None,
    ) -> tuple[float, Array]:
        """Return the mean loss and its gradient; see `SoftmaxCrossEntropy` for the arguments."""
        targets = _check(predictions, targets, weights)
        clipped = np.clip(predictions, self.smallest, 1.0 - self.smallest)
        inside = clipped == predictions
        losses = -_at_target(np.log(clipped), targets)

        gradient = np.zeros_like(predictions) if out is None else out
        if targets.ndim == 1:
            gradient[...] = 0.0
            rows = np.arange(len(targets))
            gradient[rows, targets] = -1.0 / clipped[rows, targets]
        else:
            np.divide(-targets, clipped, out=gradient)
        gradient *= inside
        return _mean(losses, gradient, weights, total_weight)


def _check(predictions: Array, targets: Targets, weights: Array | None) -> Targets:
    """Return the targets, int64 or of the predictions' dtype; refuse what does not fit."""
    n, k = predictions.shape if predictions.ndim == 2 else (-1, -1)
    if n < 0:
        raise DataError(f"predictions must have shape (n, k), got {predictions.shape}")
    if targets.shape not in ((n,), (n, k)):
        raise DataError(
            f"targets must have shape ({n},) or ({n}, {k}) to fit predictions of shape "
            f"({n}, {k}), got {targets.shape}"
        )
    if weights is not None and weights.shape != (n,):
        raise DataError(f"weights must have shape ({n},), got {weights.shape}")
    if targets.ndim == 1:
        if targets.dtype.kind not in "iu":
            raise DataError(f"class indices must be integers, got {targets.dtype}")
        if n and (targets.min() < 0 or targets.max() >= k):
            raise DataError(
                f"class indices must lie in 0..{k - 1}, found {targets.min()}..{targets.max()}"
            )
        return targets.astype(np.int64, copy=False)
    return targets.astype(predictions.dtype, copy=False)


def _at_target(values: Array, targets: Targets) -> Array:
    """Return each row's value at its class, shape (n,)."""
    if targets.ndim == 1:
        return np.asarray(values[np.arange(len(targets)), targets])
    return np.asarray(np.einsum("nk,nk->n", values, targets), values.dtype)


def _mean(
    losses: Array, gradient: Array, weights: Array | None, total_weight: float | None
) -> tuple[float, Array]:
    """Weight the rows and divide by the total weight; no weight at all is no loss."""
    if weights is not None:
        # rows of weight zero are absent, even those whose loss is not finite
        losses = np.where(weights == 0, 0.0, losses * weights)
        gradient *= weights[:, None]
        gradient[weights == 0] = 0.0
    if total_weight is None:
        total_weight = float(len(losses) if weights is None else weights.sum(dtype=np.float64))
    if total_weight == 0.0:
        gradient[...] = 0.0
        return 0.0, gradient
    gradient *= 1.0 / total_weight
    return float(losses.sum(dtype=np.float64)) / total_weight, gradient
