"""Raw rows as an exported file takes them: arrays, or lists of plain Python values."""

from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.data.table import MemoryTable


def as_plain_rows(
    rows: npt.NDArray[Any] | MemoryTable,
) -> npt.NDArray[Any] | dict[str, list[Any]]:
    """Return an array itself; of a table the values of each column, None where one is missing."""
    if isinstance(rows, np.ndarray):
        return rows
    return {
        name: [
            None if missing else value
            for value, missing in zip(column.values.tolist(), column.missing.tolist(), strict=True)
        ]
        for name, column in rows.chunk.columns.items()
    }
