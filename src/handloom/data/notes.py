"""Notes about data: remarks for the user about how it was read."""

import inspect
import warnings
from collections.abc import Callable

from handloom.errors import DataWarning

Tell = Callable[[str], None]
"""Called with a note: mixed or turned images, skipped files."""


def warn(note: str) -> None:
    """Issue a note as a `DataWarning`, at the line that called the library."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("handloom."):
        level, frame = level + 1, frame.f_back
    warnings.warn(note, DataWarning, stacklevel=max(2, level))
