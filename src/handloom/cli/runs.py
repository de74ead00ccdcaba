"""What a run folder says about its training, so that it can be resumed with nothing else."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from handloom.circumstances import circumstances
from handloom.errors import HandloomError, ModelError
from handloom.files import FileError, read_bytes, write_json
from handloom.recipes.plain import Settings
from handloom.training import Callback, Trainer

NAME, KIND, VERSION = "run.json", "handloom run", 1


@dataclass(frozen=True)
class Description:
    """What is trained, on what.

    Parameters
    ----------
    settings : Settings
    data : str or None
        As ``--data`` was given; None where it was not.
    """

    settings: Settings
    data: str | None

    def write(self, folder: Path) -> None:
        """Write the description to a run folder, with what results depend on beside it."""
        is_path = self.data is not None and Path(self.data).is_dir()
        described = {
            "kind": KIND,
            "version": VERSION,
            "settings": self.settings.to_json(),
            "data": str(Path(str(self.data)).resolve()) if is_path else self.data,
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
            data = described["data"]
            return cls(
                Settings.from_json(described["settings"]), None if data is None else str(data)
            )
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            if isinstance(error, HandloomError):
                raise
            raise ModelError(f"{path}: not the description of a run: {error!r}") from None


class Describe(Callback):
    """Writes the description once training has been found possible, so that it can be resumed."""

    def __init__(self, description: Description, folder: Path) -> None:
        self.description, self.folder = description, folder

    def on_train_begin(self, *, trainer: Trainer) -> None:
        """Write it."""
        self.description.write(self.folder)


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
