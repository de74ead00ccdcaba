"""Handloom: neural networks woven by hand in Python and NumPy."""

from importlib.metadata import version as _version

from handloom.data import Dataset, Splits, fashion_mnist, open_folder, read_npy, silhouettes
from handloom.errors import ConfigurationError, DataError, HandloomError, ModelError
from handloom.layers import Dense, Layer, ReLU, Softmax
from handloom.losses import CategoricalCrossEntropy, SoftmaxCrossEntropy
from handloom.metrics import accuracy, confusion_matrix, precision_and_recall
from handloom.model import Model
from handloom.network import Sequential, build
from handloom.optimizers import SGD, Adam
from handloom.schedules import Constant, InverseTimeDecay
from handloom.training import (
    BestModel,
    BestWeights,
    Callback,
    CSVLog,
    EarlyStopping,
    History,
    Progress,
    StopReason,
    Trainer,
    evaluate,
)

__version__ = _version("handloom")

__all__ = [
    "SGD",
    "Adam",
    "BestModel",
    "BestWeights",
    "CSVLog",
    "Callback",
    "CategoricalCrossEntropy",
    "ConfigurationError",
    "Constant",
    "DataError",
    "Dataset",
    "Dense",
    "EarlyStopping",
    "HandloomError",
    "History",
    "InverseTimeDecay",
    "Layer",
    "Model",
    "ModelError",
    "Progress",
    "ReLU",
    "Sequential",
    "Softmax",
    "SoftmaxCrossEntropy",
    "Splits",
    "StopReason",
    "Trainer",
    "accuracy",
    "build",
    "confusion_matrix",
    "evaluate",
    "fashion_mnist",
    "open_folder",
    "precision_and_recall",
    "read_npy",
    "silhouettes",
]
