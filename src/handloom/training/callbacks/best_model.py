"""BestModel callback: saves the model at each new best value of a metric."""

from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from handloom.secondary import Secondary
from handloom.training.callbacks.best_weights import BestWeights
from handloom.training.callbacks.monitor import Goal, Improves
from handloom.training.callbacks.own_path import OwnPath
from handloom.training.history import EpochRecord
from handloom.training.rescue import save_model
from handloom.training.state import TrainingState


class BestModel(BestWeights):
    """Saves the model to a folder each time a metric reaches a new best value.

    The folder is replaced atomically: it holds the model before, or the new one, whole. If the
    folder around it is moved, deleted or replaced, the next model is saved at its new path, or in a
    new folder, with a warning.

    Parameters
    ----------
    folder : path
        The folder of the model. A copy of this callback, as searches and cross-validation make for
        each fit, replaces no folder: it takes ``best-2`` where ``best`` exists, and so on.
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
        self._own = OwnPath(folder)
        self._saved = False
        self._saving = self._secondary()

    @property
    def folder(self) -> Path:
        """The folder of the model; that of a copy is known once training begins."""
        return self._own.path

    @property
    def writes_to(self) -> Path | None:
        """The folder that is replaced; None for a copy that has not begun."""
        return self._own.replaced

    def check(self, *, state: TrainingState) -> None:
        """Check that the model can be saved.

        Raises
        ------
        ConfigurationError
            As `handloom.Model.check_savable`.
        """
        super().check(state=state)
        state.model.check_savable()

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Reset the state of an earlier training."""
        super().on_train_begin(state=state)
        path = self._own.claim(Path.mkdir)
        with suppress(OSError):  # `on_best` warns
            path.parent.mkdir(parents=True, exist_ok=True)
            self._own.current()
        self._saved = False
        self._saving = self._secondary()

    def on_best(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Save the best weights; if that fails, warn and go on."""
        self._saved = False
        with self._saving:
            state.model.save(self._own.current(), weights=self.weights)
            self._saved = True

    def on_train_end(self, *, state: TrainingState) -> None:
        """Save the best weights if that failed before, or if a resume restored them.

        If it fails again, they are saved elsewhere, and a warning says where.
        """
        if self.weights is not None and not self._saved:
            with Secondary(
                "the best model is not saved", then="its weights are in BestModel.weights"
            ):
                save_model(state.model, self._own.current(), weights=self.weights)
                self._saved = True
        self._own.release()

    def _secondary(self) -> Secondary:
        then = "training goes on; saving is tried again when training ends"
        return Secondary("the best model is not saved", then=then)
