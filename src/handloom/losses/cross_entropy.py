"""Categorical cross-entropy, from logits or from probabilities, for one of several classes."""

import numpy as np
import numpy.typing as npt

from handloom.backend import Backend
from handloom.errors import DataError, require_fraction, require_numeric
from handloom.losses.base import RowLoss, Targets, check_predictions
from handloom.operations import CrossEntropy
from handloom.parameters import Array
from handloom.reductions import row_maxima, row_sums
from handloom.secondary import warn


class _ClassLoss(RowLoss):
    """Base class of the losses for one of several classes.

    Predictions are float32 or float64, shape (n, k), with a column for each class. Targets are
    class indices, an integer array of shape (n,), or rows of class probabilities, shape (n, k),
    usually one-hot. Their entries are not checked; the sums of rows need not be 1.
    """

    def correct(self, predictions: Array, targets: Targets) -> int:
        """Return the number of rows whose largest prediction is at the target's class.

        Of equal predictions the first one counts. The class of a row of probabilities is its
        largest entry, again the first of equal ones.

        Parameters
        ----------
        predictions : array, shape (n, k)
        targets : integer array, shape (n,), or array, shape (n, k)

        Returns
        -------
        int

        Raises
        ------
        DataError
            If predictions have another shape or are not floating-point, the shapes do not match,
            targets are not numeric, or class indices are not integers or out of range.
        """
        check_predictions(predictions)
        targets = self.check_targets(predictions, targets, None)
        classes = targets if targets.ndim == 1 else targets.argmax(axis=1)
        return int(np.count_nonzero(predictions.argmax(axis=1) == classes))

    def check_targets(self, predictions: Array, targets: Targets, weights: Array | None) -> Targets:
        """Check the targets, and return them in the form that `row_losses` takes.

        Parameters
        ----------
        predictions : array, shape (n, k)
        targets : integer array, shape (n,), or array, shape (n, k)
        weights : array, shape (n,), or None
            Sample weights. In a row of weight zero, which is ignored, any integer is a valid class
            index.

        Returns
        -------
        array
            Class indices as int64, shape (n,); an invalid index in a row of weight zero becomes 0.
            Or probabilities in the predictions' dtype, shape (n, k).

        Raises
        ------
        DataError
            If the shapes do not match, targets are not numeric (bool, integer or floating-point),
            or class indices are not integers, or out of range in a row that is not of weight zero.
        """
        n, k = predictions.shape
        if targets.shape not in ((n,), (n, k)):
            raise DataError(
                f"targets must have shape ({n},) or ({n}, {k}) to fit predictions of shape "
                f"({n}, {k}), got {targets.shape}"
            )
        if targets.ndim == 2:
            require_numeric("targets", targets.dtype)
            return targets.astype(predictions.dtype, copy=False)
        if targets.dtype.kind not in "iu":
            raise DataError(f"class indices must be integers, got {targets.dtype}")
        if n and (targets.min() < 0 or targets.max() >= k):
            present = targets if weights is None else targets[weights != 0]
            if present.size and (present.min() < 0 or present.max() >= k):
                raise DataError(
                    f"class indices must be in 0..{k - 1}, got {present.min()}..{present.max()}"
                )
            targets = np.where((targets >= 0) & (targets < k), targets, 0)
        return targets.astype(np.int64, copy=False)


class SoftmaxCrossEntropy(_ClassLoss):
    """Categorical cross-entropy from logits: softmax and cross-entropy in one step.

    For a row of logits ``z`` with class ``t``, where ``[j = t]`` is 1 for that class and else 0::

        loss = log sum_j exp(z_j) - z_t
        dz_j = softmax(z)_j - [j = t]

    and for a row of class probabilities ``t``, of which a class index is the one-hot case::

        loss = sum_i t_i (log sum_j exp(z_j) - z_i)
        dz_j = softmax(z)_j sum_i t_i - t_j

    Because softmax and logarithm are combined, probabilities need no clipping: there is no
    logarithm of zero. Logits and their differences must be finite, which is not checked: a row with
    a logit of plus infinity gives NaN; with one of minus infinity the loss may be finite, infinite
    or NaN. The maximum of a row is subtracted first (log-sum-exp), for numerical stability with
    large logits.

    With label smoothing, targets are replaced by a mixture with equal probabilities of all ``k``
    classes::

        t_j <- (1 - alpha) t_j + (alpha / k) sum_i t_i

    and the value is the cross-entropy with these: it is above zero for correct predictions too.
    Class indices and rows of probabilities are smoothed alike. A row's weight, class weights
    included, multiplies its whole loss, the smoothed part too, and the mean is divided by the sum
    of these weights. PyTorch weighs the term of each class ``j`` in the smoothed part by the weight
    of ``j`` instead; the values differ if both class weights and smoothing are used.

    These are the loss and the gradient of each row. `RowLoss` calls `check_targets`, then
    `row_losses`. It multiplies each row's loss and gradient by the row's weight, and divides them
    by the number of rows, or by the sum of the weights.

    Parameters
    ----------
    label_smoothing : float
        The smoothing ``alpha``, at least 0 and below 1.

    Raises
    ------
    ConfigurationError
        If ``label_smoothing`` is out of range.

    References
    ----------
    Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the Inception Architecture for Computer
    Vision", CVPR 2016, section 7, on smoothing.
    """

    kind = "softmax_cross_entropy"
    output_activation = "softmax"  # from logits to probabilities, in a model

    def __init__(self, label_smoothing: float = 0.0) -> None:
        self.label_smoothing = require_fraction("label_smoothing", label_smoothing)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments as JSON-serializable values."""
        return {"label_smoothing": self.label_smoothing}

    def __call__(
        self,
        predictions: Array,
        targets: Targets,
        weights: Array | None = None,
        *,
        total_weight: float | None = None,
        out: Array | None = None,
    ) -> tuple[float, Array]:
        """Return the mean loss and its gradient; see `RowLoss`.

        Probabilities in place of logits get a warning if targets are class indices, except in
        training, where the trainer leaves a final softmax out.
        """
        direct = total_weight is None and out is None and np.ndim(targets) == 1
        if direct and _are_probabilities(predictions):
            warn(
                "SoftmaxCrossEntropy takes logits, and every row of the predictions sums to 1, as "
                "probabilities do: use CategoricalCrossEntropy for a network that ends in Softmax"
            )
        return super().__call__(predictions, targets, weights, total_weight=total_weight, out=out)

    def row_losses(self, predictions: Array, targets: Targets, gradient: Array) -> Array:
        """Return each row's loss, and overwrite ``gradient`` with its gradient.

        Parameters
        ----------
        predictions : array, shape (n, k)
            The logits, only read.
        targets : array, shape (n,) or (n, k)
            As `check_targets` returned them.
        gradient : array, shape (n, k)
            Overwritten; must not overlap the logits.

        Returns
        -------
        array, shape (n,)
            A new array, in the logits' dtype, which the caller may change.
        """
        losses: Array = np.empty(len(predictions), predictions.dtype)
        if targets.ndim == 1:
            self._softmax_cross_entropy(predictions, targets, gradient, losses)  # type: ignore[arg-type]
            if self.label_smoothing:
                self._smooth(predictions, targets, gradient, losses)
        else:
            self._losses_of_probabilities(predictions, targets, gradient, losses)
        return losses

    def _smooth(self, logits: Array, classes: Targets, gradient: Array, losses: Array) -> None:
        """Apply label smoothing to losses and gradients for class indices, in place.

        With the shifted logits ``z``, whose largest is 0::

            loss <- loss + alpha (z_t - mean of z)    dz_j <- dz_j + alpha [j = t] - alpha / k
        """
        s, k, index = self.label_smoothing, logits.shape[1], np.arange(len(logits))
        shifted = logits - row_maxima(logits)
        losses += s * (shifted[index, classes] - row_sums(shifted)[:, 0] / k)
        gradient[index, classes] += s
        gradient -= s / k

    def _losses_of_probabilities(
        self, logits: Array, targets: Targets, gradient: Array, losses: Array
    ) -> None:
        """Compute each row's loss and gradient for rows of class probabilities, smoothing included.

        It calls `softmax_cross_entropy` with the column of each row's largest logit as its class.
        The largest shifted logit is 0, so the loss is then ``log sum exp`` of the shifted logits.
        The gradient is ``softmax`` minus 1 at that class; this method adds the 1 back.
        """
        largest, index = logits.argmax(axis=1), np.arange(len(logits))
        self._softmax_cross_entropy(logits, largest, gradient, losses)
        gradient[index, largest] += 1.0
        total = targets.sum(axis=1)
        if s := self.label_smoothing:
            targets = (1.0 - s) * targets + (s / logits.shape[1]) * total[:, None]
        losses *= total
        losses -= np.einsum("nk,nk->n", logits - row_maxima(logits), targets)
        gradient *= total[:, None]
        gradient -= targets

    def set_backend(self, backend: Backend) -> None:
        """Store ``backend.version_of(softmax_cross_entropy)`` as ``self._softmax_cross_entropy``.

        `UsesBackend` calls it with NumPy before ``__init__``.
        """
        self._softmax_cross_entropy = backend.version_of(softmax_cross_entropy)

    def as_operation(self) -> CrossEntropy:
        """Return the loss as a record."""
        return CrossEntropy(self.label_smoothing)


def softmax_cross_entropy(
    logits: Array, targets: npt.NDArray[np.integer], out: Array, losses: Array
) -> None:
    """Compute the softmax cross-entropy of each row and its gradient, for class indices.

    Each row's maximum is subtracted first. Shifted logits below -60 are raised to -60 in the sum of
    exponentials and in the gradient; ``logits[target]`` in the loss is exact.

    Parameters
    ----------
    logits : array, shape (n, k)
        Only read.
    targets : integer array, shape (n,)
        In 0..k - 1; not checked.
    out : array, shape (n, k)
        Overwritten with ``softmax(logits) - onehot(targets)``.
    losses : array, shape (n,)
        Overwritten with ``log sum_j exp(logits_j) - logits[target]``.
    """
    index = np.arange(len(targets))
    np.subtract(logits, row_maxima(logits), out=out)
    target_logits = out[index, targets]  # copied before the floor below, so that the loss is exact
    # The sum is at least exp(0) = 1, and adding exp(-60) to 1 does not change a float. Much smaller
    # terms would be subnormal numbers, on which processors are slow.
    np.maximum(out, -60.0, out=out)
    np.exp(out, out=out)
    sums = row_sums(out)
    np.log(sums[:, 0], out=losses)
    losses -= target_logits
    out /= sums
    out[index, targets] -= 1.0


class CategoricalCrossEntropy(_ClassLoss):
    """Categorical cross-entropy from probabilities, the output of a softmax.

    For a row of probabilities ``p`` with class probabilities ``t``, of which a class index is the
    one-hot case, and with ``q`` for ``p`` clipped to ``[1e-7, 1 - 1e-7]``::

        loss = -sum_i t_i log q_i
        dp_j = -t_j / q_j where p_j = q_j, else 0

    Clipping keeps the logarithm finite. Clipped probabilities have gradient zero: a row with
    ``p = 0`` for its class has a loss of 16.1 and is not learned from. This form is for study, and
    for calling forward and backward by hand, with the backward pass of `handloom.Softmax` from
    ``dp`` to the logits. A trainer does not accept it: use `SoftmaxCrossEntropy`.
    """

    kind = "categorical_cross_entropy"
    output_activation = "identity"
    _smallest = 1e-7

    def row_losses(self, predictions: Array, targets: Targets, gradient: Array) -> Array:
        """Return each row's loss, shape (n,), and overwrite ``gradient`` with its gradient.

        ``targets`` are as `check_targets` returned them.
        """
        clipped = np.clip(predictions, self._smallest, 1.0 - self._smallest)
        inside = clipped == predictions
        if targets.ndim == 1:
            index = np.arange(len(targets))
            losses: Array = -np.log(clipped[index, targets])
            gradient[...] = 0.0
            gradient[index, targets] = -1.0 / clipped[index, targets]
        else:
            losses = -np.einsum("nk,nk->n", np.log(clipped), targets)
            np.divide(-targets, clipped, out=gradient)
        gradient *= inside
        return losses


def _are_probabilities(predictions: object) -> bool:
    """Return whether predictions are two rows or more, of shape (n, k), that all sum to 1."""
    if not isinstance(predictions, np.ndarray) or predictions.dtype.kind != "f":
        return False
    if predictions.ndim != 2 or len(predictions) < 2 or predictions.shape[1] < 2:
        return False
    for rows in (predictions[:2], predictions):  # logits are told by the first rows
        if not ((rows >= 0.0) & (rows <= 1.0)).all() or (abs(rows.sum(axis=1) - 1.0) > 1e-4).any():
            return False
    return True
