"""Time limit: training ends once it has taken a number of seconds."""

import time
from typing import ClassVar

from handloom.errors import require_number
from handloom.training.callbacks.base import Callback
from handloom.training.history import EpochRecord
from handloom.training.state import TrainingState


class TimeLimit(Callback):
    """Ends training after a number of seconds, with the stop reason ``TIME_LIMIT``.

    Training ends after a whole step, within about a tenth of a second after the limit, or after a
    validation or a callback that lasts longer. At least one step is made. The history has complete
    epochs only. A training with all epochs done ends with ``MAX_EPOCHS``.

    The seconds count from the first step of each `handloom.Trainer.fit`: compilation comes before.
    A resume continues the training, with the whole limit again, or another one.

    Parameters
    ----------
    seconds : float
        Above 0.

    Raises
    ------
    ConfigurationError
        If it is not a number above 0.
    """

    # it ends a training, but changes no step: a resume may have another limit, or none
    changes_results: ClassVar[bool] = False

    def __init__(self, seconds: float) -> None:
        self.seconds = require_number("seconds", seconds, minimum=0.0, exclusive=True)

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Set the deadline, which the trainer compares with the clock between steps."""
        state.deadline = min(state.deadline, time.perf_counter() + self.seconds)

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Stop training after the limit, unless this was its last epoch."""
        if record.epoch + 1 < state.total_epochs:
            state.stop_after_deadline()

    def config(self) -> dict[str, object]:
        """Return the limit."""
        return {"seconds": self.seconds}
