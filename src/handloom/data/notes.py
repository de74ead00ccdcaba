"""Notes about data: remarks for the user about how it was read."""

from collections.abc import Callable

from handloom import secondary
from handloom.errors import DataWarning

Tell = Callable[[str], None]
"""Called with a note: mixed or turned images, skipped files."""


def warn(note: str) -> None:
    """Issue a note as a `DataWarning`, at the line that called the library."""
    secondary.warn(note, DataWarning)
