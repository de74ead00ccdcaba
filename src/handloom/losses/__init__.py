"""Loss functions: a value for predictions and targets, and its gradient."""

from handloom.errors import ConfigurationError, require_known
from handloom.losses.base import (
    ClassificationLoss,
    Loss,
    RowLoss,
    Targets,
    output_activation_of,
    output_names_of,
)
from handloom.losses.binary import BinaryCrossEntropy
from handloom.losses.cross_entropy import CategoricalCrossEntropy, SoftmaxCrossEntropy
from handloom.losses.poisson import Poisson
from handloom.losses.quantile import Pinball
from handloom.losses.regression import Huber, MeanAbsoluteError, MeanSquaredError

#: The losses by their names in configurations and files.
LOSSES: dict[str, type[RowLoss]] = {
    loss_class.kind: loss_class
    for loss_class in (
        SoftmaxCrossEntropy,
        CategoricalCrossEntropy,
        BinaryCrossEntropy,
        MeanSquaredError,
        MeanAbsoluteError,
        Huber,
        Pinball,
        Poisson,
    )
}


def loss(name: str, **options: object) -> RowLoss:
    """Return a loss by its name.

    Raises
    ------
    ConfigurationError
        If the name or an option is unknown.
    """
    require_known("loss", name, LOSSES)
    try:
        return LOSSES[name](**options)
    except TypeError as error:
        raise ConfigurationError(f"loss {name!r}: {error}") from None


__all__ = [
    "LOSSES",
    "BinaryCrossEntropy",
    "CategoricalCrossEntropy",
    "ClassificationLoss",
    "Huber",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Pinball",
    "Poisson",
    "RowLoss",
    "SoftmaxCrossEntropy",
    "Targets",
    "loss",
    "output_activation_of",
    "output_names_of",
]
