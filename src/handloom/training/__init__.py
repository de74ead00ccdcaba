"""Training: the loop, what runs a step, what watches it, and what it measured."""

from handloom.training.averaging import EMA
from handloom.training.callbacks import (
    BestModel,
    BestWeights,
    Callback,
    CSVLog,
    EarlyStopping,
    LayerNorms,
    Progress,
)
from handloom.training.checkpoints import Checkpoints
from handloom.training.divergence import Divergence
from handloom.training.evaluation import Evaluation, evaluate
from handloom.training.history import EpochRecord, History, StopReason
from handloom.training.objective import Measured, Objective
from handloom.training.options import TrainingOptions
from handloom.training.run_folder import RunDescription, RunFolder, StudyFolder
from handloom.training.state import TrainingState
from handloom.training.trainer import Trainer, TrainerOptions

__all__ = [
    "EMA",
    "BestModel",
    "BestWeights",
    "CSVLog",
    "Callback",
    "Checkpoints",
    "Divergence",
    "EarlyStopping",
    "EpochRecord",
    "Evaluation",
    "History",
    "LayerNorms",
    "Measured",
    "Objective",
    "Progress",
    "RunDescription",
    "RunFolder",
    "StopReason",
    "StudyFolder",
    "Trainer",
    "TrainerOptions",
    "TrainingOptions",
    "TrainingState",
    "evaluate",
]
