"""A model as a PyTorch module: a file of Python to read, and a state dict beside it."""

from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.errors import ConfigurationError, MissingExtraError, ModelError
from handloom.files import read_bytes, write_bytes
from handloom.interop.compared_rows import compared_rows
from handloom.interop.exported import Exported
from handloom.interop.models import model_of
from handloom.interop.replaced import require_replaceable
from handloom.interop.source.description import figures_of
from handloom.interop.source.module_names import module_name
from handloom.interop.source.rows import as_plain_rows, unlike_rows_expected
from handloom.interop.torch.modules import imported
from handloom.interop.torch.program import LAYERS, program
from handloom.interop.torch.sources import source_of_chain
from handloom.model import Model
from handloom.training.loaded_run import LoadedRun


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
        ``"model"`` or ``"model.py"``; the weights have the same name with ``.safetensors``. An
        earlier export is replaced, another file never.
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
        method ``to_torch``, see `handloom.interop.torch.ModuleSource`. Nothing is written then, nor
        if the source that it returned does not run.
    FileError
        If a file cannot be written, or is another one than an earlier export.

    Notes
    -----
    The comparison runs the text that is written then, and no other code.
    """
    from safetensors.numpy import save  # imported when a model is saved, not with the package

    own, figures = model_of(model), figures_of(model)
    code, weights = paths_of(Path(path))
    for file in (code, weights):
        require_replaceable(file)
    network = own.before_loss
    source = source_of_chain(network.named_layers(), network.input_shape)
    state = {f"{LAYERS}.{name}": each for name, each in source.state.items()}
    arrays = save(state, {"producer": "handloom"})
    text = program(
        own,
        source,
        module=module_name(code),
        weights=weights.name,
        digest=sha256(arrays).hexdigest(),
        figures=figures,
    )
    compared = compared_rows(own, rows)  # refuses rows before a file is written
    content = {weights: arrays, code: text.encode()}
    predictions = _predictions(content, code, as_plain_rows(compared.rows, own.columns))
    _write_both(content)
    if predictions is None:
        reason = (
            "PyTorch is not installed. Where it is, export again, or compare load().predict(rows) "
            "of the file with Model.predict(rows)"
        )
        return Exported(code, "torch", not_compared=reason, other_files=(weights,))
    return Exported(code, "torch", *compared.figures(predictions), other_files=(weights,))


def paths_of(path: Path) -> tuple[Path, Path]:
    """Return the paths of the Python file and of the weights beside it."""
    if not path.name:
        raise ConfigurationError(f"path must be the name of a file, got {str(path)!r}")
    known = (".py", ".safetensors")
    code = path.with_suffix(".py") if path.suffix in known else path.with_name(f"{path.name}.py")
    return code, code.with_suffix(".safetensors")


def _predictions(
    content: Mapping[Path, bytes], code: Path, rows: object
) -> npt.NDArray[np.floating] | None:
    """Return the predictions of both files, in a temporary folder; None without PyTorch."""
    try:
        imported()
    except MissingExtraError:
        return None
    with TemporaryDirectory() as folder:
        for path, each in content.items():
            write_bytes(Path(folder) / path.name, each)
        namespace: dict[str, Any] = {
            "__name__": code.stem,
            "__file__": str(Path(folder) / code.name),
        }
        try:
            exec(compile(content[code], str(code), "exec"), namespace)
            with unlike_rows_expected():
                return np.asarray(namespace["load"]().predict(rows).numpy())
        except Exception as error:
            raise ModelError(
                f"{code} does not run: {error!r}: the source that to_torch of a layer returns may "
                "use torch, nn and builtins only, and its state must be that of its module"
            ) from error


def _write_both(content: Mapping[Path, bytes]) -> None:
    """Write files; if one of them cannot be written, put back those that were there before.

    If the process is killed between them, or nothing can be put back, ``load()`` of the earlier
    code refuses the new weights.
    """
    before = {path: read_bytes(path) if path.exists() else None for path in content}
    try:
        for path, each in content.items():
            write_bytes(path, each)
    except BaseException:
        for path, earlier in before.items():
            with suppress(OSError):
                _put_back(path, earlier)
        raise


def _put_back(path: Path, earlier: bytes | None) -> None:
    """Write the earlier content of a file; if there was no file, remove it."""
    if earlier is None:
        path.unlink(missing_ok=True)
    else:
        write_bytes(path, earlier)
