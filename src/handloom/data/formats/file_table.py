"""FileTable: the common part of tables in files, their path and names."""

from dataclasses import dataclass
from pathlib import Path

from handloom.data.decimal_mark import DecimalMark

MAX_COLUMNS = 100_000
"""The largest number of columns of a file."""

CELLS = 1 << 18
"""The number of cells of a chunk."""


@dataclass(frozen=True)
class FileTable:
    """A table in a file.

    Parameters
    ----------
    path : Path
    """

    path: Path

    @property
    def name(self) -> str:
        """The name of the file without its suffix."""
        return self.path.stem

    @property
    def where(self) -> str:
        """The path and a colon, for errors."""
        return f"{self.path}: "

    @property
    def decimal_mark(self) -> DecimalMark | None:
        """The decimal mark of numbers that are written as text; by default there are none."""
        return None
