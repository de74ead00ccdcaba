"""Callbacks: the base with its hooks, and those that the library brings."""

from handloom.training.callbacks.base import Callback
from handloom.training.callbacks.best_model import BestModel
from handloom.training.callbacks.best_weights import MONITORS, BestWeights
from handloom.training.callbacks.csv_log import CSVLog
from handloom.training.callbacks.early_stopping import EarlyStopping
from handloom.training.callbacks.layer_norms import LayerNorms
from handloom.training.callbacks.progress_bar import Progress

__all__ = [
    "MONITORS",
    "BestModel",
    "BestWeights",
    "CSVLog",
    "Callback",
    "EarlyStopping",
    "LayerNorms",
    "Progress",
]
