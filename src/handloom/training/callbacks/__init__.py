"""Callbacks: the base with its hooks, and those that the library brings."""

from handloom.training.callbacks.base import Callback as Callback
from handloom.training.callbacks.best_model import BestModel as BestModel
from handloom.training.callbacks.best_weights import (
    MONITORS as MONITORS,
    BestWeights as BestWeights,
)
from handloom.training.callbacks.csv_log import CSVLog as CSVLog
from handloom.training.callbacks.early_stopping import EarlyStopping as EarlyStopping
from handloom.training.callbacks.layer_norms import LayerNorms as LayerNorms
from handloom.training.callbacks.progress_bar import Progress as Progress
