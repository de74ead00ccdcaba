"""Reading a run folder as a whole: the model, the history and the results of a training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from handloom.data.transforms import Transform
from handloom.files import MANIFEST, FileError
from handloom.layers import Layer
from handloom.model import Model
from handloom.text import printable
from handloom.training.history import History
from handloom.training.run_description import RunDescription
from handloom.training.run_folder import (
    HISTORY,
    MODEL,
    PREDICTIONS,
    RESULTS,
    RUNS,
    RunFolder,
    is_run,
)

Part = TypeVar("Part")


@dataclass(frozen=True, eq=False)
class LoadedRun:
    """A run folder that was read by `load_run`; parts not written yet are None.

    Attributes
    ----------
    path : Path
        The folder.
    description : RunDescription
        The settings, the data and the environments: ``run.description.settings``.
    model : Model or None
        The network at the end of the training.
    history : History or None
        The metrics of every epoch.
    results : dict or None
        The metrics on the test set.
    predictions : Path or None
        The file of the predictions of the test rows, which `RunFolder.predictions` reads.
    """

    path: Path
    description: RunDescription
    model: Model | None
    history: History | None
    results: dict[str, Any] | None
    predictions: Path | None

    def __repr__(self) -> str:
        parts = {name: getattr(self, name) for name in ("model", "history", "results")}
        read = ", ".join(name for name, part in parts.items() if part is not None) or "nothing yet"
        ended = "" if self.history is None else f"; {self.history.ended}"
        return printable(f"LoadedRun({str(self.path)!r}: {read}{ended})")


def load_run(
    folder: str | Path,
    *,
    layers: Mapping[str, type[Layer]] | None = None,
    transforms: Mapping[str, type[Transform]] | None = None,
) -> LoadedRun:
    """Return the model, the history and the results of a run folder.

    A training that still runs, or was killed, has written some of them only.

    Parameters
    ----------
    folder : path
        As ``handloom train`` wrote it.
    layers, transforms
        Custom layers and transforms of the model, as in `handloom.Model.load`.

    Raises
    ------
    FileError
        If the folder holds no run.
    ModelError
        If a file is damaged, or of another version.
    """
    path = Path(folder)
    if not is_run(path) and (path / MANIFEST).is_file():
        raise FileError(f"{path} is not a run folder but that of a model: handloom.Model.load")
    if not is_run(path) and (path / RUNS).is_dir():
        names = ", ".join(sorted(each.name for each in (path / RUNS).iterdir() if is_run(each)))
        raise FileError(f"{path} holds several runs: load one of {path / RUNS}: {names or 'none'}")
    run = RunFolder.open(path)

    def read(name: str, reader: Callable[[], Part]) -> Part | None:
        return reader() if (path / name).exists() else None

    predictions = path / PREDICTIONS
    return LoadedRun(
        path.absolute(),
        run.description,
        read(MODEL, lambda: run.model(layers=layers, transforms=transforms)),
        read(HISTORY, run.history),
        read(RESULTS, run.results),
        predictions.absolute() if predictions.exists() else None,
    )
