"""Run folders on the command line: writing the description, reading the settings."""

from typing import ClassVar

from handloom.cli.console import note, short
from handloom.errors import HandloomError, ModelError
from handloom.files import MANIFEST
from handloom.recipes.base import Experiment
from handloom.recipes.experiment import experiment_from_json
from handloom.training import Callback, RunFolder, StopReason, TrainingState
from handloom.training.run_folder import MODEL


class Describe(Callback):
    """Writes the description of a run when training begins, so that it can be resumed."""

    changes_results: ClassVar[bool] = False

    def __init__(self, run: RunFolder, *, resumed: bool, fixed_length: bool) -> None:
        self.run, self.resumed, self.fixed_length = run, resumed, fixed_length

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Write the description, and print where a resumed training continues.

        Raises
        ------
        ModelError
            If there is no checkpoint, but a model, which a new training would replace.
        """
        progress = state.progress
        unsaved = not progress.steps and not any(self.run.checkpoints.glob(f"*/{MANIFEST}"))
        if self.resumed and unsaved and (self.run.path / MODEL / MANIFEST).exists():
            raise ModelError(
                f"{short(self.run.path)} holds a model and no checkpoint to resume from: train "
                f"again with another --out; this one keeps its model"
            )
        self.run.write_description()
        if progress.steps and not state.is_running:
            note(self._finished(state))
        elif progress.steps:
            epoch = f"{progress.epoch + 1} of {state.total_epochs}"
            note(f"resumed in epoch {epoch}, after {progress.steps:,} steps")
            for change in state.history.notes:
                note(change)
        elif self.resumed:
            note("no checkpoint to resume from: training starts from the beginning")

    def on_train_end(self, *, state: TrainingState) -> None:
        """Print that the results of an interrupted training follow, since they take a while."""
        if state.history.stop_reason is StopReason.INTERRUPTED:
            note("interrupted: the results follow")

    def _finished(self, state: TrainingState) -> str:
        """Return the message that a training has ended, and how it can be longer."""
        done = f"{state.progress.epoch} of {state.total_epochs} epochs are done"
        if (reason := state.history.stop_reason) is not None:
            return f"finished: {done} ({reason.words}); a resume leaves it ended"
        longer = f"for more epochs: handloom train --resume {short(self.run.path)} --epochs N"
        if self.fixed_length:
            longer = "its schedule of the learning rate was made for this number"
        return f"finished: {done}; {longer}. The results are written again"


def experiment_of(run: RunFolder, **changes: object) -> Experiment:
    """Return the settings in the description of a run, with changes.

    Raises
    ------
    ModelError
        If a setting is missing, unknown or invalid.
    """
    try:
        return experiment_from_json({**run.description.settings, **changes})
    except HandloomError as error:
        raise ModelError(f"{run.path}: {error}") from None
