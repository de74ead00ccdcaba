"""What training measured, epoch by epoch."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from handloom.errors import ModelError, require_known
from handloom.parallel.partition import LANES

if TYPE_CHECKING:
    from handloom.training.divergence import Divergence


class StopReason(StrEnum):
    """Why training ended."""

    @property
    def diverged(self) -> bool:
        """Whether a number was no longer finite."""
        return self.value.startswith("non_finite")

    MAX_EPOCHS = "max_epochs"
    EARLY_STOPPING = "early_stopping"
    NON_FINITE_LOSS = "non_finite_loss"
    NON_FINITE_GRADIENT = "non_finite_gradient"
    NON_FINITE_WEIGHTS = "non_finite_weights"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class EpochRecord:
    """One epoch.

    Attributes
    ----------
    epoch : int
        Counted from 0.
    loss : float
        Data loss plus penalty. Like all training figures it comes from the training passes
        themselves: with one step an epoch it is measured before that step's update, with several
        it is their mean.
    data_loss, penalty : float
        The parts of the loss.
    accuracy : float or None
        The fraction of rows that were predicted right; None where they were not counted.
    learning_rate : float
        The rate of the epoch's last update.
    seconds : float
        How long the epoch took, validation included.
    validation_loss, validation_accuracy : float or None
        Measured after the epoch's last update, without penalty; None where nothing is held out,
        and as above.
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

    def values(self) -> tuple[float | None, ...]:
        """Return the figures in the order of `COLUMNS`."""
        return tuple(getattr(self, column) for column in COLUMNS)


COLUMNS = tuple(field.name for field in fields(EpochRecord))


class History:
    """The records of a training, in order, and why it ended.

    ``history["loss"]`` is a column as an array; iterating gives the records.

    Attributes
    ----------
    records : list of EpochRecord
    stop_reason : StopReason or None
        None while training goes on.
    backend : str
        What ran the arithmetic: ``"numpy"`` or ``"fused"``.
    lanes : int
        The number of lanes that work was cut for; results depend on it, and not on threads.
    preparation_seconds : float
        How long it took to load what runs, and to compile it where that was not done before.
    stopped_in : int or None
        The epoch that training did not complete, where it ended in the middle of one.
    divergence : Divergence or None
        Where the first number that was not finite came from.
    """

    def __init__(self) -> None:
        self.records: list[EpochRecord] = []
        self.stop_reason: StopReason | None = None
        self.backend = "numpy"
        self.lanes = LANES
        self.preparation_seconds = 0.0
        self.stopped_in: int | None = None
        self.divergence: Divergence | None = None

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[EpochRecord]:
        return iter(self.records)

    def __getitem__(self, column: str) -> npt.NDArray[np.float64]:
        """Return one column, shape (epochs,); NaN where nothing was measured.

        Raises
        ------
        ConfigurationError
            If there is no such column.
        """
        require_known("column", column, COLUMNS)
        values = [getattr(record, column) for record in self.records]
        return np.array([np.nan if value is None else value for value in values], np.float64)

    @property
    def validated(self) -> bool:
        """Whether rows were held out and measured."""
        return any(record.validation_loss is not None for record in self.records)

    def to_json(self) -> dict[str, object]:
        """Return everything as JSON can hold it."""
        return {
            "columns": list(COLUMNS),
            "records": [[_to_json(value) for value in record.values()] for record in self],
            "stop_reason": self.stop_reason,
            "backend": self.backend,
            "lanes": self.lanes,
            "preparation_seconds": self.preparation_seconds,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return a history from what `to_json` gave; an interruption is forgotten.

        Raises
        ------
        ModelError
            If it is not whole.
        """
        history = cls()
        try:
            if values["columns"] != list(COLUMNS):
                raise ModelError(f"a history must have the columns {', '.join(COLUMNS)}")
            for row in values["records"]:
                figures: list[Any] = [float(v) if isinstance(v, str) else v for v in row]
                history.records.append(EpochRecord(*figures))
            reason = values["stop_reason"]
            if reason == StopReason.EARLY_STOPPING:
                history.stop_reason = StopReason(reason)
            history.backend, history.lanes = str(values["backend"]), int(values["lanes"])
            history.preparation_seconds = float(values["preparation_seconds"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"not a whole history: {error}") from None
        return history

    def to_csv(self) -> str:
        """Return the records as CSV text: a header, then one line an epoch."""
        return csv_line(COLUMNS) + "".join(csv_line(record.values()) for record in self.records)


def _to_json(value: float | None) -> float | str | None:
    """Return a figure as JSON can hold it: NaN and infinity as their names."""
    return value if value is None or math.isfinite(value) else str(value)


def csv_line(values: Iterable[object]) -> str:
    """Return one line of CSV; None becomes an empty field."""
    return ",".join("" if value is None else str(value) for value in values) + "\n"
