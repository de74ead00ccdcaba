"""Estimators on scikit-learn's contract, composed of a task, an architecture and a fit."""

from importlib.util import find_spec

from handloom.errors import MissingExtraError

if find_spec("sklearn") is None:
    raise MissingExtraError("scikit-learn", "sklearn", "handloom.estimators")

from handloom.estimators.mlp import MLPClassifier, MLPRegressor
from handloom.estimators.network import NetworkClassifier, NetworkRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "NetworkClassifier", "NetworkRegressor"]
