"""Checks of the parameters ``loss`` and ``quantile``."""

from collections.abc import Sequence
from typing import Any

from handloom.errors import did_you_mean
from handloom.estimators.outputs import OUTPUT_ACTIVATIONS, name_of
from handloom.estimators.regression import LOSS_NAMES
from handloom.losses import ClassificationLoss, output_activation_of


def check_regression_loss(loss: Any, quantile: Any) -> None:
    """Check the loss of a regressor, and its quantile.

    Raises
    ------
    ValueError
        If the loss is neither a name nor a loss object, is one of classes or has an unknown output
        activation; or a quantile is missing, or has no effect.
    """
    if (loss == "quantile") != (quantile is not None):
        raise ValueError(
            "'quantile' must be a number between 0 and 1, or several in ascending order, with "
            f"loss='quantile', and None with any other loss, got quantile={quantile!r} and "
            f"loss={loss!r}"
        )
    if isinstance(loss, str) and loss in LOSS_NAMES:
        return
    _check_object(loss, f"one of {sorted(LOSS_NAMES)}, or a loss object", LOSS_NAMES)
    if isinstance(loss, ClassificationLoss):
        raise ValueError(
            f"'loss' must be one of continuous targets, got {type(loss).__name__}: use a classifier"
        )
    activation = name_of(output_activation_of(loss, None))
    if activation not in OUTPUT_ACTIVATIONS:
        raise ValueError(
            f"the output_activation of 'loss' must be one of {sorted(OUTPUT_ACTIVATIONS)}, got "
            f"{activation!r}"
        )


def check_class_loss(loss: Any, output_activation: str, label_smoothing: float) -> None:
    """Check the loss of a classifier.

    Raises
    ------
    ValueError
        If it is no loss object, has another output activation than the task, or labels are
        smoothed too.
    """
    if loss is None:
        return
    _check_object(loss, "None, for the cross-entropy, or a loss object")
    own = name_of(output_activation_of(loss, None))
    if own != output_activation:
        raise ValueError(
            f"the output_activation of 'loss' must be {output_activation!r}, that of the classes "
            f"of y, got {own!r} of {type(loss).__name__}"
        )
    if label_smoothing:
        raise ValueError(
            f"'label_smoothing' must be 0 with a loss object, got {label_smoothing!r}: pass it to "
            "the loss, such as SoftmaxCrossEntropy(label_smoothing=0.1)"
        )


def _check_object(loss: Any, expected: str, names: Sequence[str] = ()) -> None:
    if not callable(loss) or isinstance(loss, type):
        a_class = isinstance(loss, type)
        own = f"the class {loss.__name__}: pass {loss.__name__}()" if a_class else repr(loss)
        hint = did_you_mean(loss, names) if isinstance(loss, str) else ""
        raise ValueError(f"'loss' must be {expected}, got {own}{hint and '.'}{hint}")
