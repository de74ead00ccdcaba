"""A model as a PyTorch module: a file of Python to read, and a state dict beside it."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.errors import MissingExtraError, require_instance
from handloom.files import write_bytes
from handloom.interop.exported import Exported
from handloom.interop.torch.modules import imported
from handloom.interop.torch.program import program
from handloom.interop.torch.sources import source_of_chain
from handloom.model import Model

PREFIX = "layers"
"""The attribute of the network in the file that holds its layers."""

COMPARED = 64
"""The number of made-up rows whose predictions are compared."""


def to_torch(model: Model, path: str | Path, *, rows: object = None) -> Exported:
    """Write a model as a readable module of plain PyTorch, and its weights as a state dict.

    ``model.py`` has the layers as PyTorch's own modules, the preparation of rows, and ``load()``,
    whose result has ``predict(rows)``; it imports PyTorch and safetensors alone. The weights are in
    ``model.safetensors``, by PyTorch's names and in its order of axes. Dropout stays, so that the
    training can go on there. The momentum of its batch norm is one minus ours.

    Parameters
    ----------
    model : Model
    path : path
        ``"model"`` or ``"model.py"``; the weights have the same name with ``.safetensors``. Earlier
        files are replaced.
    rows : array-like, shape (n, ...), optional
        Rows as `handloom.Model.predict` takes them, whose predictions are compared, where PyTorch
        is installed. By default there are made-up ones.

    Returns
    -------
    Exported
        The written files, and the largest difference between predictions.

    Raises
    ------
    ModelError
        If a layer or the transform has no counterpart in PyTorch; a layer of your own brings a
        method ``to_torch``, see `handloom.interop.torch.ModuleSource`.
    FileError
        If a file cannot be written.

    Notes
    -----
    The comparison runs the text that was written, and no other code.
    """
    require_instance("model", model, Model)
    code = _path_of_code(Path(path))
    weights = code.with_suffix(".safetensors")
    network = model.before_loss
    source = source_of_chain(network.named_layers(), network.input_shape)
    text = program(model, source, weights.name)
    from safetensors.numpy import save  # imported when a model is saved, not with the package

    state = {f"{PREFIX}.{name}": array for name, array in source.state.items()}
    write_bytes(weights, save(state))
    write_bytes(code, text.encode())
    return _compared(model, code, text, weights, rows)


def _path_of_code(path: Path) -> Path:
    """Return the path of the Python file."""
    known = (".py", ".safetensors")
    return path.with_suffix(".py") if path.suffix in known else path.with_name(f"{path.name}.py")


def _compared(model: Model, code: Path, text: str, weights: Path, rows: object) -> Exported:
    """Compare predictions of the written files with those of the model."""
    try:
        imported()
    except MissingExtraError:
        reason = "PyTorch is not installed"
        return Exported(code, "torch", not_compared=reason, other_files=(weights,))
    raw = made_up_rows(model) if rows is None else rows
    expected = model.predict(raw)
    names: dict[str, Any] = {"__name__": code.stem, "__file__": str(code)}
    exec(compile(text, str(code), "exec"), names)
    predicted = names["load"]().predict(raw).numpy()
    difference = float(np.abs(predicted - expected).max(initial=0.0))
    return Exported(code, "torch", len(expected), difference, other_files=(weights,))


def made_up_rows(model: Model, count: int = COMPARED) -> npt.NDArray[np.generic]:
    """Return random rows of the shape and dtype of a model's data."""
    generator, shape = np.random.default_rng(0), (count, *model.row_shape)
    if model.row_dtype == "uint8":
        return generator.integers(0, 256, shape, np.uint8)
    rows = generator.standard_normal(shape).astype(model.row_dtype)
    for layer in model.network.layers[:1]:
        for column, categories in getattr(layer, "columns", {}).items():
            rows[:, column] = generator.integers(0, categories + 2, count)
    return rows
