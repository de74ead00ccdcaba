"""State dicts: arrays by PyTorch's names, from a mapping or a safetensors file.

Nothing unpickles.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handloom.errors import ModelError
from handloom.files import read_bytes, readable_size
from handloom.interop.torch.arrays import COUNTER
from handloom.parameters import Array

FLOATS = ("float16", "float32", "float64")

PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl")

CONVERT = (
    "PyTorch's files of this kind are pickles, which can run any code as they are read. Convert it "
    "where you trust it: safetensors.torch.save_file(torch.load(path, weights_only=True), "
    '"model.safetensors")'
)


def read_state(source: Any) -> dict[str, Array]:
    """Return the arrays of a state dict, by name and in its order, without the counters.

    Parameters
    ----------
    source : mapping, path or module
        A state dict: arrays or tensors by name; the path of a safetensors file; or a module, whose
        ``state_dict()`` is taken.

    Returns
    -------
    dict of str to array
        Each of float16, float32 or float64. How many batches a batch norm has seen
        (``num_batches_tracked``) is left out: nothing of ours depends on it.

    Raises
    ------
    ModelError
        If it is none of these, an array is of another dtype, or a value is not finite.
    FileError
        If the file cannot be read.
    """
    if isinstance(source, str | Path):
        source = _read_file(Path(source))
    elif not isinstance(source, Mapping) and callable(getattr(source, "state_dict", None)):
        source = source.state_dict()
    if not isinstance(source, Mapping):
        raise ModelError(
            "source must be a state dict (a mapping of names to arrays or tensors), the path of a "
            f"safetensors file or a PyTorch module, got {type(source).__name__}"
        )
    names = [name for name in source if not _is_counter(name)]
    return {str(name): _as_array(str(name), source[name]) for name in names}


def _is_counter(name: object) -> bool:
    return str(name).rpartition(".")[2] == COUNTER


def _read_file(path: Path) -> Mapping[str, object]:
    """Return the arrays of a safetensors file."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if path.suffix.lower() in PICKLES:
        raise ModelError(f"{path}: expected a safetensors file. {CONVERT}")
    readable_size(path)  # refuses a pipe, which could block forever
    content = read_bytes(path)
    try:
        return dict(sorted(load(content).items()))  # a file keeps no order
    except KeyError as error:  # a dtype that NumPy does not have
        raise ModelError(
            f"{path}: arrays must be float16, float32 or float64, got an array of {error.args[0]}: "
            "convert them with module.float() before they are saved"
        ) from None
    except (SafetensorError, TypeError, ValueError, OverflowError, MemoryError) as error:
        pickled = content.startswith((b"PK", b"\x80"))
        advice = f". {CONVERT}" if pickled else ""
        raise ModelError(f"{path}: not a valid safetensors file: {error}{advice}") from None


def _as_array(name: str, values: Any) -> Array:
    """Return an array or a tensor as an array of finite values."""
    if callable(getattr(values, "detach", None)):  # a tensor, perhaps of another device
        if str(values.dtype).removeprefix("torch.") not in FLOATS:
            raise ModelError(_wrong_dtype(name, values.dtype))
        values = values.detach().cpu().numpy()
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise ModelError(f"array {name!r}: expected an array or a tensor: {error}") from None
    if array.dtype.name not in FLOATS:
        raise ModelError(_wrong_dtype(name, array.dtype))
    if not np.isfinite(array).all():
        raise ModelError(f"array {name!r} must be finite, got NaN or infinity")
    if name.rpartition(".")[2] == "running_var" and (array < 0.0).any():
        raise ModelError(f"array {name!r} must hold variances of at least 0, got {array.min():g}")
    return array


def _wrong_dtype(name: str, dtype: object) -> str:
    return (
        f"array {name!r} must be float16, float32 or float64, got {dtype}: "
        "convert its module with module.float()"
    )
