"""Training history: the metrics of every epoch, and the stop reason."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, astuple, dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from handloom.elsewhere import HISTORY, AdvisesOnNames
from handloom.errors import (
    ConfigurationError,
    HandloomError,
    ModelError,
    require_count,
    require_known,
    unknown_name,
)
from handloom.markup import render
from handloom.parallel.partition import LANES
from handloom.text import printable
from handloom.training.diagnosis import Diagnosis, ProbeRecord
from handloom.training.divergence import Divergence
from handloom.training.history_view import history_view

NAME = re.compile(r"[A-Za-z_][\w./-]*")
"""The name of a recorded metric: a word that CSV holds without quotes."""


class StopReason(StrEnum):
    """Why training ended."""

    @property
    def diverged(self) -> bool:
        """Whether a value was not finite."""
        return self.value.startswith("non_finite")

    @property
    def final(self) -> bool:
        """Whether a resume cannot continue the training."""
        return self is StopReason.EARLY_STOPPING

    @property
    def words(self) -> str:
        """The reason in words, for people."""
        return {
            "max_epochs": "all epochs done",
            "early_stopping": "early stopping",
            "interrupted": "interrupted",
            "time_limit": "time limit reached",
        }.get(self.value, f"the {self.value.removeprefix('non_finite_')} became NaN or infinite")

    MAX_EPOCHS = "max_epochs"
    EARLY_STOPPING = "early_stopping"
    NON_FINITE_LOSS = "non_finite_loss"
    NON_FINITE_GRADIENT = "non_finite_gradient"
    NON_FINITE_WEIGHTS = "non_finite_weights"
    TIME_LIMIT = "time_limit"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class EpochRecord:
    """The metrics of one epoch; ``record["loss"]`` is a metric by name, recorded ones included.

    Attributes
    ----------
    epoch : int
        Counted from 0.
    loss : float
        Data loss plus penalty. Like all training metrics it is measured in the training passes:
        with one step an epoch it is measured before that step's update, with several
        it is their mean.
    data_loss, penalty : float
        The parts of the loss.
    accuracy : float or None
        The fraction of correct predictions; None if they were not counted.
    learning_rate : float
        The rate of the epoch's last update.
    seconds : float
        The time the epoch took, validation included.
    validation_loss, validation_accuracy : float or None
        Measured after the epoch's last update, without penalty; None without validation rows, and
        as for ``accuracy``. The loss is weighted by class weights and weights of validation rows.
    recorded : mapping of str to float
        Metrics that callbacks recorded; see `TrainingState.record`.
    """

    epoch: int
    loss: float
    data_loss: float
    penalty: float
    accuracy: float | None
    learning_rate: float
    seconds: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    recorded: Mapping[str, float] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        """Return a metric.

        Raises
        ------
        ConfigurationError
            If it was neither measured nor recorded; the message names the metrics that were.
        """
        if name not in self.recorded and (name not in COLUMNS or getattr(self, name) is None):
            known = [each for each in COLUMNS if getattr(self, each) is not None]
            raise ConfigurationError(unknown_name("metric", name, [*known, *self.recorded]))
        return float(self.recorded[name] if name in self.recorded else getattr(self, name))

    def to_json(self) -> dict[str, Any]:
        """Return the metrics by name, as JSON."""
        metrics = {name: _to_json(getattr(self, name)) for name in COLUMNS}
        recorded = {name: _to_json(value) for name, value in self.recorded.items()}
        return {**metrics, "recorded": recorded}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the record that `to_json` described.

        Raises
        ------
        ModelError
            If a metric is missing or not a number.
        """
        metrics: dict[str, Any] = {name: _from_json(values[name]) for name in COLUMNS}
        empty = [name for name in COLUMNS if metrics[name] is None and name not in MAY_BE_NONE]
        if empty or not isinstance(metrics["epoch"], int) or metrics["epoch"] < 0:
            raise ModelError(f"invalid record of an epoch: {', '.join(empty) or metrics['epoch']}")
        recorded = {checked_name(n): _from_json(v) for n, v in values["recorded"].items()}
        return cls(**metrics, recorded={n: v for n, v in recorded.items() if v is not None})

    def values(self, columns: Iterable[str] | None = None) -> tuple[float | None, ...]:
        """Return the metrics of some columns, by default `COLUMNS`; None for a missing metric."""
        known = {**{name: getattr(self, name) for name in COLUMNS}, **self.recorded}
        return tuple(known.get(name) for name in columns or COLUMNS)


COLUMNS = tuple(each.name for each in fields(EpochRecord) if each.name != "recorded")
"""The metrics that every epoch has."""


MAY_BE_NONE = ("accuracy", "validation_loss", "validation_accuracy")


@dataclass(frozen=True)
class LayerRecord:
    """The l2 norms of one array of weights in one epoch; see `LayerNorms`.

    Attributes
    ----------
    epoch : int
    array : str
        The name of the array, such as ``"0.dense.weights"``.
    weights : float
        Of the weights after the epoch.
    gradient : float
        Of the gradient of the epoch's last step, penalty included, as it was used.
    update : float
        Of the change of the weights in the epoch.
    """

    epoch: int
    array: str
    weights: float
    gradient: float
    update: float


class History(AdvisesOnNames):
    """The records of a training, in order, and the reason why it ended.

    ``history["loss"]`` is a column as an array; iterating gives the records.

    Attributes
    ----------
    records : list of EpochRecord
    layer_norms : list of LayerRecord
        The l2 norms of each layer, if a callback such as `LayerNorms` measures them.
    notes : list of str
        Notes about the training, in sentences: if it diverged, where and the remedy; changes at a
        resume; and at the end findings about a training that does not work.
    stop_reason : StopReason or None
        The reason of the end; None while training goes on.
    backend : str
        The backend: ``"numpy"`` or ``"fused"``.
    compiled_steps : bool
        Whether whole steps ran compiled, many in one call; otherwise they ran layer by layer.
    lanes : int
        The number of lanes; results depend on it, and not on the number of threads.
    preparation_seconds : float
        The time to load the backend, and to compile it if it was not compiled before.
    ranks : int
        The number of processes that shared the training, since its last resume.
    communication_seconds : float
        The time since then that rank 0 has spent in messages to other ranks, and waiting for them.
    stopped_in : int or None
        The incomplete epoch in which training ended; None if it ended after a whole epoch.
    stopped_steps : int
        The number of steps of this epoch that were made.
    divergence : Divergence or None
        The first array that was not finite, if training diverged.
    diagnosis : Diagnosis or None
        Measurements of each layer on a few rows, after the epochs 1, 2, 4, 8, ... and the last one;
        None with ``diagnose=False``.
    """

    _elsewhere: ClassVar[Mapping[str, str]] = HISTORY

    def __init__(self) -> None:
        self.records: list[EpochRecord] = []
        self.layer_norms: list[LayerRecord] = []
        self.notes: list[str] = []
        self.stop_reason: StopReason | None = None
        self.backend, self.compiled_steps = "numpy", False
        self.lanes = LANES
        self.ranks = 1
        self.preparation_seconds = self.communication_seconds = 0.0
        self.stopped_in: int | None = None
        self.stopped_steps = 0
        self.divergence: Divergence | None = None
        self.diagnosis: Diagnosis | None = None

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[EpochRecord]:
        return iter(self.records)

    def __contains__(self, column: object) -> bool:
        """Return whether there is a column of this name, or a record."""
        return column in self.columns if isinstance(column, str) else column in self.records

    def __getitem__(self, column: str) -> npt.NDArray[np.float64]:
        """Return one column, shape (epochs,); NaN where the metric was not measured.

        Raises
        ------
        ConfigurationError
            If there is no such column.
        """
        require_known("column", column, self.columns)
        values = [record.values([column])[0] for record in self.records]
        return np.array([np.nan if value is None else value for value in values], np.float64)

    def __repr__(self) -> str:
        """Return how training ended, and the metrics of the last epoch."""
        names = ("loss", "accuracy", "validation_loss", "validation_accuracy")
        last = self.records[-1].values(names) if self.records else ()
        shown = [f"{n} {v:.4g}" for n, v in zip(names, last, strict=False) if v is not None]
        return printable(f"History({'; '.join([self.ended, *shown])})")

    @property
    def columns(self) -> tuple[str, ...]:
        """`COLUMNS`, and the names of recorded metrics in the order of their first appearance."""
        recorded = [name for record in self.records for name in record.recorded]
        return tuple(dict.fromkeys([*COLUMNS, *recorded]))

    @property
    def validated(self) -> bool:
        """Whether rows were held out and measured."""
        return any(record.validation_loss is not None for record in self.records)

    @property
    def ended(self) -> str:
        """How training ended, in words: ``"all 15 epochs done"``, or after how many and why."""
        epochs = "1 epoch" if len(self) == 1 else f"{len(self)} epochs"
        if self.stop_reason is None:
            return f"{epochs} done so far"
        if self.stop_reason is StopReason.MAX_EPOCHS:
            return f"{'all ' if len(self) > 1 else ''}{epochs} done"
        if self.divergence is not None:
            where = f"in epoch {self.divergence.epoch + 1} at step {self.divergence.step + 1}"
            return f"stopped after {epochs}: {self.stop_reason.words} {where}"
        if not self.records and self.stopped_steps:
            steps = "1 step" if self.stopped_steps == 1 else f"{self.stopped_steps:,} steps"
            return f"stopped in epoch 1 after {steps}: {self.stop_reason.words}"
        return f"stopped after {epochs}: {self.stop_reason.words}"

    @property
    def ran(self) -> str:
        """The backend of the steps in words, and how far they were compiled."""
        shared = f" on {self.ranks} ranks" if self.ranks > 1 else ""
        if self.backend != "fused":
            return f"backend {self.backend}{shared}"
        how = "whole steps compiled" if self.compiled_steps else "layer by layer"
        return f"backend fused{shared}, {how}"

    @property
    def layers(self) -> list[ProbeRecord]:
        """The measurements of each layer on a few rows: the records of ``diagnosis``, if any."""
        return [] if self.diagnosis is None else self.diagnosis.records

    def _repr_html_(self) -> str:
        """Return curves, the last epoch, the end and the notes, as a notebook shows them."""
        # a diagnosis of no rows has measured nothing
        guessing = self.diagnosis.guessing if self.diagnosis and self.diagnosis.rows else None
        columns = {name: self[name] for name in self.columns}
        return render(history_view(columns, self.ended, notes=self.notes, guessing=guessing))

    def to_json(self) -> dict[str, object]:
        """Return the history as JSON."""
        broken = None
        if self.divergence is not None:
            broken = {name: _to_json(value) for name, value in asdict(self.divergence).items()}
        return {
            "records": [record.to_json() for record in self.records],
            "layers": [[_to_json(value) for value in astuple(each)] for each in self.layer_norms],
            "notes": self.notes,
            "stop_reason": self.stop_reason,
            "stopped_in": self.stopped_in,
            "stopped_steps": self.stopped_steps,
            "divergence": broken,
            "diagnosis": None if self.diagnosis is None else self.diagnosis.to_json(),
            "backend": self.backend,
            "compiled_steps": self.compiled_steps,
            "lanes": self.lanes,
            "preparation_seconds": _to_json(self.preparation_seconds),
            "ranks": self.ranks,
            "communication_seconds": _to_json(self.communication_seconds),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the history that `to_json` described.

        Raises
        ------
        ModelError
            If an entry is missing or invalid.
        """
        history = cls()
        try:
            history.records = [EpochRecord.from_json(record) for record in values["records"]]
            for epoch, array, *norms in values["layers"]:
                history.layer_norms.append(LayerRecord(int(epoch), str(array), *map(float, norms)))
            history.notes = [str(note) for note in values["notes"]]
            reason, broken = values["stop_reason"], values["divergence"]
            history.stop_reason = None if reason is None else StopReason(reason)
            if values["stopped_in"] is not None:
                history.stopped_in = require_count("stopped_in", values["stopped_in"], minimum=0)
            steps = values.get("stopped_steps", 0)
            history.stopped_steps = require_count("stopped_steps", steps, minimum=0)
            if broken is not None:
                words: dict[str, Any] = {
                    name: str(broken[name]) for name in ("array", "dtype") if name in broken
                }
                metrics = {n: _from_json(v) for n, v in broken.items() if n not in words}
                history.divergence = Divergence(**{**metrics, **words})
            if (diagnosis := values.get("diagnosis")) is not None:
                history.diagnosis = Diagnosis.from_json(diagnosis)
            history.backend = str(values["backend"])
            history.compiled_steps = bool(values.get("compiled_steps", False))
            history.lanes = require_count("lanes", values["lanes"])
            history.preparation_seconds = float(_from_json(values["preparation_seconds"]) or 0.0)
            history.ranks = require_count("ranks", values.get("ranks", 1))
            seconds = _from_json(values.get("communication_seconds", 0.0))
            history.communication_seconds = float(seconds or 0.0)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            reason = str(error) if isinstance(error, HandloomError) else repr(error)
            raise ModelError(f"invalid history: {reason}") from None
        return history

    def to_csv(self) -> str:
        """Return the records as CSV text: a header, then one line an epoch."""
        columns = self.columns
        lines = [csv_line(columns), *(csv_line(record.values(columns)) for record in self.records)]
        return "".join(lines)


def checked_name(name: object) -> str:
    """Return the name of a metric.

    Raises
    ------
    ConfigurationError
        If it is not a word of letters, digits, and ``_ . / -``.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ConfigurationError(
            f"the name of a metric must be a word such as 'top5' or 'norm/0.dense', got {name!r}"
        )
    return name


def checked_number(name: str, value: object) -> float:
    """Return the value of a metric, which may be NaN or infinite.

    Raises
    ------
    ConfigurationError
        If it is not a number.
    """
    number = isinstance(value, int | float | np.integer | np.floating)
    if not number or isinstance(value, bool) or (isinstance(value, int) and abs(value) > 1e300):
        raise ConfigurationError(f"{name} must be a number, got {value!r}")
    return float(value)  # type: ignore[arg-type]


def _to_json(value: Any) -> Any:
    """Return a metric as JSON: NaN and infinity by name."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _from_json(value: object) -> int | float | None:
    """Return the metric that `_to_json` described.

    Raises
    ------
    ModelError
        If it is not a number.
    """
    if value in ("nan", "inf", "-inf"):
        return float(str(value))
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ModelError(f"a metric must be a number, got {value!r}")
    if isinstance(value, int):
        float(value)  # OverflowError if damaged
    return value


def csv_line(values: Iterable[object]) -> str:
    """Return one line of CSV; None becomes an empty field."""
    return ",".join("" if value is None else str(value) for value in values) + "\n"
