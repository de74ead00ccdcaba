"""A model as a PyTorch module: a file of Python to read, and a state dict beside it."""

from pathlib import Path
from typing import Any

from handloom.errors import ConfigurationError, MissingExtraError
from handloom.files import write_bytes
from handloom.interop.compared_rows import ComparedRows, compared_rows
from handloom.interop.exported import Exported
from handloom.interop.models import model_of
from handloom.interop.source.description import figures_of
from handloom.interop.source.module_names import module_name
from handloom.interop.source.rows import as_plain_rows
from handloom.interop.torch.modules import imported
from handloom.interop.torch.program import program
from handloom.interop.torch.sources import source_of_chain
from handloom.model import Model
from handloom.training.loaded_run import LoadedRun

LAYERS = "layers"
"""The attribute of the network in the file that holds its layers."""


def to_torch(model: Model | LoadedRun, path: str | Path, *, rows: object = None) -> Exported:
    """Write a model as a readable module of plain PyTorch, and its weights as a state dict.

    ``model.py`` has the layers as PyTorch's own modules, the preparation of rows, and ``load()``,
    whose result has ``predict(rows)``; it imports PyTorch and safetensors alone. The weights are in
    ``model.safetensors``, by PyTorch's names and in its order of axes. Dropout stays, so that the
    training can go on there. The momentum of its batch norm is one minus ours, and it takes all
    rows of a batch, not groups of them.

    Parameters
    ----------
    model : Model or LoadedRun
    path : path
        ``"model"`` or ``"model.py"``; the weights have the same name with ``.safetensors``. Earlier
        files are replaced.
    rows : array-like, shape (n, ...), or frame, optional
        Rows as `handloom.Model.predict` takes them, whose predictions are compared, where PyTorch
        is installed. By default there are made-up ones.

    Returns
    -------
    Exported
        The written files, and the largest difference between predictions.

    Raises
    ------
    ConfigurationError
        If the file has the name of a module that would be imported in its place, as ``torch.py``.
    ModelError
        If a layer or the transform has no counterpart in PyTorch; a layer of your own brings a
        method ``to_torch``, see `handloom.interop.torch.ModuleSource`.
    FileError
        If a file cannot be written.

    Notes
    -----
    The comparison runs the text that was written, and no other code.
    """
    own, figures = model_of(model), figures_of(model)
    code = _path_of_code(Path(path))
    weights = code.with_suffix(".safetensors")
    network = own.before_loss
    source = source_of_chain(network.named_layers(), network.input_shape)
    text = program(own, source, module=module_name(code), weights=weights.name, figures=figures)
    compared = compared_rows(own, rows)  # refuses rows before an earlier file is replaced
    from safetensors.numpy import save  # imported when a model is saved, not with the package

    write_bytes(weights, save({f"{LAYERS}.{name}": each for name, each in source.state.items()}))
    write_bytes(code, text.encode())
    return _compared(compared, code, weights, text)


def _path_of_code(path: Path) -> Path:
    """Return the path of the Python file."""
    if not path.name:
        raise ConfigurationError(f"path must be the name of a file, got {str(path)!r}")
    known = (".py", ".safetensors")
    return path.with_suffix(".py") if path.suffix in known else path.with_name(f"{path.name}.py")


def _compared(compared: ComparedRows, code: Path, weights: Path, text: str) -> Exported:
    """Compare predictions of the written files with those of the model."""
    try:
        imported()
    except MissingExtraError:
        reason = "PyTorch is not installed"
        return Exported(code, "torch", not_compared=reason, other_files=(weights,))
    names: dict[str, Any] = {"__name__": code.stem, "__file__": str(code)}
    exec(compile(text, str(code), "exec"), names)
    difference = compared.difference(names["load"]().predict(as_plain_rows(compared.rows)).numpy())
    return Exported(code, "torch", len(compared), difference, other_files=(weights,))
