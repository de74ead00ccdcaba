"""Run folder: writes and reads the files of a finished or running training."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from handloom.data.transforms import Transform
from handloom.errors import ModelError, did_you_mean, require_count
from handloom.files import (
    FileError,
    make_folder,
    read_bytes,
    read_json,
    write_bytes,
    write_json,
    write_text,
)
from handloom.layers import Layer
from handloom.locks import LOCK, HeldFolder
from handloom.model import Model
from handloom.parameters import Array
from handloom.text import printable
from handloom.training.grid_frames import GridFrames
from handloom.training.history import History
from handloom.training.rescue import save_model
from handloom.training.run_description import RunDescription, require_json_type

KIND, VERSION = "handloom run", 2

DESCRIPTION = "run.json"
HISTORY = "history.json"
HISTORY_TABLE = "history.csv"
MODEL = "model/"
BEST_MODEL = "best-model/"
CHECKPOINTS = "checkpoints/"
PICTURES = "pictures/"
PREDICTIONS = "predictions.safetensors"
GRID = "grid.safetensors"
RESULTS = "results.json"
REPORT = "report.html"
LOGS = "logs/"
RUNS = "runs/"

CONTENTS: Mapping[str, str] = {
    DESCRIPTION: "settings, data and environments",
    HISTORY: "the measurements of every epoch",
    HISTORY_TABLE: "the same as a table",
    MODEL: "the network, its weights, and the transform of its inputs",
    BEST_MODEL: "the same with the best weights",
    CHECKPOINTS: "the state of the training, to resume it",
    PICTURES: "pictures of the training and of its predictions",
    PREDICTIONS: "the predictions of the test rows",
    GRID: "the predictions on a grid of one or two inputs over the epochs",
    RESULTS: "the metrics on the test set",
    REPORT: "one page that shows all of this",
}
"""The files of a run folder."""

RUN_PICTURES: Mapping[str, str] = {
    "curves.png": "learning curves",
    "confusion.png": "confusion matrix",
    "mistakes.png": "mistakes",
    "predictions.png": "predicted against true",
    "residuals.png": "residuals",
    "weights.png": "weights",
    "boundary.png": "decision boundary",
}
"""The pictures of a run, of which each kind of training has some."""

STUDY_CONTENTS: Mapping[str, str] = {
    RUNS: "the folder of each run",
    LOGS: "the CSV log of each run, with the reference's columns",
    PICTURES: "learning curves and comparisons, confusion matrices, mistakes",
    RESULTS: "the metrics of every run",
    REPORT: "one page that shows all of this",
}
"""The files of a study's folder."""

MAX_HISTORY_BYTES = 1 << 30
"""The largest history that is read: 1 GiB, some millions of epochs."""


class _ResultsFolder:
    """A folder with pictures and results.

    Attributes
    ----------
    path : Path
        The absolute path of the folder when it was last written to.
    """

    _contents: ClassVar[Mapping[str, str]]

    def __init__(self, path: str | Path | HeldFolder) -> None:
        self._held = path if isinstance(path, HeldFolder) else None
        self.path = path.path if isinstance(path, HeldFolder) else Path(path).absolute()

    def __repr__(self) -> str:
        return printable(f"{type(self).__name__}({str(self.path)!r})")

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes for a copy, which opens the folder itself."""
        return {**self.__dict__, "_held": None}

    def writable(self) -> Path:
        """Return the path to write to, which is another one if the folder was moved or deleted.

        The folder is created or opened by the first call; see `HeldFolder.check` for later ones.

        Raises
        ------
        FileError
            If it cannot be written to.
        """
        if self._held is None:
            self._held = HeldFolder(make_folder(self.path), lock=False)
        self.path = self._held.check()
        return self.path

    def _write(self, write: Callable[[Path], object]) -> None:
        """Write to the folder; write again if it was moved or deleted in the meantime."""
        path = self.writable()
        try:
            write(path)
        except FileError:
            if self.writable() == path:
                raise
            write(self.path)

    @property
    def pictures(self) -> Path:
        """The folder of the pictures."""
        return self.path / PICTURES

    def contents(self) -> dict[str, str]:
        """Return the existing files and the folders with files in them, each with its meaning."""
        known = self._contents.items()
        return {name: meaning for name, meaning in known if _holds_files(self.path / name)}

    def write_results(self, results: Mapping[str, object]) -> None:
        """Write the metrics on the test set; NaN and infinity are not JSON.

        Raises
        ------
        FileError
            If the file cannot be written.
        """
        self._write(lambda path: write_json(path / RESULTS, results))

    def results(self) -> dict[str, Any]:
        """Return the metrics that `write_results` wrote.

        Raises
        ------
        FileError, ModelError
            If they are not written yet, or are damaged.
        """
        path = self._part(RESULTS)
        results = read_json(path)
        require_json_type(str(path), results, dict, "an object")
        return dict(results)

    def _part(self, name: str) -> Path:
        """Return the path of a part that is written when training ends."""
        path = self.path / name
        if not path.exists():
            raise FileError(
                f"{path} is missing: it holds {self._contents[name]}, "
                f"and is written when training ends"
            )
        return path


class RunFolder(_ResultsFolder):
    """The folder of one training.

    The constructor touches no file: `write_description` creates the folder, `open` reads one.

    Parameters
    ----------
    path : path or HeldFolder
        A folder that is held stays so; another one is opened at the first write. If it is moved or
        deleted after that, writing goes on at its new path, or in a new folder, with a warning.
    description : RunDescription
    """

    _contents = CONTENTS

    def __init__(self, path: str | Path | HeldFolder, description: RunDescription) -> None:
        super().__init__(path)
        self.description = description
        self._described = False

    def contents(self) -> dict[str, str]:
        """Return the existing parts, each with its meaning; that of the pictures names them."""
        contents = super().contents()
        drawn = [name for file, name in RUN_PICTURES.items() if (self.pictures / file).exists()]
        if drawn:
            contents[PICTURES] = ", ".join(drawn)
        return contents

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Return the run that a folder holds.

        Raises
        ------
        FileError
            If the folder holds no run.
        ModelError
            If its description is damaged, or of another version.
        """
        file = Path(path) / DESCRIPTION
        if not is_run(path):
            raise FileError(_why_no_run(Path(path)))
        values = read_json(file)
        try:
            _check_version(values, Path(path))
            return cls(path, RunDescription.from_json(values))
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{file}: {error}") from None

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / CHECKPOINTS

    @property
    def history_table(self) -> Path:
        """The history as CSV, which a training may append to each epoch."""
        return self.path / HISTORY_TABLE

    def write_description(self) -> None:
        """Create the folder, if it is missing, and write the description.

        Raises
        ------
        FileError
            If the folder cannot be written to.
        """
        self._describe(super().writable())

    def _describe(self, path: Path) -> None:
        described = asdict(self.description)
        write_json(path / DESCRIPTION, {"kind": KIND, "version": VERSION, **described})
        self._described = True

    def writable(self) -> Path:
        """Return the path to write to; in a new folder the description is written again.

        Raises
        ------
        FileError
            If it cannot be written to.
        """
        path = super().writable()
        if self._described and not is_run(path):
            self._describe(path)
        return path

    def write_history(self, history: History) -> None:
        """Write the history, as JSON for `history` and as a table for people.

        Raises
        ------
        FileError
            If a file cannot be written.
        """
        self._write(lambda path: write_json(path / HISTORY, history.to_json()))
        self._write(lambda path: write_text(path / HISTORY_TABLE, history.to_csv()))

    def history(self) -> History:
        """Return the history that `write_history` wrote.

        Raises
        ------
        FileError, ModelError
            If it is not written yet, or damaged.
        """
        path = self._part(HISTORY)
        values = read_json(path, at_most=MAX_HISTORY_BYTES)
        try:
            return History.from_json(values)
        except (ModelError, RecursionError) as error:
            raise ModelError(f"{path}: {error}") from None

    def write_model(self, model: Model, *, best_weights: Array | None = None) -> None:
        """Write the model, replacing an earlier one atomically.

        If it cannot be written there, it is written elsewhere; see `save_model`.

        Parameters
        ----------
        model : Model
            With the weights at the end of the training.
        best_weights : array, shape (size,), optional
            The weights of a second model, which is written too.

        Raises
        ------
        FileError
            If a file cannot be written; the message says where the model is instead.
        ConfigurationError
            If the loaded model would not be the same; see `Model.check_savable`.
        """
        self._write(lambda path: save_model(model, path / MODEL))
        if best_weights is not None:
            self._write(lambda path: save_model(model, path / BEST_MODEL, weights=best_weights))

    def model(
        self,
        *,
        layers: Mapping[str, type[Layer]] | None = None,
        transforms: Mapping[str, type[Transform]] | None = None,
    ) -> Model:
        """Return the model with the weights at the end of the training; see `Model.load`.

        Raises
        ------
        FileError, ModelError
            If it is not written yet, or damaged.
        """
        return Model.load(self._part(MODEL), layers=layers, transforms=transforms)

    def write_predictions(self, predictions: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write predictions, such as those of the test rows, by name.

        Raises
        ------
        FileError
            If the file cannot be written.
        """
        self._write_arrays(PREDICTIONS, predictions)

    def predictions(self) -> dict[str, Array]:
        """Return the predictions that `write_predictions` wrote.

        Raises
        ------
        FileError, ModelError
            If they are not written yet, or damaged.
        """
        return self._arrays(PREDICTIONS)

    def write_grid(self, frames: GridFrames) -> None:
        """Write the predictions on a grid of the inputs over the epochs.

        Raises
        ------
        FileError
            If the file cannot be written.
        """
        self._write_arrays(GRID, frames.to_arrays())

    def grid(self) -> GridFrames:
        """Return the predictions that `write_grid` wrote.

        Raises
        ------
        FileError, ModelError
            If they are not written, damaged, or of another version.
        """
        arrays = self._arrays(GRID)
        try:
            return GridFrames.from_arrays(arrays)
        except ModelError as error:
            raise ModelError(f"{self.path / GRID}: {error}") from None

    def _write_arrays(self, name: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        from safetensors.numpy import save  # imported when something is saved

        whole = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
        self._write(lambda path: write_bytes(path / name, save(whole)))

    def _arrays(self, name: str) -> dict[str, npt.NDArray[Any]]:
        from safetensors import SafetensorError
        from safetensors.numpy import load

        path = self._part(name)
        try:
            return dict(load(read_bytes(path)))
        except SafetensorError as error:
            raise ModelError(f"{path}: {error}") from None

    def best_model(
        self,
        *,
        layers: Mapping[str, type[Layer]] | None = None,
        transforms: Mapping[str, type[Transform]] | None = None,
    ) -> Model:
        """Return the model with the best weights, if they were written; see `Model.load`.

        Raises
        ------
        FileError, ModelError
            If it is not written, or damaged.
        """
        return Model.load(self._part(BEST_MODEL), layers=layers, transforms=transforms)


class StudyFolder(_ResultsFolder):
    """The folder of a study: its runs, their logs, pictures and results.

    Parameters
    ----------
    path : path or HeldFolder
        As in `RunFolder`.
    """

    _contents = STUDY_CONTENTS

    def run(self, name: str, description: RunDescription) -> RunFolder:
        """Return the folder of one run, which is not written yet."""
        return RunFolder(self.writable() / RUNS / name, description)

    def write_log(self, name: str, text: str) -> None:
        """Write the CSV log of one run.

        Raises
        ------
        FileError
            If the file cannot be written.
        """
        write_text(make_folder(self.writable() / LOGS) / f"{name}.csv", text)


def is_run(path: str | Path) -> bool:
    """Return whether a folder holds the description of a run, whatever its version."""
    return (Path(path) / DESCRIPTION).is_file()


def _why_no_run(path: Path) -> str:
    """Return why a path is no run folder, with the nearest one."""
    if path.is_file():
        return f"{path} is a file, expected a run folder"
    if not path.exists():
        beside = [each.parent.name for each in path.parent.glob(f"*/{DESCRIPTION}")]
        return f"{path} does not exist, expected a run folder.{did_you_mean(path.name, beside)}"
    if is_run(path.resolve().parent):
        return f"{path} is a part of a run: name the run folder {path.parent}"
    return f"{path} is not a run folder: {DESCRIPTION} is missing"


def _holds_files(path: Path) -> bool:
    """Return whether a path is a file, or a folder that holds more than its lock."""
    if path.is_dir():
        return any(each.name != LOCK for each in path.iterdir())
    return path.exists()


def _check_version(values: object, path: Path) -> None:
    """Refuse a file that is not a run description, or has another version."""
    kind = values.get("kind") if isinstance(values, dict) else None
    if not isinstance(values, dict) or kind != KIND:
        raise ModelError(f"not the description of a run: expected the kind {KIND!r}, got {kind!r}")
    version = require_count("version", values.get("version"))
    if version < VERSION:
        raise ModelError(
            f"version {version}, written by an earlier Handloom; this one reads version {VERSION}. "
            f"Train again, or use the model alone: {path / MODEL}"
        )
    if version > VERSION:
        raise ModelError(
            f"version {version}, written by a later Handloom; this one reads version {VERSION}. "
            f"Update Handloom"
        )
