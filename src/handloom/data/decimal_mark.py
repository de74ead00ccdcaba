"""DecimalMark: the decimal mark of the numbers in a CSV file, a part of `Columns`."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from handloom.data.notes import Tell
from handloom.errors import ConfigurationError, require_known

Mark = Literal[",", "."]

ENTRIES = ("mark", "with_points")


@dataclass(frozen=True)
class DecimalMark:
    """The decimal mark of the numbers in a CSV file, in which the other one separates thousands.

    A later file may hold the same columns without a number that shows it: ``8.623`` is 8623 in a
    column whose file had decimal commas elsewhere.

    Parameters
    ----------
    mark : {",", "."}
    with_points : tuple of str
        The columns that have decimal points in a file with decimal commas.

    Raises
    ------
    ConfigurationError
        If a value is invalid.
    """

    mark: Mark
    with_points: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_known("decimal mark", self.mark, (",", "."))
        if not all(isinstance(each, str) for each in self.with_points):
            raise ConfigurationError("with_points of the decimal mark must be texts")

    def is_comma(self, column: str) -> bool:
        """Return whether the numbers of a column have decimal commas, and points in thousands."""
        return self.mark == "," and column not in self.with_points

    def to_json(self) -> dict[str, Any]:
        """Return the mark as a JSON object."""
        return {**asdict(self), "with_points": list(self.with_points)}

    @classmethod
    def from_json(cls, values: object) -> Self:
        """Return the mark that `to_json` described.

        Raises
        ------
        ConfigurationError
            If a value is missing, unknown or invalid.
        """
        if not isinstance(values, dict) or set(values) != set(ENTRIES):
            raise ConfigurationError(
                f"the decimal mark must hold {', '.join(ENTRIES)}, got {values!r:.200}"
            )
        if not isinstance(values["with_points"], list):
            raise ConfigurationError("with_points of the decimal mark must be a list")
        return cls(values["mark"], tuple(values["with_points"]))


def tell_of_other_mark(
    mark: Mark, example: str, known: DecimalMark | None, where: str, tell: Tell
) -> None:
    """Tell that a file has another decimal mark than that of the training rows."""
    if known is None or known.mark == mark:
        return
    spelled = {",": "commas", ".": "points"}
    other = spelled[known.mark]
    tell(
        f"{where}numbers such as {example!r} have decimal {spelled[mark]}, unlike the training "
        f"rows, which had decimal {other}: all numbers of the file are read so, with {other} "
        "between thousands"
    )
