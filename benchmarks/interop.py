"""``python -m benchmarks.interop``: every layer in every format, beside the library.

Prints a table: the largest absolute difference of 64 rows of outputs, which are of the order of 1.
Weights, running statistics and rows are random. A layer with several cases has the largest.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from tests.helpers.random_networks import SINGLE_LAYERS, random_model

from handloom import to_numpy, to_onnx, to_torch
from handloom.interop.exported import Exported

FORMATS: dict[str, Callable[..., Exported]] = {
    "ONNX": to_onnx,
    "ONNX, opset 21": partial(to_onnx, opset=21),
    "PyTorch": to_torch,
    "NumPy": to_numpy,
}
"""The functions that write and compare a file, by the name of the format."""


def differences(write: Callable[..., Exported], dtype: str = "float32") -> dict[str, float | None]:
    """Return the largest difference of a format by layer; None where nothing can be compared.

    Parameters
    ----------
    write : callable
        As `handloom.to_onnx`.
    dtype : {"float32", "float64"}
    """
    rng = np.random.default_rng(0)
    largest: dict[str, float | None] = {}
    with TemporaryDirectory() as folder:
        for name, (shape, layers) in SINGLE_LAYERS.items():
            kind = next(layer.kind for layer in layers if name.startswith(layer.kind))
            model = random_model(shape, layers, rng, dtype=dtype)
            difference = write(model, Path(folder) / "model.py").largest_difference
            before = largest.get(kind, 0.0)
            unknown = difference is None or before is None
            largest[kind] = None if unknown else max(difference or 0.0, before or 0.0)
    return largest


def table() -> str:
    """Return the table in Markdown: a row for each layer, a column for each format and dtype."""
    columns = {
        f"{name}, {dtype}": differences(write, dtype)
        for name, write in FORMATS.items()
        for dtype in ("float32", "float64")
    }
    lines = [f"| layer | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for kind in next(iter(columns.values())):
        cells = [_shown(column[kind]) for column in columns.values()]
        lines.append(f"| `{kind}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _shown(difference: float | None) -> str:
    return "-" if difference is None else "0" if difference == 0.0 else f"{difference:.0e}"


if __name__ == "__main__":
    print(table())
