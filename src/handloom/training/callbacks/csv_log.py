"""CSVLog callback: writes the history to a CSV file, epoch by epoch."""

from functools import partial
from pathlib import Path
from typing import ClassVar

from handloom.files import write_text
from handloom.secondary import Secondary
from handloom.training.callbacks.base import Callback
from handloom.training.callbacks.own_path import OwnPath
from handloom.training.history import EpochRecord, csv_line
from handloom.training.run_folder import RunFolder
from handloom.training.state import TrainingState


class CSVLog(Callback):
    """Writes a line to a CSV file after every epoch, with a column for every metric.

    Parameters
    ----------
    path : path or RunFolder
        The CSV file, or a run folder for its table; an existing one is replaced. A copy of this
        callback, as searches and cross-validation make for each fit, replaces nothing: it takes
        ``log-2.csv`` where ``log.csv`` exists, and so on. If the folder of the file is moved,
        deleted or replaced, the log goes on at its new path, or in a new folder, with a warning.

    Attributes
    ----------
    path : Path
        The file that is written; that of a copy is known once training begins.
    """

    changes_results: ClassVar[bool] = False

    def __init__(self, path: str | Path | RunFolder) -> None:
        run = path if isinstance(path, RunFolder) else None
        self._own = OwnPath(path.history_table if isinstance(path, RunFolder) else path, run=run)
        self._columns: tuple[str, ...] = ()
        self._logging = self._secondary()

    @property
    def path(self) -> Path:
        """The file that is written."""
        return self._own.path

    @property
    def writes_to(self) -> Path | None:
        """The file that is replaced; None for a copy that has not begun, or a locked run folder."""
        return self._own.replaced

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Start the file with the names of the columns, and the epochs made before a resume.

        Raises
        ------
        FileError
            If the file cannot be written.
        """
        self._columns = state.history.columns
        self._own.claim(partial(Path.touch, exist_ok=False))
        self._logging = self._secondary()
        write_text(self._own.current(), state.history.to_csv())

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Append the record; if that fails, warn and go on."""
        with self._logging:
            path = self._own.current()
            if not (path.exists() and set(record.recorded) <= set(self._columns)):
                # a new folder, or a metric without a column
                write_text(path, state.history.to_csv())
                self._columns = state.history.columns
                return
            with path.open("a") as file:
                file.write(csv_line(record.values(self._columns)))

    def on_train_end(self, *, state: TrainingState) -> None:
        """Rewrite the file if a line could not be written; if that fails, warn."""
        with self._logging:
            whole, path = state.history.to_csv(), self._own.current()
            if not path.exists() or path.read_bytes() != whole.encode():
                write_text(path, whole)
        self._own.release()

    def _secondary(self) -> Secondary:
        then = "training goes on, and the log is written again when it ends"
        return Secondary(f"{self.path} lacks epochs", then=then)
