"""Training: the loop, what runs a step, what watches it, and what it measured."""

from handloom.training.averaging import EMA
from handloom.training.callbacks import BestModel, BestWeights, Callback, CSVLog, EarlyStopping
from handloom.training.checkpoints import Checkpoints
from handloom.training.divergence import Divergence
from handloom.training.evaluation import Evaluation, evaluate
from handloom.training.history import EpochRecord, History, StopReason
from handloom.training.objective import Measured, Objective
from handloom.training.progress import Progress
from handloom.training.run_folder import RunDescription, RunFolder, StudyFolder
from handloom.training.trainer import Trainer

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
    "Measured",
    "Objective",
    "Progress",
    "RunDescription",
    "RunFolder",
    "StopReason",
    "StudyFolder",
    "Trainer",
    "evaluate",
]
