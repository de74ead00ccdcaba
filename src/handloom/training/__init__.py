"""Training: the loop, its steps, callbacks, checkpoints and history."""

from handloom.training.averaging import EMA as EMA
from handloom.training.callbacks import (
    BestModel as BestModel,
    BestWeights as BestWeights,
    Callback as Callback,
    CSVLog as CSVLog,
    EarlyStopping as EarlyStopping,
    GridPredictions as GridPredictions,
    LayerNorms as LayerNorms,
    MLflowLog as MLflowLog,
    Progress as Progress,
    ReduceOnPlateau as ReduceOnPlateau,
    TensorBoardLog as TensorBoardLog,
    TimeLimit as TimeLimit,
)
from handloom.training.checkpoints import Checkpoints as Checkpoints
from handloom.training.dependence import (
    PartialDependence as PartialDependence,
    partial_dependence as partial_dependence,
)
from handloom.training.divergence import Divergence as Divergence
from handloom.training.evaluation import Evaluation as Evaluation, evaluate as evaluate
from handloom.training.evaluation_metrics import (
    BinaryMetrics as BinaryMetrics,
    QuantileMetrics as QuantileMetrics,
    RegressionMetrics as RegressionMetrics,
)
from handloom.training.history import (
    EpochRecord as EpochRecord,
    History as History,
    StopReason as StopReason,
)
from handloom.training.loaded_run import LoadedRun as LoadedRun, load_run as load_run
from handloom.training.objective import Measurement as Measurement, Objective as Objective
from handloom.training.options import TrainingOptions as TrainingOptions
from handloom.training.permutation import (
    PermutationImportance as PermutationImportance,
    permutation_importance as permutation_importance,
)
from handloom.training.run_description import RunDescription as RunDescription
from handloom.training.run_folder import RunFolder as RunFolder, StudyFolder as StudyFolder
from handloom.training.state import TrainingState as TrainingState
from handloom.training.trainer import Trainer as Trainer
from handloom.training.trainer_options import TrainerOptions as TrainerOptions
