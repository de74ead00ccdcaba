"""Optimizers: SGD, Adagrad, RMSprop, Adam, AdamW and Muon, on the flat vector of weights.

An optimizer is bound to parameters, owns its state, and updates the weights in place, once a step.
"""

from typing import Any

from handloom.errors import ConfigurationError, require_known
from handloom.optimizers.adagrad import Adagrad
from handloom.optimizers.adam import Adam, AdamW
from handloom.optimizers.base import Optimizer
from handloom.optimizers.muon import Muon
from handloom.optimizers.rmsprop import RMSprop
from handloom.optimizers.sgd import SGD

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Muon",
    "Optimizer",
    "RMSprop",
    "optimizer",
]

#: The optimizers by their names in configurations and files.
OPTIMIZERS: dict[str, type[Optimizer]] = {
    optimizer_class.kind: optimizer_class
    for optimizer_class in (SGD, Adagrad, RMSprop, Adam, AdamW, Muon)
}

OPTIONS_OF_SGD = {
    "momentum": "it is an option of sgd, --optimizer sgd --momentum 0.9, in Python "
    "SGD(momentum=0.9)",
    "nesterov": "it is an option of sgd, in Python SGD(momentum=0.9, nesterov=True); the command "
    "line has --optimizer sgd --momentum 0.9 only",
}
"""Names that stand for an optimizer elsewhere, each with its spelling here."""


def optimizer(name: str, **options: Any) -> Optimizer:
    """Return an optimizer by its name.

    Raises
    ------
    ConfigurationError
        If the name or an option is unknown.
    """
    if isinstance(name, str) and name in OPTIONS_OF_SGD:
        raise ConfigurationError(f"unknown optimizer {name!r}: {OPTIONS_OF_SGD[name]}")
    require_known("optimizer", name, OPTIMIZERS)
    try:
        return OPTIMIZERS[name](**options)
    except TypeError as error:
        raise ConfigurationError(f"optimizer {name!r}: {error}") from None
