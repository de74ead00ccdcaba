"""Handloom: neural networks woven by hand in Python and NumPy."""

from importlib import import_module
from typing import TYPE_CHECKING

from handloom._version import __version__ as __version__

if TYPE_CHECKING:
    from handloom.data import Dataset, Splits, fashion_mnist, open_folder, read_npy, silhouettes
    from handloom.data.augment import Erase, Flip, Shift
    from handloom.data.test_time_augmentation import View
    from handloom.errors import ConfigurationError, DataError, HandloomError, ModelError
    from handloom.estimators import (
        MLPClassifier as MLPClassifier,
    )
    from handloom.estimators import (
        MLPRegressor as MLPRegressor,
    )
    from handloom.estimators import (
        NetworkClassifier as NetworkClassifier,
    )
    from handloom.estimators import (
        NetworkRegressor as NetworkRegressor,
    )
    from handloom.gradcheck import check_gradients
    from handloom.layers import (
        ELU,
        GELU,
        AveragePool2D,
        BatchNorm,
        Conv2D,
        Dense,
        Dropout,
        Flatten,
        Layer,
        LayerNorm,
        LeakyReLU,
        MaxPool2D,
        ReLU,
        Reshape,
        Residual,
        Sigmoid,
        SiLU,
        Softmax,
        Tanh,
    )
    from handloom.losses import (
        BinaryCrossEntropy,
        CategoricalCrossEntropy,
        Huber,
        MeanAbsoluteError,
        MeanSquaredError,
        Poisson,
        SoftmaxCrossEntropy,
    )
    from handloom.metrics import accuracy, confusion_matrix, precision_and_recall
    from handloom.model import Model
    from handloom.network import Sequential, build
    from handloom.optimizers import SGD, Adagrad, Adam, AdamW, Muon, RMSprop
    from handloom.schedules import (
        Constant,
        CosineDecay,
        ExponentialDecay,
        InverseTimeDecay,
        LinearDecay,
        OneCycle,
        StepDecay,
        Warmup,
    )
    from handloom.training import (
        EMA,
        BestModel,
        BestWeights,
        Callback,
        Checkpoints,
        CSVLog,
        EarlyStopping,
        History,
        LayerNorms,
        Progress,
        StopReason,
        Trainer,
        evaluate,
    )

# the public names by where they live: each is loaded when it is first used
_HOMES = {
    "handloom.data": "Dataset Splits fashion_mnist open_folder read_npy silhouettes",
    "handloom.data.augment": "Erase Flip Shift",
    "handloom.data.test_time_augmentation": "View",
    "handloom.errors": "ConfigurationError DataError HandloomError ModelError",
    # not in __all__, since `from handloom import *` must not need an extra
    "handloom.estimators": "MLPClassifier MLPRegressor NetworkClassifier NetworkRegressor",
    "handloom.gradcheck": "check_gradients",
    "handloom.layers": "AveragePool2D BatchNorm Conv2D Dense Dropout ELU Flatten GELU Layer "
    "LayerNorm LeakyReLU MaxPool2D ReLU Reshape Residual SiLU Sigmoid Softmax Tanh",
    "handloom.losses": "BinaryCrossEntropy CategoricalCrossEntropy Huber MeanAbsoluteError "
    "MeanSquaredError Poisson SoftmaxCrossEntropy",
    "handloom.metrics": "accuracy confusion_matrix precision_and_recall",
    "handloom.model": "Model",
    "handloom.network": "Sequential build",
    "handloom.optimizers": "Adagrad Adam AdamW Muon RMSprop SGD",
    "handloom.schedules": "Constant CosineDecay ExponentialDecay InverseTimeDecay LinearDecay "
    "OneCycle StepDecay Warmup",
    "handloom.training": "BestModel BestWeights Callback Checkpoints CSVLog EMA "
    "EarlyStopping History LayerNorms Progress StopReason Trainer evaluate",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'handloom' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})


__all__ = [
    "ELU",
    "EMA",
    "GELU",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "AveragePool2D",
    "BatchNorm",
    "BestModel",
    "BestWeights",
    "BinaryCrossEntropy",
    "CSVLog",
    "Callback",
    "CategoricalCrossEntropy",
    "Checkpoints",
    "ConfigurationError",
    "Constant",
    "Conv2D",
    "CosineDecay",
    "DataError",
    "Dataset",
    "Dense",
    "Dropout",
    "EarlyStopping",
    "Erase",
    "ExponentialDecay",
    "Flatten",
    "Flip",
    "HandloomError",
    "History",
    "Huber",
    "InverseTimeDecay",
    "Layer",
    "LayerNorm",
    "LayerNorms",
    "LeakyReLU",
    "LinearDecay",
    "MaxPool2D",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Model",
    "ModelError",
    "Muon",
    "OneCycle",
    "Poisson",
    "Progress",
    "RMSprop",
    "ReLU",
    "Reshape",
    "Residual",
    "Sequential",
    "Shift",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "SoftmaxCrossEntropy",
    "Splits",
    "StepDecay",
    "StopReason",
    "Tanh",
    "Trainer",
    "View",
    "Warmup",
    "accuracy",
    "build",
    "check_gradients",
    "confusion_matrix",
    "evaluate",
    "fashion_mnist",
    "open_folder",
    "precision_and_recall",
    "read_npy",
    "silhouettes",
]
