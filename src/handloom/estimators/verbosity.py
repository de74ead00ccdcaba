"""The progress output of a fit: a bar on a terminal, scikit-learn's lines elsewhere."""

import sys
from typing import ClassVar

from handloom.estimators.convergence import SCORE_COLUMN, Convergence
from handloom.secondary import Secondary, is_terminal
from handloom.training import Callback, EpochRecord, Progress, StopReason, TrainingState

NOT_PRINTED = "the iterations are not printed"
"""The failure of a line of a verbose fit."""


class IterationLines(Callback):
    """Prints a line per epoch to standard output, and the reason why training ended.

    Parameters
    ----------
    convergence : Convergence
        The early stopping of the fit, which knows whether it ended training.
    """

    changes_results: ClassVar[bool] = False

    def __init__(self, convergence: Convergence) -> None:
        self.convergence = convergence
        self._printing = Secondary(NOT_PRINTED)

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Print again, if that failed in an earlier fit."""
        self._printing = Secondary(NOT_PRINTED)

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Print the epoch."""
        if self._printing.failed:
            return
        with self._printing:
            print(f"Iteration {len(state.history)}, loss = {record.loss:.8f}")
            if state.validates:
                print(f"Validation score: {record[SCORE_COLUMN]:.6f}")

    def on_train_end(self, *, state: TrainingState) -> None:
        """Print the reason why training ended, unless all epochs are done."""
        reason = state.history.stop_reason
        with self._printing:
            if self.convergence.converged:
                print(f"{self.convergence.verdict()} Stopping.")
            elif reason is not None and reason is not StopReason.MAX_EPOCHS:
                print(f"Stopping: {reason.words}.")


def progress_output(label: str, convergence: Convergence) -> Callback:
    """Return a progress bar if standard error is a terminal, else lines."""
    return Progress(label) if is_terminal(sys.stderr) else IterationLines(convergence)
