"""What an estimator says while it fits: a bar on a terminal, scikit-learn's lines elsewhere."""

import sys
from typing import ClassVar

from handloom.estimators.convergence import SCORE, Convergence
from handloom.training import Callback, EpochRecord, Progress, StopReason, TrainingState


class IterationLines(Callback):
    """Prints a line an epoch to standard output, and why training ended.

    Parameters
    ----------
    convergence : Convergence
        Where the latest score stands, and what may have ended training.
    """

    changes_results: ClassVar[bool] = False

    def __init__(self, convergence: Convergence) -> None:
        self.convergence = convergence

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Print the epoch."""
        print(f"Iteration {len(state.history)}, loss = {record.loss:.8f}")
        if state.validates:
            print(f"Validation score: {record[SCORE]:.6f}")

    def on_train_end(self, *, state: TrainingState) -> None:
        """Print why training ended, where it was not for the number of epochs."""
        reason = state.history.stop_reason
        if self.convergence.converged:
            print(f"{self.convergence.verdict()} Stopping.")
        elif reason is not None and reason is not StopReason.MAX_EPOCHS:
            print(f"Stopping: {reason}.")


def narrator(label: str, convergence: Convergence) -> Callback:
    """Return a bar where there is a terminal to show it on, else lines."""
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    return Progress(label) if on_terminal else IterationLines(convergence)
