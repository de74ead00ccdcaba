"""Callbacks: what may be done when training begins, after each step and epoch, and at its end."""

import math
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from handloom.errors import (
    ConfigurationError,
    require_count,
    require_known,
    require_number,
)
from handloom.files import FileError, write_text
from handloom.parameters import Array
from handloom.training.history import EpochRecord, StopReason, csv_line
from handloom.training.objective import Measured

if TYPE_CHECKING:
    from handloom.training.trainer import Trainer

Monitor = Literal["loss", "data_loss", "accuracy", "validation_loss", "validation_accuracy"]
MONITORS = ("loss", "data_loss", "accuracy", "validation_loss", "validation_accuracy")


class Callback:
    """Does nothing; override what you need. All arguments are passed by keyword.

    A method named ``on_...`` that nothing would ever call is refused where its class is defined. A
    class that calls hooks of its own names them: ``class Mine(Callback, hooks=["on_new_best"])``.

    Raises
    ------
    ConfigurationError
        If a subclass defines a hook that there is not.
    """

    _hooks: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls, *, hooks: Iterable[str] = (), **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._hooks = tuple(hooks)
        known = [hook for base in cls.__mro__ for hook in vars(base).get("_hooks", ())]
        for name in dir(cls):
            if name.startswith("on_") and callable(getattr(cls, name)):
                require_known(f"hook of {cls.__name__}", name, known)

    def on_train_begin(self, *, trainer: "Trainer") -> None:
        """Run before the first epoch."""

    def on_epoch_end(self, *, trainer: "Trainer", record: EpochRecord) -> None:
        """Run after each epoch; ``trainer.stop(reason)`` ends training with it."""

    def on_step_end(self, *, trainer: "Trainer", measured: Measured) -> None:
        """Run after each step, with what it measured before its update.

        Without a callback that has this hook, the trainer has many steps made in one go.
        """

    def on_train_end(self, *, trainer: "Trainer") -> None:
        """Run after the last epoch, however training ended."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must hold for training to go on: arrays, and what JSON can hold.

        Runs after `on_train_begin`.
        """
        return {}

    def config(self) -> dict[str, object]:
        """Return what JSON can hold of how this was made; state goes only to one made alike."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned; runs after `on_train_begin`."""


Callback._hooks = tuple(name for name in vars(Callback) if name.startswith("on_"))


def looks_at_steps(callback: object) -> bool:
    """Return whether a callback has an `on_step_end` of its own."""
    hook = getattr(callback, "on_step_end", None)
    return hook is not None and getattr(hook, "__func__", None) is not Callback.on_step_end


class BestWeights(Callback, hooks=["on_best"]):
    """Keeps the weights at which a figure was at its best.

    A training figure of a full-batch epoch is measured before that epoch's update, so the weights
    kept are those from before it; every other figure belongs to the weights after the epoch. A NaN
    is never the best.

    Parameters
    ----------
    monitor : str
        A column of the history; a loss is best small, an accuracy large.
    min_delta : float
        By how much a figure must be better than the best to count.
    restore : bool
        Whether the network ends with these weights, however training ends.

    Attributes
    ----------
    epoch : int or None
        The best epoch so far.
    value : float or None
        What was measured at it.
    weights : array, shape (size + untrained,), or None
        All weights at it, with what is not trained.

    Raises
    ------
    ConfigurationError
        If there is no such figure, or ``min_delta`` is negative.
    """

    def __init__(
        self, monitor: Monitor = "validation_loss", *, min_delta: float = 0.0, restore: bool = True
    ) -> None:
        require_known("figure to monitor", monitor, MONITORS)
        self.monitor = monitor
        self.min_delta = require_number("min_delta", min_delta, minimum=0.0)
        self.restore = restore
        self._start()

    def _start(self) -> None:
        self.epoch: int | None = None
        self.value: float | None = None
        self.weights: Array | None = None

    def on_train_begin(self, *, trainer: "Trainer") -> None:
        """Forget an earlier training; refuse to watch what will not be measured."""
        if self.monitor.startswith("validation") and not trainer.validates:
            raise ConfigurationError(
                f"{type(self).__name__} watches {self.monitor!r}, but no validation set was given"
            )
        if self.monitor.endswith("accuracy") and not trainer.counts_correct:
            why = "count_correct=False leaves it out"
            if trainer.count_correct:
                why = f"the loss {type(trainer.loss).__name__} knows no right or wrong"
            raise ConfigurationError(f"{type(self).__name__} watches {self.monitor!r}, but {why}")
        self._start()

    def on_epoch_end(self, *, trainer: "Trainer", record: EpochRecord) -> None:
        """Copy the weights if they are the best so far."""
        value = float(getattr(record, self.monitor))
        if self._improves(value):
            self.epoch, self.value = record.epoch, value
            self.weights = trainer.weights_measured(self.monitor).copy()
            self.on_best(trainer=trainer, record=record)

    def on_best(self, *, trainer: "Trainer", record: EpochRecord) -> None:
        """Run whenever a new best was found."""

    def on_train_end(self, *, trainer: "Trainer") -> None:
        """Restore the best weights, if asked to."""
        if self.restored:
            trainer.network.parameters.values[...] = self.weights

    @property
    def restored(self) -> bool:
        """Whether the network ends with weights that were kept."""
        return self.restore and self.weights is not None

    def config(self) -> dict[str, object]:
        """Return what decides which epoch is the best."""
        return {"monitor": self.monitor, "min_delta": self.min_delta}

    def state_dict(self) -> dict[str, Any]:
        """Return the best epoch so far, and its weights."""
        kept = {} if self.weights is None else {"weights": self.weights}
        return {"epoch": self.epoch, "value": self.value, **kept}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.epoch, self.value = state["epoch"], state["value"]
        self.weights = state.get("weights")

    def _improves(self, value: float) -> bool:
        if not math.isfinite(value) or self.value is None:
            return math.isfinite(value)
        gain = self.value - value if self.monitor.endswith("loss") else value - self.value
        return gain > self.min_delta


class EarlyStopping(BestWeights):
    """Ends training when a figure has not been better for ``patience`` epochs.

    Parameters
    ----------
    monitor : str
        A column of the history; a loss is best small, an accuracy large.
    patience : int
        How many epochs in a row may pass without a better figure.
    min_delta : float
        By how much a figure must be better than the best to count.
    restore : bool
        Whether the network ends with the best weights, however training ends.

    Raises
    ------
    ConfigurationError
        If a parameter means nothing.
    """

    def __init__(
        self,
        monitor: Monitor = "validation_loss",
        *,
        patience: int = 10,
        min_delta: float = 0.0,
        restore: bool = True,
    ) -> None:
        super().__init__(monitor, min_delta=min_delta, restore=restore)
        self.patience = require_count("patience", patience)

    def config(self) -> dict[str, object]:
        """Return what decides when training ends."""
        return {**super().config(), "patience": self.patience}

    def on_epoch_end(self, *, trainer: "Trainer", record: EpochRecord) -> None:
        """Stop training when patience is over."""
        super().on_epoch_end(trainer=trainer, record=record)
        since = record.epoch - (-1 if self.epoch is None else self.epoch)
        if since >= self.patience:
            trainer.stop(StopReason.EARLY_STOPPING)


class BestModel(BestWeights):
    """Saves the model to a folder each time a figure is better than ever before.

    The folder always holds a whole model: the one before, or the new one.

    Parameters
    ----------
    folder : path
        Where the model is saved.
    monitor, min_delta
        As in `BestWeights`; the network itself keeps its last weights.
    """

    def __init__(
        self, folder: str | Path, monitor: Monitor = "validation_loss", *, min_delta: float = 0.0
    ) -> None:
        super().__init__(monitor, min_delta=min_delta, restore=False)
        self.folder = Path(folder)
        self._unsaved = False

    def on_best(self, *, trainer: "Trainer", record: EpochRecord) -> None:
        """Save the weights that were just copied; if that fails, say so and go on."""
        try:
            self._save(trainer)
        except FileError as error:
            self._unsaved = True
            warnings.warn(f"{error}; it is tried again when training ends", stacklevel=2)

    def on_train_end(self, *, trainer: "Trainer") -> None:
        """Save what could not be saved.

        Raises
        ------
        FileError
            If it still cannot be.
        """
        if self._unsaved:
            self._save(trainer)

    def _save(self, trainer: "Trainer") -> None:
        if self.weights is not None:
            trainer.model().save(self.folder, weights=self.weights)
        self._unsaved = False


class CSVLog(Callback):
    """Writes a line to a CSV file after every epoch.

    Parameters
    ----------
    path : path
        The file; an earlier one is replaced.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def on_train_begin(self, *, trainer: "Trainer") -> None:
        """Start the file with the names of the columns, and the epochs made before a resume."""
        write_text(self.path, trainer.history.to_csv())

    def on_epoch_end(self, *, trainer: "Trainer", record: EpochRecord) -> None:
        """Append the record; a full disk stops the log, not the training."""
        with suppress(OSError), self.path.open("a") as file:
            file.write(csv_line(record.values()))

    def on_train_end(self, *, trainer: "Trainer") -> None:
        """Write the file anew if a line could not be written.

        Raises
        ------
        FileError
            If it still cannot be.
        """
        whole = trainer.history.to_csv()
        if not self.path.exists() or self.path.read_text() != whole:
            write_text(self.path, whole)
