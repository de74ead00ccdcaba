"""A run folder on the command line: when it is described, and how its settings are read again."""

from handloom.cli.console import note
from handloom.errors import HandloomError, ModelError
from handloom.recipes.experiment import Experiment, experiment_from_json
from handloom.training import Callback, RunFolder, Trainer


class Describe(Callback):
    """Writes the description once training has been found possible, so that it can be resumed."""

    def __init__(self, run: RunFolder, *, resumed: bool) -> None:
        self.run, self.resumed = run, resumed

    def on_train_begin(self, *, trainer: Trainer) -> None:
        """Write it, and say where a resumed training goes on."""
        self.run.write_description()
        if trainer.steps:
            epoch = trainer.position.epoch + 1
            note(f"going on in epoch {epoch} of {trainer.epochs}, after {trainer.steps:,} steps")
        elif self.resumed:
            note("no checkpoint was written before it stopped: training begins anew")


def experiment_of(run: RunFolder) -> Experiment:
    """Return the settings of a run as its description has them.

    Raises
    ------
    ModelError
        If a setting is missing, unknown or invalid.
    """
    try:
        return experiment_from_json(run.description.settings)
    except HandloomError as error:
        raise ModelError(f"{run.path}: {error}") from None
