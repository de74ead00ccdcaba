"""Convergence: the figures of held-out rows, and scikit-learn's rule of early stopping."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from handloom.estimators.rows import Sample, predict_logits
from handloom.estimators.tasks import Task
from handloom.parameters import Array
from handloom.training import Callback, EarlyStopping, EpochRecord, StopReason, TrainingState
from handloom.training.callbacks.best_weights import Goal
from handloom.training.objective import Measured

SCORE = "validation_score"
WEIGHTED_LOSS = "weighted_validation_loss"

LEAST_RATE = 1e-6
"""A rate that is divided by 5 now and then ends training here."""


@dataclass
class Pace:
    """What a learning rate depends on, over all calls of ``partial_fit``.

    Attributes
    ----------
    rows_seen : int
        The number of rows, counted in every epoch.
    divisions : int
        The number of times that the learning rate was divided by 5.
    """

    rows_seen: int = 0
    divisions: int = 0


class Scores(Callback):
    """Records the score of held-out rows, and their loss where they have sample weights.

    Parameters
    ----------
    task : Task
    held_out : Sample
    """

    changes_results: ClassVar[bool] = False

    def __init__(self, task: Task, held_out: Sample) -> None:
        self.task, self.held_out = task, held_out

    def on_validation_end(self, *, state: TrainingState, measured: Measured) -> None:
        """Measure the score; NaN if a logit is not finite."""
        held_out = self.held_out
        if state.counts_correct and held_out.weights is None:
            state.record(SCORE, measured.accuracy)
            return
        logits = predict_logits(state.network, held_out.inputs)
        score = math.nan
        if np.isfinite(logits).all():
            score = self.task.score(logits, held_out.targets, held_out.weights)
        state.record(SCORE, score)
        if held_out.weights is not None:
            loss, _ = state.loss(logits, held_out.targets, held_out.weights)
            state.record(WEIGHTED_LOSS, loss)


class Convergence(EarlyStopping):
    """Ends training when a figure has not been better by ``tol`` for some epochs.

    That is scikit-learn's rule: more than ``patience`` epochs in a row. Any better figure is the
    best one, but only a gain of at least ``tol`` ends the wait. Where the rate is adaptive, it is
    divided by 5 instead, until it is at `LEAST_RATE`.

    Parameters
    ----------
    monitor : str
        ``"loss"``, or `SCORE`; then the weights of the best score are kept.
    tol : float
        The least gain that ends the wait.
    patience : float
        The number of epochs that may pass without one; may be infinite.
    rows : int
        The number of rows of an epoch.
    pace : Pace
        Written to after every epoch.
    adaptive : bool
        Whether the rate is divided first.
    restore : bool
        Whether the network ends with the best weights even where it was not this rule, or a
        divergence, that ended training.
    earlier : mapping, optional
        The `ending` of the fit that this one continues.

    Attributes
    ----------
    converged : bool
        Whether this rule has ended training.
    """

    def __init__(
        self,
        monitor: str,
        *,
        tol: float,
        patience: float,
        rows: int,
        pace: Pace,
        adaptive: bool = False,
        restore: bool = True,
        earlier: Mapping[str, Any] | None = None,
    ) -> None:
        goal: Goal = "high" if monitor == SCORE else "low"
        super().__init__(monitor, goal=goal, patience=patience + 1, restore=restore)
        self.tol, self.rows, self.pace, self.adaptive = tol, rows, pace, adaptive
        self.earlier, self.converged = earlier or {}, False

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Begin anew, or where the fit before ended."""
        super().on_train_begin(state=state)
        if self.earlier.get("monitor") != self.monitor:
            return  # there is none, or it watched another figure
        kept = dict(self.earlier)
        if "weights" in kept:  # by name: their order in memory changes where layers are frozen
            parameters = state.network.parameters
            values = parameters.values.copy()
            for name, own in parameters.named(values).items():
                own[...] = kept["weights"][name]
            kept["weights"] = values
        self.load_state_dict(kept)

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Count the rows; end training, or divide the rate, if there was no gain for too long."""
        self.pace.rows_seen += self.rows
        super().on_epoch_end(state=state, record=record)

    def counts(self, value: float) -> bool:
        """Return whether a figure is better than the best by at least ``tol``."""
        if self.value is None:
            return math.isfinite(value)
        if self.goal == "high":
            return value >= self.value + self.tol
        return value <= self.value - self.tol

    def keep_weights(self, state: TrainingState) -> Array | None:
        """Return the weights of the best score; those of the least loss are never restored."""
        return super().keep_weights(state) if self.monitor == SCORE else None

    def lose_patience(self, state: TrainingState) -> None:
        """End training, or divide an adaptive rate that is not yet at its least."""
        rate = state.options.schedule(state.progress.steps) if self.adaptive else 0.0
        if rate <= LEAST_RATE:
            self.converged = self.restore = True
            state.stop(StopReason.EARLY_STOPPING)
        else:
            self.pace.divisions += 1
            self.waited = 0

    def on_train_end(self, *, state: TrainingState) -> None:
        """Restore the best weights."""
        self.restore |= state.history.divergence is not None
        super().on_train_end(state=state)

    def verdict(self) -> str:
        """Return what ended training, once it has converged, in scikit-learn's words."""
        if self.adaptive:
            return "Learning rate too small."
        what = "Validation score" if self.monitor == SCORE else "Training loss"
        return (
            f"{what} did not improve more than tol={self.tol:f} for {self.patience - 1} "
            "consecutive epochs."
        )

    def ending(self, state: TrainingState) -> dict[str, Any]:
        """Return where this rule stands, with the best weights by name."""
        kept = {"monitor": self.monitor, **self.state_dict()}
        if self.weights is not None:
            kept["weights"] = state.network.parameters.named(self.weights)
        return kept
