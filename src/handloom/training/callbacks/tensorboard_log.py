"""TensorBoardLog callback: writes a training to a folder that TensorBoard shows."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import starmap
from pathlib import Path
from typing import Any, ClassVar

from handloom.errors import ConfigurationError, MissingExtraError, ModelError, require_count
from handloom.files import make_folder, new_folder
from handloom.secondary import Secondary, report
from handloom.training.callbacks import event_values
from handloom.training.callbacks.base import Callback
from handloom.training.callbacks.event_file import append_events, new_event_file, summary_event
from handloom.training.callbacks.run_parameters import (
    checked_parameters,
    figures_of_test,
    hyperparameters,
    metrics_of,
)
from handloom.training.evaluation import Evaluation
from handloom.training.history import EpochRecord
from handloom.training.state import TrainingState


class TensorBoardLog(Callback):
    """Writes the metrics of every epoch for TensorBoard; it needs the extra ``tensorboard``.

    ``tensorboard --logdir FOLDER`` shows all trainings of a folder, each of which has a sub-folder
    of its own. The step of a scalar is the epoch, counted from 0.

    - Scalars: every metric of the history as ``loss/train``, ``loss/validation``,
      ``accuracy/train``, ``learning_rate``, and so on; the l2 norm of the gradient of an epoch's
      last step as ``gradient_norm/all``; metrics that callbacks record as ``recorded/NAME``; with
      `LayerNorms` also the norms of each layer.
    - Text: the layers, and at the end the reason of the end with the notes of the history.
    - HParams: the options of the trainer and ``parameters``, to compare trainings by.
    - Histograms of the weights, if they are asked for.

    Each epoch is in the file when the next one begins, even if the process is killed. A resume goes
    on in the same sub-folder, and hides later epochs that no checkpoint has. If the events cannot
    be written, training goes on with a warning, and they are written again later.

    Parameters
    ----------
    folder : path
        The folder that TensorBoard is started with; it is created.
    name : str
        The name of the training, and of its sub-folder; a further training of the same name gets
        ``NAME-2``, and so on.
    histograms : int, optional
        The number of epochs between two histograms of each array of weights; by default there are
        none.
    parameters : mapping, optional
        Further hyperparameters by name, such as the settings that the network was made from.

    Attributes
    ----------
    path : Path or None
        The sub-folder of the latest training; None before its first epoch.

    Raises
    ------
    ConfigurationError
        If a parameter is invalid.
    """

    changes_results: ClassVar[bool] = False

    def __init__(
        self,
        folder: str | Path,
        *,
        name: str = "run",
        histograms: int | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = Path(folder).absolute()
        self.name = _checked_name(name)
        self.histograms = None if histograms is None else require_count("histograms", histograms)
        self.parameters = checked_parameters(parameters)
        self._reset()

    def _reset(self) -> None:
        self.path: Path | None = None
        self._file: Path | None = None  # the file that is written, if it is whole
        self._first_file: str | None = None  # by which a resume knows the sub-folder
        self._epochs = self._layer_records = 0  # those written
        then = "training goes on, and they are written again when the next epoch or training ends"
        self._writing = Secondary(f"{self.folder} lacks epochs for TensorBoard", then=then)

    def check(self, *, state: TrainingState) -> None:
        """Check the parameters and the package, before anything is written.

        Raises
        ------
        MissingExtraError
            If tensorboardX is not installed.
        ConfigurationError
            If one of ``parameters`` has the name of an option of the trainer.
        """
        try:
            import tensorboardX  # noqa: F401
        except ImportError:
            raise MissingExtraError("tensorboardX", "tensorboard", "TensorBoardLog") from None
        hyperparameters(state, self.parameters)

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Reset the state of an earlier training, and create the folder.

        Raises
        ------
        FileError
            If it cannot be written to.
        """
        self._reset()
        make_folder(self.folder)

    def on_epoch_begin(self, *, state: TrainingState) -> None:
        """Create the sub-folder before the first epoch, with parameters and layers."""
        if self._file is None:
            with self._writing:
                self._write(state)

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Write the epoch; if that fails, warn and go on."""
        with self._writing:
            values = list(self._of_weights(state, record.epoch))
            self._write(state, (record.epoch, values))

    def on_train_end(self, *, state: TrainingState) -> None:
        """Write the reason of the end, and values that could not be written before."""
        with self._writing:
            history = state.history
            end = [
                *event_values.text("end", [history.ended, *history.notes]),
                *event_values.session_end(history.stop_reason),
            ]
            self._write(state, (max(len(history) - 1, 0), end))

    def log_test(self, evaluation: Evaluation) -> None:
        """Add the figures of a test after a training, as ``loss/test`` and ``accuracy/test``.

        Parameters
        ----------
        evaluation : Evaluation
            As `handloom.evaluate` returns it.

        Raises
        ------
        ModelError
            Before the first training.
        """
        figures = figures_of_test(evaluation)
        if self._file is None:
            raise ModelError("TensorBoardLog has no training to add a test to: fit it first")
        with self._writing:
            step = max(self._epochs - 1, 0)
            append_events(self._file, [summary_event(step, event_values.scalars(figures))])

    def state_dict(self) -> dict[str, Any]:
        """Return the sub-folder, its first file, and the number of epochs in it."""
        name = None if self.path is None else self.path.name
        return {"name": name, "file": self._first_file, "epochs": self._epochs}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on in the sub-folder that `state_dict` named, if it is there; else in a new one."""
        if state["name"] is None:
            return
        path = self.folder / _checked_name(state["name"])
        if (path / Path(str(state["file"])).name).is_file():
            self.path, self._first_file = path, str(state["file"])
            self._epochs = require_count("epochs", state["epochs"], minimum=0)
        else:
            report(f"{path} is not there to go on in: a new folder gets all epochs")

    def _write(self, state: TrainingState, *further: tuple[int, Iterable[Any]]) -> None:
        """Write the epochs that are not in the file yet, then further values, with their steps."""
        file = self._open(state)
        self._file = None  # until this is written: part of an event makes a file useless
        records = state.history.records[self._epochs :]
        norms = state.history.layer_norms[self._layer_records :]
        scalars = [(each.epoch, event_values.scalars(metrics_of(each))) for each in records]
        layers = [(each.epoch, event_values.layer_norms(each)) for each in norms]
        append_events(file, starmap(summary_event, [*scalars, *layers, *further]))
        self._file = file
        self._epochs += len(records)
        self._layer_records += len(norms)

    def _open(self, state: TrainingState) -> Path:
        """Return the file to write to: a new one at first, and where the last one is damaged."""
        if self._file is not None and self._file.is_file():
            return self._file
        if self.path is None or not self.path.is_dir():
            if self.path is not None:
                report(f"{self.path} is gone: a new folder gets all epochs")
            self.path, self._first_file, self._epochs = new_folder(self.folder / self.name), None, 0
        elif self._file is not None:  # it was deleted, and its epochs with it
            self._epochs = 0
        norms = state.history.layer_norms
        self._layer_records = sum(record.epoch < self._epochs for record in norms)
        file = new_event_file(self.path, first_step=self._epochs)
        self._first_file = self._first_file or file.name
        if not self._epochs:
            layers = event_values.text("layers", repr(state.network).splitlines())
            parameters = hyperparameters(state, self.parameters)
            begin = [*layers, *event_values.session_begin(parameters)]
            append_events(file, [summary_event(0, begin)])
        return file

    def _of_weights(self, state: TrainingState, epoch: int) -> Iterator[Any]:
        """Yield the norm of the latest gradient, and the histograms of the weights if due."""
        if (norm := state.progress.gradient_norm) is not None:
            yield event_values.gradient_norm(norm)
        if self.histograms is not None and (epoch + 1) % self.histograms == 0:
            yield from event_values.histograms(state.network.parameters.weights)


def _checked_name(name: object) -> str:
    """Return the name of a sub-folder.

    Raises
    ------
    ConfigurationError
        If it is none.
    """
    if not isinstance(name, str) or name in ("", ".", "..") or set(name) & set("/\\\0"):
        raise ConfigurationError(f"name must be that of a sub-folder, got {name!r}")
    return name
