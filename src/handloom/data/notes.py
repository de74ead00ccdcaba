"""Notes about data: what a user should know about how it was read."""

import warnings
from collections.abc import Callable

from handloom.errors import DataWarning

Tell = Callable[[str], None]
"""Called with a note: mixed or turned images, skipped files."""


def warn(note: str) -> None:
    """Issue a note as a `DataWarning`."""
    warnings.warn(note, DataWarning, stacklevel=5)  # where open_folder was called
