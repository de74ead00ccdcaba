"""What every loss is: the weighted mean of its rows' losses, and the slope of that number.

A loss is called with predictions, targets and, where wanted, one weight a row. It returns the
weighted mean of the rows' losses and its gradient with respect to the predictions. ``total_weight``
is what the mean divides by: given the weight of a whole batch, the values and gradients of its
shards simply add up to those of the batch.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from handloom.backend import Computes
from handloom.errors import DataError
from handloom.operations import LossOperation
from handloom.parameters import Array

#: Class indices, class probabilities or numbers.
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


@runtime_checkable
class ClassificationLoss(Loss, Protocol):
    """A loss whose rows are right or wrong, besides being near or far.

    ``isinstance(loss, ClassificationLoss)`` says whether there are correct rows to count.
    """

    def correct(self, predictions: Array, targets: Targets) -> int:
        """Return how many rows are predicted right."""
        ...


class RowLoss(Computes, ABC):
    """A loss that is the weighted mean of its rows' losses: the base for a loss of your own.

    A subclass has two methods: `check_targets` brings targets to the form that it takes, and `rows`
    computes the loss of each row and its gradient. This class checks, weighs and divides.

    Attributes
    ----------
    kind : str
        The loss's name in files.
    output_activation : str
        What makes predictions of a network's outputs; see `handloom.Model`.
    """

    kind: ClassVar[str]
    output_activation: ClassVar[str] = "identity"

    @np.errstate(over="ignore", invalid="ignore")  # the value says so itself
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
            What a network returned, never written to.
        targets : array, shape (n,) or (n, k)
            What it should have returned; see the class.
        weights : array, shape (n,), optional
            A weight a row. A row of weight zero is absent, even one that is not finite.
        total_weight : float, optional
            What the mean divides by; by default the rows' weight. Where that is zero, so are value
            and gradient.
        out : array, shape (n, k), optional
            Where to write the gradient: other memory than the predictions.

        Returns
        -------
        value : float
            Summed in float64. It may be infinite or NaN, of which NumPy does not warn.
        gradient : array, shape (n, k)
            In the predictions' dtype.

        Raises
        ------
        DataError
            If the shapes do not belong together or a target means nothing.
        """
        _check_rows(predictions, weights)
        targets = self.check_targets(predictions, targets, weights)
        gradient: Array = np.empty_like(predictions) if out is None else out
        losses = self.rows(predictions, targets, gradient)
        return _mean(losses, gradient, weights, total_weight)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments, as JSON can hold them."""
        return {}

    def as_operation(self) -> LossOperation | None:
        """Return what this loss computes as a plain record, where there is one for it."""
        return None

    @abstractmethod
    def check_targets(self, predictions: Array, targets: Targets, weights: Array | None) -> Targets:
        """Return the targets in the form that `rows` takes.

        Parameters
        ----------
        predictions : array, shape (n, k)
        targets : array, shape (n,) or (n, k)
        weights : array, shape (n,), or None
            A weight per row; a row of weight zero is absent, and may have any target.

        Raises
        ------
        DataError
            If they do not fit.
        """

    @abstractmethod
    def rows(self, predictions: Array, targets: Targets, gradient: Array) -> Array:
        """Return the loss of each row and write its gradient.

        Parameters
        ----------
        predictions : array, shape (n, k)
            Never written to.
        targets : array
            As `check_targets` returned them.
        gradient : array, shape (n, k)
            Takes the gradient of each row's loss.

        Returns
        -------
        array, shape (n,)
            A new array, which the caller may change.
        """


def _check_rows(predictions: Array, weights: Array | None) -> None:
    if predictions.ndim != 2 or not predictions.shape[1]:
        raise DataError(
            f"predictions must have shape (n, k), k at least 1, got {predictions.shape}"
        )
    if weights is not None and weights.shape != predictions.shape[:1]:
        raise DataError(f"weights must have shape ({len(predictions)},), got {weights.shape}")


def _mean(
    losses: Array, gradient: Array, weights: Array | None, total_weight: float | None
) -> tuple[float, Array]:
    """Weight the rows and divide by the total weight; no weight at all is no loss."""
    if weights is not None:
        # zero times what is not finite would not be zero
        absent = weights == 0
        losses[absent] = 0.0
        gradient[absent] = 0.0
        losses = losses * weights
        gradient *= weights[:, None]
    if total_weight is None:
        total_weight = float(len(losses) if weights is None else weights.sum(dtype=np.float64))
    if total_weight == 0.0:
        gradient[...] = 0.0
        return 0.0, gradient
    gradient *= 1.0 / total_weight
    return float(losses.sum(dtype=np.float64)) / total_weight, gradient
