"""The best model of a training, saved whenever there is a new one."""

import warnings
from pathlib import Path
from typing import ClassVar

from handloom.files import FileError
from handloom.training.callbacks.best_weights import BestWeights, Goal, Improves
from handloom.training.history import EpochRecord
from handloom.training.state import TrainingState


class BestModel(BestWeights):
    """Saves the model to a folder each time a figure is better than ever before.

    The folder always holds a whole model: the one before, or the new one.

    Parameters
    ----------
    folder : path
        Where the model is saved.
    monitor, goal, min_delta, improves
        As in `BestWeights`; the network itself keeps its last weights.
    """

    changes_results: ClassVar[bool] = False

    def __init__(
        self,
        folder: str | Path,
        monitor: str = "validation_loss",
        *,
        goal: Goal | None = None,
        min_delta: float = 0.0,
        improves: Improves | None = None,
    ) -> None:
        super().__init__(monitor, goal=goal, min_delta=min_delta, improves=improves, restore=False)
        self.folder = Path(folder)
        self._saved = False

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Forget an earlier training."""
        super().on_train_begin(state=state)
        self._saved = False

    def on_best(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Save the weights that were just copied; if that fails, say so and go on."""
        self._saved = False
        try:
            self._save(state)
        except FileError as error:
            warnings.warn(f"{error}; it is tried again when training ends", stacklevel=2)

    def on_train_end(self, *, state: TrainingState) -> None:
        """Save what could not be saved, or was kept by a training that this one resumes.

        Raises
        ------
        FileError
            If it still cannot be.
        """
        if self.weights is not None and not self._saved:
            self._save(state)

    def _save(self, state: TrainingState) -> None:
        state.model.save(self.folder, weights=self.weights)
        self._saved = True
