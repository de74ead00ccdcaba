"""The public names by where they live; `handloom` loads each when it is first used."""

from handloom import plots as plots
from handloom._version import __version__ as __version__
from handloom.data import (
    Dataset as Dataset,
    Splits as Splits,
    circles as circles,
    fashion_mnist as fashion_mnist,
    moons as moons,
    open_folder as open_folder,
    open_table as open_table,
    read_npy as read_npy,
    silhouettes as silhouettes,
    sine as sine,
    spiral as spiral,
    split_frame as split_frame,
    xor as xor,
)
from handloom.data.augment import (
    Erase as Erase,
    Flip as Flip,
    Shift as Shift,
)
from handloom.data.photos.prediction import ImagePrediction as ImagePrediction
from handloom.data.test_time_augmentation import View as View
from handloom.errors import (
    ConfigurationError as ConfigurationError,
    DataError as DataError,
    DataWarning as DataWarning,
    DivergenceWarning as DivergenceWarning,
    HandloomError as HandloomError,
    ModelError as ModelError,
    RankError as RankError,
)
from handloom.estimators import (
    MLPClassifier as MLPClassifier,
    MLPRegressor as MLPRegressor,
    NetworkClassifier as NetworkClassifier,
    NetworkRegressor as NetworkRegressor,
)
from handloom.gradcheck import check_gradients as check_gradients
from handloom.initializers import (
    Glorot as Glorot,
    He as He,
    Ones as Ones,
    ScaledNormal as ScaledNormal,
    Zeros as Zeros,
)
from handloom.interop.numpy import to_numpy as to_numpy
from handloom.interop.onnx import from_onnx as from_onnx, to_onnx as to_onnx
from handloom.interop.torch import to_torch as to_torch
from handloom.layers import (
    ELU as ELU,
    GELU as GELU,
    AveragePool2D as AveragePool2D,
    BatchNorm as BatchNorm,
    Conv2D as Conv2D,
    Dense as Dense,
    Dropout as Dropout,
    Embedding as Embedding,
    Flatten as Flatten,
    GlobalAveragePool2D as GlobalAveragePool2D,
    Layer as Layer,
    LayerNorm as LayerNorm,
    LeakyReLU as LeakyReLU,
    MaxPool2D as MaxPool2D,
    ReLU as ReLU,
    Reshape as Reshape,
    Residual as Residual,
    Sigmoid as Sigmoid,
    SiLU as SiLU,
    Softmax as Softmax,
    Tanh as Tanh,
)
from handloom.layers.building import build as build
from handloom.losses import (
    BinaryCrossEntropy as BinaryCrossEntropy,
    CategoricalCrossEntropy as CategoricalCrossEntropy,
    Huber as Huber,
    MeanAbsoluteError as MeanAbsoluteError,
    MeanSquaredError as MeanSquaredError,
    Pinball as Pinball,
    Poisson as Poisson,
    SoftmaxCrossEntropy as SoftmaxCrossEntropy,
)
from handloom.metrics import (
    accuracy as accuracy,
    brier_score as brier_score,
    confusion_matrix as confusion_matrix,
    mean_absolute_error as mean_absolute_error,
    mean_squared_error as mean_squared_error,
    precision_and_recall as precision_and_recall,
    r2 as r2,
    roc_auc as roc_auc,
)
from handloom.model import Model as Model
from handloom.network import Sequential as Sequential
from handloom.optimizers import (
    SGD as SGD,
    Adagrad as Adagrad,
    Adam as Adam,
    AdamW as AdamW,
    Muon as Muon,
    RMSprop as RMSprop,
)
from handloom.reporting import Report as Report, report as report
from handloom.schedules import (
    Constant as Constant,
    CosineDecay as CosineDecay,
    ExponentialDecay as ExponentialDecay,
    InverseTimeDecay as InverseTimeDecay,
    LinearDecay as LinearDecay,
    OneCycle as OneCycle,
    StepDecay as StepDecay,
    Warmup as Warmup,
)
from handloom.training import (
    EMA as EMA,
    Checkpoints as Checkpoints,
    History as History,
    StopReason as StopReason,
    Trainer as Trainer,
    evaluate as evaluate,
    load_run as load_run,
    partial_dependence as partial_dependence,
    permutation_importance as permutation_importance,
)
from handloom.training.callbacks import (
    BestModel as BestModel,
    BestWeights as BestWeights,
    Callback as Callback,
    CSVLog as CSVLog,
    EarlyStopping as EarlyStopping,
    GridPredictions as GridPredictions,
    LayerNorms as LayerNorms,
    LivePlot as LivePlot,
    MLflowLog as MLflowLog,
    Progress as Progress,
    ReduceOnPlateau as ReduceOnPlateau,
    TensorBoardLog as TensorBoardLog,
    TimeLimit as TimeLimit,
)
from handloom.walkthroughs import Walkthrough as Walkthrough, walkthrough as walkthrough

__all__: list[str]
