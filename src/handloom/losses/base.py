"""Base classes of losses: the weighted mean of the losses of rows, and its gradient.

A loss is called with predictions, targets and, optionally, a sample weight for each row. It returns
the weighted mean of the rows' losses and its gradient with respect to the predictions.
``total_weight`` is the divisor of the mean: with the total weight of a batch, the values and
gradients of its shards add up to those of the batch.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from handloom.arguments import as_call
from handloom.backend import UsesBackend
from handloom.errors import ConfigurationError, DataError, require_numeric
from handloom.operations import LossOperation
from handloom.parameters import Array

#: Class indices, class probabilities or continuous targets.
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
        """Return the weighted mean loss and its gradient with respect to the predictions.

        Predictions, targets and weights are only read.
        """
        ...


@runtime_checkable
class ClassificationLoss(Loss, Protocol):
    """A loss that can count correct predictions, for accuracy.

    ``isinstance(loss, ClassificationLoss)`` is True for a loss with a method `correct`. For
    training it also needs an ``output_activation``; see `RowLoss`.
    """

    def correct(self, predictions: Array, targets: Targets) -> int:
        """Return the number of correct predictions."""
        ...


def output_activation_of(loss: Loss, last_layer: str | None) -> str:
    """Return the activation that a loss applies to a network's outputs, ``"identity"`` for none.

    Parameters
    ----------
    loss : Loss
    last_layer : str or None
        The output activation that the network ends in.

    Raises
    ------
    ConfigurationError
        If the loss does not declare it, but training or predictions depend on it.
    """
    declared: str | None = getattr(loss, "output_activation", None)
    if declared is None and (last_layer is not None or isinstance(loss, ClassificationLoss)):
        name = getattr(loss, "__name__", type(loss).__name__)
        raise ConfigurationError(
            f"the loss {name} must have an attribute output_activation: the activation that it "
            'applies to the outputs of the network, "softmax", "sigmoid" or "exp", or "identity" '
            "if it takes them as they are"
        )
    return declared or "identity"


def output_names_of(loss: Loss, target_names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the outputs that a loss takes: by default one for each class or target.

    Parameters
    ----------
    loss : Loss
    target_names : tuple of str
        The names of the classes, or of the targets.

    Raises
    ------
    DataError
        If the loss does not take as many targets.
    """
    names = getattr(loss, "output_names", None)
    return target_names if names is None else tuple(names(target_names))


class RowLoss(UsesBackend, ABC):
    """Base class for losses: the weighted mean of the losses of rows.

    A subclass has two methods: `check_targets` validates and converts the targets, and `row_losses`
    computes the loss of each row and its gradient. This class checks shapes, applies the sample
    weights and takes the mean.

    Attributes
    ----------
    kind : str
        The loss's name in files. By default the name of the class in lower case; a subclass does
        not inherit it.
    output_activation : str
        The activation that this loss applies to a network's outputs itself: the function from
        outputs to predictions (see `handloom.Model`), ``"identity"`` for none.
    """

    kind: ClassVar[str]
    output_activation: ClassVar[str]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "kind" not in vars(cls):
            cls.kind = cls.__name__.lower()

    def __repr__(self) -> str:
        return as_call(self)

    @np.errstate(over="ignore", invalid="ignore")  # visible in the value
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
            The outputs of a network, never written to.
        targets : array, shape (n,) or (n, k)
            The true values; see the class.
        weights : array, shape (n,), optional
            Sample weights, one for each row. A row of weight zero is ignored, even if it is not
            finite.
        total_weight : float, optional
            The divisor of the mean; by default the sum of the sample weights. If it is zero, so are
            value and gradient.
        out : array, shape (n, k), optional
            The array to write the gradient into; must not overlap the predictions.

        Returns
        -------
        value : float
            Summed in float64. It may be infinite or NaN, without a NumPy warning.
        gradient : array, shape (n, k)
            In the predictions' dtype.

        Raises
        ------
        DataError
            If the shapes do not match, predictions are not floating-point, weights are not numeric
            or a target is invalid, or `row_losses` returns another shape than (n,).
        """
        weights = None if weights is None else np.asarray(weights)
        _check_rows(predictions, weights)
        checked = self.check_targets(predictions, np.asarray(targets), weights)  # type: ignore[arg-type]
        gradient: Array = np.empty_like(predictions) if out is None else out
        losses = self.row_losses(predictions, checked, gradient)
        if np.shape(losses) != predictions.shape[:1]:
            raise DataError(
                f"row_losses of {type(self).__name__} must return one loss for each row, shape "
                f"({len(predictions)},), got shape {np.shape(losses)}"
            )
        return _mean(losses, gradient, weights, total_weight)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments as JSON-serializable values."""
        return {}

    def output_names(self, target_names: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names of the outputs: those of the classes or targets, one output for each."""
        return target_names

    def as_operation(self) -> LossOperation | None:
        """Return this loss as a record, or None if there is none."""
        return None

    @abstractmethod
    def check_targets(self, predictions: Array, targets: Targets, weights: Array | None) -> Targets:
        """Return the targets in the form that `row_losses` takes.

        Parameters
        ----------
        predictions : array, shape (n, k)
        targets : array, shape (n,) or (n, k)
        weights : array, shape (n,), or None
            Sample weights; a row of weight zero is ignored, and may have any target.

        Raises
        ------
        DataError
            If their shape does not match the predictions, or a target is invalid.
        """

    @abstractmethod
    def row_losses(self, predictions: Array, targets: Targets, gradient: Array) -> Array:
        """Return the loss of each row and write its gradient.

        Parameters
        ----------
        predictions : array, shape (n, k)
            Never written to.
        targets : array
            As `check_targets` returned them.
        gradient : array, shape (n, k)
            Overwritten with the gradient of each row's loss.

        Returns
        -------
        array, shape (n,)
            In the predictions' dtype or float64; a new array that the caller may change.
        """


def check_predictions(predictions: Array) -> None:
    """Check the shape and the dtype of predictions.

    Raises
    ------
    DataError
        If the shape is not (n, k), k at least 1, or they are not floating-point.
    """
    if predictions.ndim != 2 or not predictions.shape[1]:
        raise DataError(
            f"predictions must have shape (n, k), k at least 1, got {predictions.shape}"
        )
    if predictions.dtype.kind != "f":
        raise DataError(f"predictions must be floating-point, got dtype {predictions.dtype}")


def _check_rows(predictions: Array, weights: Array | None) -> None:
    check_predictions(predictions)
    if weights is not None:
        if weights.shape != predictions.shape[:1]:
            raise DataError(f"weights must have shape ({len(predictions)},), got {weights.shape}")
        require_numeric("weights", weights.dtype)


def _mean(
    losses: Array, gradient: Array, weights: Array | None, total_weight: float | None
) -> tuple[float, Array]:
    """Weight the rows and divide by the total weight; the loss of no weight is 0."""
    if weights is not None:
        # zero times infinity or NaN would be NaN
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
