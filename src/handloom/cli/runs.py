"""What a run folder says about its training, so that it can be resumed with nothing else."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from handloom.circumstances import circumstances
from handloom.cli.console import note
from handloom.errors import HandloomError, ModelError
from handloom.files import FileError, read_bytes, write_json
from handloom.recipes.experiment import Experiment, experiment_from_json
from handloom.training import Callback, TrainingState

NAME, KIND, VERSION = "run.json", "handloom run", 1


@dataclass(frozen=True)
class Description:
    """What is trained, on what.

    Parameters
    ----------
    settings : Settings or RecipeSettings
    data : str
        A name or an absolute path, as ``--data`` takes them.
    checkpoint_every : str
        As ``--checkpoint-every`` takes it.
    threads : int
        How many share a step, for the record: results do not depend on it.
    """

    settings: Experiment
    data: str
    checkpoint_every: str
    threads: int

    def write(self, folder: Path) -> None:
        """Write the description to a run folder, with what results depend on beside it."""
        described = {
            "kind": KIND,
            "version": VERSION,
            "settings": self.settings.to_json(),
            "data": self.data,
            "checkpoint_every": self.checkpoint_every,
            "threads": self.threads,
            **circumstances(),
        }
        write_json(folder / NAME, described)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the description of a run.

        Raises
        ------
        FileError, ModelError, ConfigurationError
            If it is not there, damaged, or of a version not known here.
        """
        path = folder / NAME
        try:
            described = json.loads(read_bytes(path))
            if (described["kind"], described["version"]) != (KIND, VERSION):
                raise ModelError(f"{path}: not a {KIND} of version {VERSION}")
            return cls(
                experiment_from_json(described["settings"]),
                str(described["data"]),
                str(described["checkpoint_every"]),
                int(described["threads"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            if isinstance(error, HandloomError):
                raise
            raise ModelError(f"{path}: not the description of a run: {error!r}") from None


class Describe(Callback):
    """Writes the description once training has been found possible, so that it can be resumed."""

    changes_results: ClassVar[bool] = False

    def __init__(self, description: Description, folder: Path, *, resumed: bool) -> None:
        self.description, self.folder, self.resumed = description, folder, resumed

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Write it, and say where a resumed training goes on."""
        self.description.write(self.folder)
        progress = state.progress
        if progress.steps:
            epoch = f"{progress.epoch + 1} of {state.until}"
            note(f"going on in epoch {epoch}, after {progress.steps:,} steps")
            for change in state.history.notes:
                note(change)
        elif self.resumed:
            note("no checkpoint was written before it stopped: training begins anew")


def existing_run(folder: Path) -> Path:
    """Return a run folder if it is one.

    Raises
    ------
    FileError
        If there is no such folder, or it was not written by ``handloom train``.
    """
    if not (folder / NAME).is_file():
        raise FileError(f"{folder} is not the folder of a training: it holds no {NAME}")
    return folder
