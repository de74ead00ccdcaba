"""The course of a training, as an estimator keeps it, and the rule that ends it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handloom.parameters import Array
from handloom.training import Callback, EpochRecord, StopReason

if TYPE_CHECKING:
    from handloom.training import Trainer

LEAST_RATE = 1e-6
"""A rate that is divided by 5 now and then ends training here."""


@dataclass
class Course:
    """What training has seen so far, over several fits where one goes on from another.

    Attributes
    ----------
    losses, validation_losses, scores : list of float
        An entry an epoch; the last two only where rows are held out.
    best_loss, best_score : float
        The best of them.
    best_weights : dict of str to array, or None
        The network's arrays at the best score, where early stopping asks for them. By name: their
        order in memory changes where layers are frozen.
    waited : int
        How many epochs in a row brought no gain.
    divisions : int
        How often the learning rate was divided by 5.
    rows_seen : int
        How many rows, counted in every epoch.
    """

    losses: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    best_loss: float = math.inf
    best_score: float = -math.inf
    best_weights: dict[str, Array] | None = None
    waited: int = 0
    divisions: int = 0
    rows_seen: int = 0


class Convergence(Callback):
    """Ends training when neither loss nor score has been better by ``tol`` for some epochs.

    That is scikit-learn's rule: more than ``patience`` epochs in a row. Where the rate is
    adaptive, it is divided by 5 instead, until it is at `LEAST_RATE`.

    Parameters
    ----------
    course : Course
        Written to after every epoch.
    rows : int
        How many rows an epoch has.
    tol : float
        The least gain that counts.
    patience : float
        How many epochs may pass without one; may be infinite.
    by_score : bool
        Whether the score of held-out rows decides, instead of the training loss; then the weights
        of the best one are kept.
    restore : bool
        Whether the network ends with them even where it was not this rule that ended training.
    rate : callable, optional
        Gives the present rate where it is adaptive; None where it is not.
    measure : callable, optional
        ``measure(trainer=, record=)`` gives loss and score of the held-out rows.

    Attributes
    ----------
    converged : bool
        Whether this rule has ended training.
    restored : bool
        Whether the network has got its best weights back.
    """

    def __init__(
        self,
        course: Course,
        rows: int,
        *,
        tol: float,
        patience: float,
        by_score: bool = False,
        restore: bool = True,
        rate: Callable[[int], float] | None = None,
        measure: Callable[..., tuple[float, float]] | None = None,
    ) -> None:
        self.course, self.rows = course, rows
        self.tol, self.patience = tol, patience
        self.by_score, self.restore = by_score, restore
        self.rate, self.measure = rate, measure
        self.converged = self.restored = False

    def on_epoch_end(self, *, trainer: "Trainer", record: EpochRecord) -> None:
        """Note the epoch, and end training if there was no gain for too long."""
        self.course.losses.append(record.loss)
        gained = self._note_loss(record.loss)
        if self.measure:
            loss, score = self.measure(trainer=trainer, record=record)
            self.course.validation_losses.append(loss)
            self.course.scores.append(score)
            by_score = self._note_score(score, trainer)
            gained = by_score if self.by_score else gained
        self.course.waited = 0 if gained else self.course.waited + 1
        self.course.rows_seen += self.rows
        if self.course.waited > self.patience:
            self._end_or_slow_down(trainer)

    def on_train_end(self, *, trainer: "Trainer") -> None:
        """Give the network its best weights back."""
        best, diverged = self.course.best_weights, trainer.history.divergence is not None
        if self.by_score and best is not None and (self.restore or self.converged or diverged):
            trainer.network.parameters.load(best)
            self.restored = True

    def verdict(self) -> str:
        """Return what ended training, once it has converged, in scikit-learn's words."""
        if self.rate is not None:
            return "Learning rate too small."
        what = "Validation score" if self.by_score else "Training loss"
        return (
            f"{what} did not improve more than tol={self.tol:f} for {self.patience} consecutive "
            "epochs."
        )

    def note_divergence(self) -> None:
        """Note an epoch that broke off because a number was not finite."""
        self.course.losses.append(math.nan)
        if self.measure:
            self.course.validation_losses.append(math.nan)
            self.course.scores.append(math.nan)

    def _note_loss(self, loss: float) -> bool:
        gained = loss <= self.course.best_loss - self.tol
        self.course.best_loss = min(self.course.best_loss, loss)
        return gained

    def _note_score(self, score: float, trainer: "Trainer") -> bool:
        """Say whether a score is a gain; NaN is none, and never the best."""
        gained = score >= self.course.best_score + self.tol
        if score > self.course.best_score:
            self.course.best_score = score
            if self.by_score:
                weights = trainer.network.parameters.weights
                self.course.best_weights = {name: array.copy() for name, array in weights.items()}
        return gained

    def _end_or_slow_down(self, trainer: "Trainer") -> None:
        if self.rate is None or self.rate(trainer.steps) <= LEAST_RATE:
            self.converged = True
            trainer.stop(StopReason.EARLY_STOPPING)
        else:
            self.course.divisions += 1
            self.course.waited = 0
