"""The records of a fit: arguments, input, options, state and result."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from handloom.data.columns import Columns
from handloom.estimators.convergence import RateState, Scorer
from handloom.estimators.fit_tasks import FitTasks
from handloom.estimators.rows import Sample
from handloom.estimators.tasks import Task
from handloom.network import Sequential
from handloom.schedules import Schedule
from handloom.training import Callback
from handloom.training.progress import TrainingProgress


@dataclass(frozen=True)
class FitCall:
    """The arguments of a fit; see `handloom.MLPClassifier.fit`.

    Attributes
    ----------
    incremental : bool
        Whether it is a `partial_fit`.
    classes : array, shape (k,), or None
        The argument ``classes`` of a `partial_fit`.
    """

    X: Any
    y: Any
    sample_weight: Any
    X_val: Any
    y_val: Any
    incremental: bool = False
    classes: Any = None

    @property
    def has_validation_data(self) -> bool:
        """Whether it has validation data."""
        return self.X_val is not None


@dataclass(frozen=True)
class FitState:
    """The state at the end of a fit, for another fit to continue from.

    Attributes
    ----------
    seed : int
        The seed of shuffling and dropout.
    optimizer : mapping
        The optimizer's state vectors, and its number of steps.
    trained_arrays : tuple of str
        The names of the trained arrays, in their order.
    progress : TrainingProgress
        The number of epochs and steps, over all calls of ``partial_fit``.
    rate_state : RateState
        The rows seen and the divisions of the learning rate; used only if it is a name.
    convergence : mapping
        See `Convergence.final_state`.
    best_loss, best_score : float
        The best values since the latest call of ``fit``.
    losses, validation_losses, scores : list of float
        One entry per epoch of every fit since initialization; the last two only with held-out
        rows.
    rows_seen : int
        The number of rows in these epochs.
    """

    seed: int
    optimizer: Mapping[str, Any] = field(default_factory=dict)
    trained_arrays: tuple[str, ...] = ()
    progress: TrainingProgress = field(default_factory=TrainingProgress)
    rate_state: RateState = field(default_factory=RateState)
    convergence: Mapping[str, Any] = field(default_factory=dict)
    best_loss: float = math.inf
    best_score: float = -math.inf
    losses: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    rows_seen: int = 0

    def for_warm_start(self) -> "FitState":
        """Return the state of a warm start.

        As in scikit-learn, the curves and the count of rows are kept, and so is the optimizer's
        state. Patience, best values and schedule start again, and the seed is a new one.

        Returns
        -------
        FitState
        """
        return FitState(
            self.seed + 1,
            self.optimizer,
            self.trained_arrays,
            losses=self.losses,
            validation_losses=self.validation_losses,
            scores=self.scores,
            rows_seen=self.rows_seen,
        )


@dataclass(frozen=True)
class FitInput:
    """The input of a fit: a network to train, its task, its data, and the state to start from.

    Attributes
    ----------
    network : Sequential
        Built; it is trained in place.
    task : Task
    sample : Sample
        The training data.
    held_out : Sample or None
        The validation data, measured after each epoch.
    earlier : FitState
        The state to continue from.
    continued : bool
        Whether the network has the weights of an earlier fit.
    column_names : tuple of str, or None
        The columns of the table, for the models that callbacks save.
    columns : Columns or None
        Their encoding, for the same models.
    scorer : callable, optional
        Replaces the task's score of the validation data; see `RecordScore`.
    tasks : FitTasks, optional
        Tells scikit-learn's callbacks of the fit.
    """

    network: Sequential
    task: Task
    sample: Sample
    held_out: Sample | None
    earlier: FitState
    continued: bool = False
    column_names: tuple[str, ...] | None = None
    columns: Columns | None = None
    scorer: Scorer | None = None
    tasks: FitTasks | None = None


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """The options of a fit; those that are not listed are as in `handloom.MLPClassifier`.

    Parameters
    ----------
    label : str
        The name of the estimator, for its progress bar.
    incremental : bool
        Whether this is a ``partial_fit``: a single epoch.
    batch_size : int
        Rows per step.
    penalty_per_row : bool
        Whether the penalty of a step is divided by the total weight of its rows.
    fused_from : float or None
        The work from which the backend ``"auto"`` is compiled code.
    """

    label: str
    incremental: bool
    batch_size: int
    penalty_per_row: bool
    fused_from: float | None

    solver: str
    learning_rate: str | Schedule
    learning_rate_init: float
    power_t: float
    momentum: float
    nesterovs_momentum: bool
    beta_1: float
    beta_2: float
    epsilon: float
    weight_decay: float
    proximal_l1: float

    max_iter: int
    max_fun: int
    shuffle: bool
    tol: float
    n_iter_no_change: float
    early_stopping: bool
    restore_best: bool
    callbacks: Sequence[Callback] | None
    max_time: float | None
    verbose: bool | int
    threads: int | None
    backend: str

    @classmethod
    def of(cls, estimator: Any, **others: Any) -> "FitOptions":
        """Return the parameters of an estimator, with ``others`` overriding some."""
        names = (field.name for field in fields(cls) if field.name not in others)
        return cls(**{name: getattr(estimator, name) for name in names}, **others)


@dataclass(frozen=True)
class FitWarning:
    """A warning about a fit, issued once the fitted attributes are set.

    Attributes
    ----------
    message : str
    category : type
    weights_lost : bool
        Whether the fit diverged and left no finite weights to predict with.
    """

    message: str
    category: type[Warning] = ConvergenceWarning
    weights_lost: bool = False


@dataclass(frozen=True)
class FitResult:
    """The result of a fit, apart from the trained network.

    Attributes
    ----------
    state : FitState
    iterations : int
        The number of epochs, or of iterations of L-BFGS.
    warning : FitWarning or None
    minimum : float or None
        The final objective of L-BFGS.
    """

    state: FitState
    iterations: int
    warning: FitWarning | None
    minimum: float | None = None
