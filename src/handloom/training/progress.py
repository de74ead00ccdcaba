"""Progress of a training: epochs and steps done, and sums of the current epoch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from numbers import Real
from typing import Any, Self

from handloom.errors import ModelError
from handloom.training.objective import Measurement


@dataclass
class TrainingProgress:
    """Epochs and steps done, with the running sums of the current epoch.

    Attributes
    ----------
    epoch : int
        The current epoch, counted from 0; the number of complete epochs.
    steps : int
        The number of optimizer steps since training began.
    epoch_steps : int
        The number of optimizer steps of the current epoch.
    data_loss, penalty : float
        Sums over these steps, each weighted by the sum of its sample weights.
    weight : float
        The sum of the sample weights.
    correct, rows : int
        The number of correct predictions, and of rows.
    seconds : float
        The time the epoch has taken.
    gradient_norm, learning_rate : float or None
        The l2 norm of the latest step's gradient, before clipping, and its rate; None before the
        first step.
    begun : bool
        Whether `Callback.on_epoch_begin` has been called.
    recorded : dict of str to float
        Metrics that callbacks recorded in the epoch; see `TrainingState.record`.
    """

    epoch: int = 0
    steps: int = 0
    epoch_steps: int = 0
    data_loss: float = 0.0
    penalty: float = 0.0
    weight: float = 0.0
    correct: int = 0
    rows: int = 0
    seconds: float = 0.0
    gradient_norm: float | None = None
    learning_rate: float | None = None
    begun: bool = False
    recorded: dict[str, float] = field(default_factory=dict)

    def add(self, measured: Measurement, rate: float) -> None:
        """Count a step."""
        self.steps += 1
        self.epoch_steps += 1
        self.data_loss += measured.data_loss * measured.weight
        self.penalty += measured.penalty * measured.weight
        self.weight += measured.weight
        self.correct += measured.correct
        self.rows += measured.rows
        self.gradient_norm, self.learning_rate = measured.gradient_norm, rate

    def means(self) -> tuple[float, float, float]:
        """Return the mean data loss, the mean penalty and the accuracy of the epoch so far."""
        return (
            self.data_loss / self.weight,
            self.penalty / self.weight,
            self.correct / self.rows,
        )

    def next_epoch(self) -> "TrainingProgress":
        """Return the progress at the beginning of the next epoch."""
        return TrainingProgress(
            self.epoch + 1,
            self.steps,
            gradient_norm=self.gradient_norm,
            learning_rate=self.learning_rate,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: object) -> Self:
        """Return the progress that `to_json` described.

        Raises
        ------
        ModelError
            If a field is missing, unknown or of another type, or a count is negative.
        """
        fresh = cls()
        names = asdict(fresh)
        if not isinstance(values, Mapping) or set(values) != set(names):
            raise ModelError(f"the progress of a training must have the fields {', '.join(names)}")
        for name, value in values.items():
            if not _fits(value, names[name]):
                raise ModelError(
                    f"the progress's {name} is invalid: "
                    f"expected {_expected(names[name])}, got {value!r}"
                )
        return cls(**{**values, "recorded": dict(values["recorded"])})


def _fits(value: object, default: object) -> bool:
    """Return whether a value is of the type of its field's default."""
    if default is None:
        return value is None or isinstance(value, float)
    if isinstance(default, dict):
        return isinstance(value, Mapping) and all(_is_number(each) for each in value.values())
    if type(value) is not type(default):
        return False
    return not isinstance(value, int) or value >= 0


def _expected(default: object) -> str:
    """Return the description of the values that `_fits` accepts."""
    if default is None:
        return "a float or None"
    if isinstance(default, dict):
        return "a mapping to numbers"
    return "a count" if type(default) is int else f"a {type(default).__name__}"


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
