"""Callbacks: the base class with its hooks, and the built-in callbacks."""

from handloom.training.callbacks.base import Callback as Callback
from handloom.training.callbacks.best_model import BestModel as BestModel
from handloom.training.callbacks.best_weights import BestWeights as BestWeights
from handloom.training.callbacks.csv_log import CSVLog as CSVLog
from handloom.training.callbacks.early_stopping import EarlyStopping as EarlyStopping
from handloom.training.callbacks.grid_predictions import (
    GridPredictions as GridPredictions,
)
from handloom.training.callbacks.layer_norms import LayerNorms as LayerNorms
from handloom.training.callbacks.live_plot import LivePlot as LivePlot
from handloom.training.callbacks.mlflow_log import MLflowLog as MLflowLog
from handloom.training.callbacks.monitor import MONITORS as MONITORS, Monitor as Monitor
from handloom.training.callbacks.plateau import ReduceOnPlateau as ReduceOnPlateau
from handloom.training.callbacks.progress_bar import Progress as Progress
from handloom.training.callbacks.tensorboard_log import TensorBoardLog as TensorBoardLog
from handloom.training.callbacks.time_limit import TimeLimit as TimeLimit
