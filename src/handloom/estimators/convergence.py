"""Convergence: validation scores, and early stopping as scikit-learn does it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any, ClassVar

import numpy as np

from handloom.errors import ConfigurationError
from handloom.estimators.rows import Sample, predict_logits
from handloom.estimators.tasks import Task
from handloom.parameters import Array
from handloom.training import Callback, EarlyStopping, EpochRecord, StopReason, TrainingState
from handloom.training.callbacks.monitor import Goal
from handloom.training.objective import Measurement

Scorer = Callable[[Any, Any, Array | None], float]

SCORE_COLUMN = "validation_score"

LEAST_RATE = 1e-6
"""The learning rate at which ``"adaptive"``, which divides the rate by 5, ends training."""


def require_weighted(score: Callable[..., float]) -> None:
    """Refuse a scorer that does not take weights where rows have some, or whose metric does not.

    Raises
    ------
    ConfigurationError
        If it has no parameter ``sample_weight``.
    """
    function = getattr(score, "_score_func", score)  # the metric of `sklearn.metrics.make_scorer`
    try:
        parameters = signature(function).parameters.values()
    except ValueError:  # a callable that does not tell its parameters
        return
    if not any(
        each.name == "sample_weight" or each.kind is each.VAR_KEYWORD for each in parameters
    ):
        raise ConfigurationError(
            "'scoring' must take sample_weight where rows have weights (class_weight or "
            "sample_weight): define score(estimator, X, y, sample_weight=None), or a metric with "
            "that parameter"
        )


@dataclass
class RateState:
    """Counts that a learning rate depends on, over all calls of ``partial_fit``.

    Attributes
    ----------
    rows_seen : int
        The number of rows, summed over the epochs.
    divisions : int
        The number of divisions of the learning rate by 5.
    """

    rows_seen: int = 0
    divisions: int = 0


class RecordScore(Callback):
    """Records the validation score, weighted if the rows have weights.

    Parameters
    ----------
    task : Task
    held_out : Sample
    scorer : callable, optional
        ``scorer(X, y, weights)`` returns the score in place of that of the task.
    """

    changes_results: ClassVar[bool] = False

    def __init__(self, task: Task, held_out: Sample, scorer: Scorer | None = None) -> None:
        self.task, self.held_out, self.scorer = task, held_out, scorer

    def on_validation_end(self, *, state: TrainingState, measured: Measurement) -> None:
        """Measure the score; NaN if a logit is not finite."""
        held_out = self.held_out
        own = self.scorer is None and held_out.weights is None
        # a single class is predicted without the network, whose accuracy is another
        if own and state.counts_correct and self.task.single_class is None:
            state.record(SCORE_COLUMN, measured.accuracy)
            return
        logits = predict_logits(state.network, held_out.inputs, state.loss)
        score = self._score(logits) if np.isfinite(logits).all() else math.nan
        state.record(SCORE_COLUMN, score)

    def _score(self, logits: Array) -> float:
        """Return the score; that of the task may overwrite the logits."""
        task, held_out = self.task, self.held_out
        if self.scorer is None:
            return task.score(logits, held_out.targets, held_out.weights)
        return self.scorer(held_out.inputs, task.original(held_out.targets), held_out.weights)


class Convergence(EarlyStopping):
    """Early stopping as scikit-learn does it: training ends once the monitored value stalls.

    It ends after more than ``patience`` epochs in a row without an improvement of at least ``tol``.
    Any better value becomes the best one, but only an improvement of at least ``tol`` resets the
    count. An adaptive learning rate is divided by 5 instead, down to `LEAST_RATE`.

    Parameters
    ----------
    monitor : str
        ``"loss"``, or `SCORE_COLUMN`; then the weights of the best score are kept.
    tol : float
        The smallest improvement that resets the count.
    patience : float
        The number of epochs without improvement that are allowed; may be infinite.
    rows : int
        The number of rows of an epoch.
    rate_state : RateState
        Updated after every epoch.
    adaptive : bool
        Whether the learning rate is divided before training ends.
    restore : bool
        Whether the best weights are restored even if training ended neither by this callback nor
        by a divergence.
    earlier : mapping, optional
        The `final_state` of the fit that this one continues.

    Attributes
    ----------
    converged : bool
        Whether this callback has ended training.
    """

    def __init__(
        self,
        monitor: str,
        *,
        tol: float,
        patience: float,
        rows: int,
        rate_state: RateState,
        adaptive: bool = False,
        restore: bool = True,
        earlier: Mapping[str, Any] | None = None,
    ) -> None:
        goal: Goal = "high" if monitor == SCORE_COLUMN else "low"
        super().__init__(monitor, goal=goal, patience=patience + 1, restore=restore)
        self.tol, self.rows, self.rate_state, self.adaptive = tol, rows, rate_state, adaptive
        self.earlier, self.converged = earlier or {}, False

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Reset, or continue from the state of the earlier fit."""
        super().on_train_begin(state=state)
        if self.earlier.get("monitor") != self.monitor:
            return  # there is none, or it monitored another value
        saved = dict(self.earlier)
        if "weights" in saved:  # by name: their order in memory changes if layers are frozen
            parameters = state.network.parameters
            values = parameters.values.copy()
            for name, own in parameters.views(values).items():
                own[...] = saved["weights"][name]
            saved["weights"] = values
        self.load_state_dict(saved)

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Count the rows; out of patience, end training or divide the learning rate."""
        self.rate_state.rows_seen += self.rows
        super().on_epoch_end(state=state, record=record)

    def counts(self, value: float) -> bool:
        """Return whether a value is better than the best by at least ``tol``."""
        if self.value is None:
            return math.isfinite(value)
        if self.goal == "high":
            return value >= self.value + self.tol
        return value <= self.value - self.tol

    def keep_weights(self, state: TrainingState) -> Array | None:
        """Return the weights of the best score, or None if the loss is monitored."""
        return super().keep_weights(state) if self.monitor == SCORE_COLUMN else None

    def lose_patience(self, state: TrainingState) -> None:
        """End training, or divide an adaptive learning rate that is above `LEAST_RATE`."""
        rate = state.options.schedule(state.progress.steps) if self.adaptive else 0.0
        if rate <= LEAST_RATE:
            self.converged = self.restore = True
            state.stop(StopReason.EARLY_STOPPING)
        else:
            self.rate_state.divisions += 1
            self.waited = 0

    def on_train_end(self, *, state: TrainingState) -> None:
        """Restore the best weights."""
        self.restore |= state.history.divergence is not None
        super().on_train_end(state=state)

    def verdict(self) -> str:
        """Return the reason for convergence, in scikit-learn's words."""
        if self.adaptive:
            return "Learning rate too small."
        monitored = "Validation score" if self.monitor == SCORE_COLUMN else "Training loss"
        return (
            f"{monitored} did not improve more than tol={self.tol:f} for {self.patience - 1} "
            "consecutive epochs."
        )

    def final_state(self, state: TrainingState) -> dict[str, Any]:
        """Return the state of this callback, with the best weights by name."""
        saved = {"monitor": self.monitor, **self.state_dict()}
        if self.weights is not None:
            saved["weights"] = state.network.parameters.views(self.weights)
        return saved
