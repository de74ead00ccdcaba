"""Where a training stands: the epoch, the step in it, and what the epoch has measured so far."""

from dataclasses import asdict, dataclass
from typing import Self

from handloom.errors import ModelError
from handloom.training.objective import Measured


@dataclass
class Position:
    """How far an epoch has come, with the running sums of its training figures.

    Attributes
    ----------
    epoch : int
        The epoch that is under way, counted from 0.
    steps : int
        How many of its updates have been made.
    data_loss, penalty : float
        The sums of the steps' figures, each times the weight of the step's rows.
    weight : float
        What the rows weigh together.
    correct, rows : int
        How many rows were predicted right, of how many.
    seconds : float
        How long it has taken until now.
    """

    epoch: int = 0
    steps: int = 0
    data_loss: float = 0.0
    penalty: float = 0.0
    weight: float = 0.0
    correct: int = 0
    rows: int = 0
    seconds: float = 0.0

    def add(self, measured: Measured) -> None:
        """Count a step that has been made."""
        self.steps += 1
        self.data_loss += measured.data_loss * measured.weight
        self.penalty += measured.penalty * measured.weight
        self.weight += measured.weight
        self.correct += measured.correct
        self.rows += measured.rows

    def means(self) -> tuple[float, float, float]:
        """Return data loss, penalty and accuracy of the epoch so far."""
        return (
            self.data_loss / self.weight,
            self.penalty / self.weight,
            self.correct / self.rows,
        )

    def to_json(self) -> dict[str, object]:
        """Return the figures by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: object) -> Self:
        """Return a position from what `to_json` gave.

        Raises
        ------
        ModelError
            If a figure is missing, unknown or of another type, or a count is negative.
        """
        names = asdict(cls())
        if not isinstance(values, dict) or set(values) != set(names):
            raise ModelError(f"a position must hold {', '.join(names)}")
        for name, value in names.items():
            given = values[name]
            if type(given) is not type(value) or (isinstance(value, int) and given < 0):
                raise ModelError(f"the position's {name} means nothing: {given!r}")
        return cls(**values)
