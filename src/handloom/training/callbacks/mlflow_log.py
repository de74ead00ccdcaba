"""MLflowLog callback: logs a training as a run of MLflow."""

import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, ClassVar

from handloom._version import __version__
from handloom.errors import (
    ConfigurationError,
    MissingExtraError,
    ModelError,
    require_bool,
    require_instance,
    require_number,
)
from handloom.secondary import Secondary
from handloom.training.callbacks.background import Background
from handloom.training.callbacks.base import Callback
from handloom.training.callbacks.mlflow_run import MLflowRun
from handloom.training.callbacks.run_parameters import (
    checked_parameters,
    figures_of_test,
    hyperparameters,
    metrics_of,
)
from handloom.training.evaluation import Evaluation
from handloom.training.history import EpochRecord, StopReason
from handloom.training.state import TrainingState

MODEL = "model"
"""The name of the artifact."""

EMPTY: Mapping[str, float] = {}


class MLflowLog(Callback):
    """Logs a training as a run of MLflow; it needs the extra ``mlflow``.

    The server or database is the one that MLflow is configured with: ``MLFLOW_TRACKING_URI``, or
    ``mlflow.set_tracking_uri``. A run that is active when training begins (``mlflow.start_run``)
    gets the training, and is left open. Otherwise a new run begins, in the experiment that MLflow
    is configured with. At the end its status is ``FINISHED``, ``KILLED`` after an interruption, or
    ``FAILED`` after a divergence or an error. A resume continues the run.

    Metrics have the names of the history, as ``loss`` and ``validation_loss``, and
    ``gradient_norm`` is the l2 norm of the gradient of an epoch's last step; their step is the
    epoch, counted from 0. Parameters are the options of the trainer, its layers, and
    ``parameters``; one that a resume changes becomes a tag, ``changed.NAME``.

    All is sent by another thread. If MLflow cannot be reached, training goes on with a warning, and
    sending is tried again after each epoch.

    Parameters
    ----------
    experiment : str, optional
        The name of the experiment, which is created if there is none.
    name : str, optional
        The name of the run.
    tags : mapping of str to str, optional
        Tags of the run.
    parameters : mapping, optional
        Further hyperparameters by name, such as the settings that the network was made from.
    model : bool
        Whether the folder of the trained model becomes an artifact, ``model``. Place this callback
        after one that restores weights, such as `handloom.EarlyStopping`.
    patience : float
        The most seconds that training waits for MLflow when it ends, and once for the id of the run
        if it has checkpoints.

    Attributes
    ----------
    run_id : str or None
        The run of the latest training; None until it has begun.

    Raises
    ------
    ConfigurationError
        If a parameter is invalid.
    """

    changes_results: ClassVar[bool] = False

    def __init__(
        self,
        *,
        experiment: str | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        model: bool = False,
        patience: float = 10.0,
    ) -> None:
        self.experiment = _checked_text("experiment", experiment)
        self.name = _checked_text("name", name)
        self.tags = _checked_tags(tags)
        self.parameters = checked_parameters(parameters)
        self.model = require_bool("model", model)
        self.patience = require_number("patience", patience, minimum=0.0)
        self._reset()

    def _reset(self) -> None:
        self._run: MLflowRun | None = None
        self._background: Background | None = None
        self._saved_id: str | None = None
        self._epochs = 0  # those that were handed to the thread
        self._waited = False
        then = "training goes on; what is missing is sent if MLflow answers before the process ends"
        self._logging = Secondary("MLflow lacks part of this training", then=then)

    def __getstate__(self) -> dict[str, object]:
        """Return the state of a copy or a pickle, without its run and thread."""
        return {**self.__dict__, "_run": None, "_background": None}

    @property
    def run_id(self) -> str | None:
        """The run of the latest training; None until it has begun."""
        return self._saved_id if self._run is None else self._run.run_id

    def check(self, *, state: TrainingState) -> None:
        """Check the parameters and the package, before a run begins.

        Raises
        ------
        MissingExtraError
            If MLflow is not installed.
        ConfigurationError
            If one of ``parameters`` has the name of an option of the trainer, or a run is active
            that has an experiment and a name already.
        """
        hyperparameters(state, self.parameters)
        active = _active_run_id()
        if active is not None and (self.experiment is not None or self.name is not None):
            raise ConfigurationError(
                f"experiment and name are those of a new run, but run {active} is active: leave "
                "them out, or end it with mlflow.end_run()"
            )
        if self.model:
            state.model.check_savable()

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Reset the state of an earlier training."""
        self._reset()

    def on_epoch_begin(self, *, state: TrainingState) -> None:
        """Begin the run before the first epoch, or continue it."""
        self._begin(state)

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Send the metrics of the epoch."""
        _, background = self._begin(state)
        norm = state.progress.gradient_norm
        self._send(state, {} if norm is None else {"gradient_norm": norm})
        with self._logging:
            background.raise_error()

    def on_train_end(self, *, state: TrainingState) -> None:
        """Send the model if it is an artifact, and end the run."""
        run, background = self._begin(state)
        self._send(state)
        if self.model:
            with Secondary("the model is not sent to MLflow"):
                folder = Path(mkdtemp(prefix="handloom-"))
                state.model.save(folder / MODEL)
                background.do(partial(_send_and_remove, run, folder))
        background.do(partial(run.end, _status(state.history.stop_reason), state.history.ended))
        self._wait()

    def log_test(self, evaluation: Evaluation) -> None:
        """Add the figures of a test after a training, as ``test_loss`` and ``test_accuracy``.

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
        if self._run is None:
            raise ModelError("MLflowLog has no training to add a test to: fit it first")
        self._background = self._background or Background("MLflow")
        self._do_log(figures, max(self._epochs - 1, 0))
        self._wait()

    def state_dict(self) -> dict[str, Any]:
        """Return the id of the run, which has begun by then if MLflow answers in time."""
        if self._background is not None and self.run_id is None and not self._waited:
            self._waited = True
            self._background.wait(self.patience)
        return {"run_id": self.run_id}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue the run that `state_dict` named."""
        self._saved_id = None if state["run_id"] is None else str(state["run_id"])

    def _begin(self, state: TrainingState) -> tuple[MLflowRun, Background]:
        """Return the run and the thread that sends to it; both begin at the first call."""
        if self._run is None or self._background is None:
            active = _active_run_id()
            self._run = MLflowRun(
                self.experiment,
                self.name,
                {"handloom.version": __version__, **(self.tags or {})},
                hyperparameters(state, self.parameters),
                run_id=active or self._saved_id,
                owned=active is None,
                resumed=self._saved_id is not None and active in (None, self._saved_id),
            )
            self._background = Background("MLflow")
            self._background.do(self._run.send)
            self._send(state)  # the epochs before a resume
        return self._run, self._background

    def _send(self, state: TrainingState, further: Mapping[str, float] = EMPTY) -> None:
        """Send the epochs that are not sent yet, and further metrics of the latest."""
        records = state.history.records[self._epochs :]
        for record in records:
            latest = further if record is records[-1] else EMPTY
            self._do_log({**metrics_of(record), **latest}, record.epoch)
        self._epochs += len(records)

    def _do_log(self, metrics: Mapping[str, float], step: int) -> None:
        if self._run is not None and self._background is not None:
            log = partial(self._run.log, metrics, step=step, seconds=time.time())
            self._background.do(log)

    def _wait(self) -> None:
        """Wait until all is sent, and end the thread; report if it is not."""
        background = self._background
        if background is None:
            return
        with self._logging:
            if not background.wait(self.patience):
                raise TimeoutError(f"no answer for {self.patience:g} seconds")
            background.close()
            self._background = None
            background.raise_error()


def _active_run_id() -> str | None:
    """Return the run that the user has begun, or None.

    Raises
    ------
    MissingExtraError
        If MLflow is not installed.
    """
    try:
        import mlflow
    except ImportError:
        raise MissingExtraError("mlflow-skinny", "mlflow", "MLflowLog") from None
    active = mlflow.active_run()
    return None if active is None else str(active.info.run_id)


def _status(reason: StopReason | None) -> str:
    """Return the status of MLflow for the end of a training; without a reason, it is an error's."""
    interrupted = reason is None and isinstance(sys.exception(), KeyboardInterrupt | SystemExit)
    if reason is StopReason.INTERRUPTED or interrupted:
        return "KILLED"
    return "FAILED" if reason is None or reason.diverged else "FINISHED"


def _send_and_remove(run: MLflowRun, folder: Path) -> None:
    """Send the model in a temporary folder, and remove the folder."""
    try:
        run.send_folder(folder / MODEL, MODEL)
    finally:
        rmtree(folder, ignore_errors=True)


def _checked_text(name: str, value: str | None) -> str | None:
    """Return an optional text that is not empty."""
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise ConfigurationError(f"{name} must be a text that is not empty, got {value!r}")
    return value


def _checked_tags(tags: Mapping[str, str] | None) -> dict[str, str] | None:
    """Return tags by name."""
    if tags is None:
        return None
    require_instance("tags", tags, Mapping)
    for name, value in tags.items():
        if not isinstance(name, str) or not name or not isinstance(value, str):
            raise ConfigurationError(f"tags must be texts by name, got {name!r}: {value!r}")
    return dict(tags)
