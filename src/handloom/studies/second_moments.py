"""SecondMoments callback: the norm of the gradient that an adaptive optimizer remembers."""

import math
from typing import ClassVar

import numpy as np

from handloom.training import Callback, TrainingState
from handloom.training.history import EpochRecord

COLUMN = "second_moment_norm"
"""The name of the recorded metric."""


class SecondMoments(Callback):
    """Records the root of the summed second moments after each epoch, corrected for their start.

    It is the l2 norm of the gradient that Adam's steps are divided by: where the gradient is far
    smaller, steps are small; where it jumps above, they are large for as long as the second moment
    takes to follow. Nothing is recorded for an optimizer without second moments.
    """

    changes_results: ClassVar[bool] = False

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Record the norm."""
        moment = state.optimizer.state.get("second_moment")
        beta = getattr(state.optimizer, "beta2", None)
        if moment is None or beta is None:
            return
        correction = 1.0 - float(beta) ** state.progress.steps
        total = float(np.sum(moment, dtype=np.float64))
        state.record(COLUMN, math.sqrt(max(total, 0.0) / correction))
