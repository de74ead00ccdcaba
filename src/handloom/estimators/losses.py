"""Checks of the parameters ``loss`` and ``quantile``."""

from typing import Any

from handloom.estimators.outputs import OUTPUT_ACTIVATIONS, name_of
from handloom.losses import ClassificationLoss, output_activation_of


def check_regression_loss(loss: Any, quantile: Any) -> None:
    """Check the loss of a regressor, and its quantile.

    Raises
    ------
    ValueError
        If the loss is a class, of classes or has an unknown output activation; or a quantile is
        missing, or has no effect.
    """
    if (loss == "quantile") != (quantile is not None):
        raise ValueError(
            "'quantile' must be a number between 0 and 1, or several in ascending order, with "
            f"loss='quantile', and None with any other loss, got quantile={quantile!r} and "
            f"loss={loss!r}"
        )
    if isinstance(loss, str):
        return
    _check_object(loss)
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
        If it is a name or a class, has another output activation than the task, or labels are
        smoothed too.
    """
    if loss is None:
        return
    if isinstance(loss, str):
        raise ValueError(
            "'loss' of a classifier must be None, for the cross-entropy, or a loss object, got "
            f"{loss!r}"
        )
    _check_object(loss)
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


def _check_object(loss: Any) -> None:
    if not callable(loss) or isinstance(loss, type):
        a_class = isinstance(loss, type)
        own = f"the class {loss.__name__}: pass {loss.__name__}()" if a_class else repr(loss)
        raise ValueError(f"'loss' must be a name or a loss object, got {own}")
