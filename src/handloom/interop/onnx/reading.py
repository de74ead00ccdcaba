"""from_onnx: from a file that to_onnx wrote back to the same model, to the bit."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from handloom.data.transforms import Transform
from handloom.errors import HandloomError, ModelError
from handloom.files import FileError, read_bytes, readable_size
from handloom.interop.onnx.files import require_package
from handloom.interop.onnx.graph import ELEMENT_TYPES, numbered
from handloom.interop.onnx.images import FILTERS_LAST
from handloom.interop.onnx.metadata import DIGEST, digest, files_of
from handloom.layers import Conv2D, Layer, Residual
from handloom.layers.building import shape_of
from handloom.layers.chain import Chain
from handloom.layers.configuration import layers_from_config
from handloom.model import DESCRIPTION, Model
from handloom.parameters import Array, ParameterSpec

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

MAX_FILE_BYTES = (1 << 31) - 1
"""The largest file that is read; the format ends there."""

FIELDS = {
    "float32": "float_data",
    "float64": "double_data",
    "int32": "int32_data",
    "int64": "int64_data",
}
"""The dtypes of arrays that are read, and the field of a tensor whose content is not raw bytes."""

DTYPES = {ELEMENT_TYPES[dtype]: dtype for dtype in FIELDS}
"""The same dtypes by their numbers in files."""


def from_onnx(
    path: str | Path,
    *,
    layers: Mapping[str, type[Layer]] | None = None,
    transforms: Mapping[str, type[Transform]] | None = None,
) -> Model:
    """Read a model from a file that `handloom.to_onnx` wrote.

    The description of the model is in the metadata of the file, the weights are arrays of its
    graph; they have the same bits as those that were written, if their dtype was not changed. The
    nodes of the graph are not read, and nothing in the file is executed.

    Parameters
    ----------
    path : path
    layers : mapping of str to Layer class, optional
        Custom layers, by their names in the file.
    transforms : mapping of str to class, optional
        Custom transforms, by their names in the file.

    Returns
    -------
    Model

    Raises
    ------
    MissingExtraError
        If the package onnx is not installed.
    FileError
        If the file cannot be read.
    ModelError
        If it was not written by `handloom.to_onnx`, or is damaged.
    """
    proto = read_proto(path)
    try:
        metadata = {each.key: each.value for each in proto.metadata_props}
        files = files_of(metadata)
        arrays = _arrays(proto, files, layers)
        if digest(files, arrays) != metadata.get(DIGEST):
            raise ModelError("the weights or the description were changed after they were written")
    except HandloomError as error:
        raise ModelError(f"{path}: {error}") from None
    return Model.from_files(files, path, arrays=arrays, layers=layers, transforms=transforms)


def read_proto(path: str | Path) -> "ModelProto":
    """Return the content of a file of ONNX as it stands there, without the arrays of other files.

    Raises
    ------
    FileError
        If it cannot be read, or is too large.
    ModelError
        If it is damaged, or no file of ONNX.
    """
    require_package()
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    path = Path(path)
    size = readable_size(path)
    if size > MAX_FILE_BYTES:
        raise FileError(f"{path}: {size:,} bytes, expected at most {MAX_FILE_BYTES:,}")
    proto = ModelProto()
    try:
        proto.ParseFromString(read_bytes(path))
    except (DecodeError, RecursionError) as error:
        raise ModelError(f"{path} is damaged, or no file of ONNX: {error}") from None
    if not proto.HasField("graph"):
        raise ModelError(f"{path} is no file of ONNX: it has no graph")
    if not _has_texts(proto):
        raise ModelError(f"{path} is damaged: a name or a text in it is not UTF-8")
    return proto


def _has_texts(message: Any) -> bool:
    """Return whether all texts of a message are UTF-8; protobuf returns others as bytes."""
    for field, value in message.ListFields():
        values = (
            [value] if isinstance(value, str | bytes) or hasattr(value, "ListFields") else value
        )
        if field.type == field.TYPE_STRING and any(isinstance(each, bytes) for each in values):
            return False
        if field.type == field.TYPE_MESSAGE and not all(map(_has_texts, values)):
            return False
    return True


def array_of(tensor: "TensorProto") -> npt.NDArray[Any]:
    """Return an array of a file, after a check that its content is as large as its shape claims.

    Raises
    ------
    ModelError
        If it is not, the array is in another file, or its dtype is another than those of `DTYPES`.
    """
    if tensor.external_data or tensor.data_location or tensor.HasField("segment"):
        raise ModelError(f"array {tensor.name!r} is in another file, which is not read")
    if tensor.data_type not in DTYPES:
        raise ModelError(
            f"array {tensor.name!r} must be float32, float64, int32 or int64, got the type "
            f"{tensor.data_type} of ONNX"
        )
    name, shape = DTYPES[tensor.data_type], tuple(tensor.dims)
    dtype = np.dtype(name).newbyteorder("<")
    if tensor.HasField("raw_data"):
        content: bytes | npt.NDArray[Any] = tensor.raw_data
    else:
        content = np.array(getattr(tensor, FIELDS[name]), dtype).tobytes()
    entries = 1
    for size in shape:
        entries *= max(size, 0)
    if min(shape, default=0) < 0 or entries * dtype.itemsize != len(content):
        raise ModelError(
            f"array {tensor.name!r} of {name} of shape {shape} must have "
            f"{entries * dtype.itemsize:,} bytes, got {len(content):,}"
        )
    try:
        return np.frombuffer(content, dtype).reshape(shape).astype(name)
    except ValueError as error:  # such as of too many axes
        raise ModelError(f"array {tensor.name!r}: {error}") from None


def _arrays(
    proto: "ModelProto", files: Mapping[str, bytes], layers: Mapping[str, type[Layer]] | None
) -> dict[str, Array]:
    """Return the weights of the described network, from the arrays of their names."""
    try:
        config = json.loads(files[DESCRIPTION])["network"]
        chain = Chain(layers_from_config(list(config["layers"]), layers))
        specs = chain.declare(shape_of(config["input_shape"]))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, HandloomError) else repr(error)
        raise ModelError(f"invalid description of a network: {reason}") from None
    inputs = {each.name for each in proto.graph.input}
    tensors = {tensor.name: tensor for tensor in proto.graph.initializer}
    turned = {f"{name}.weights" for name, layer in _all_layers(chain) if type(layer) is Conv2D}
    # a column of a table may have the name of an array, which then has a number
    own = {name: next(each for each in numbered(name) if each not in inputs) for name in specs}
    return {name: _array(name, own[name], spec, tensors, turned) for name, spec in specs.items()}


def _array(
    name: str,
    own: str,
    spec: ParameterSpec,
    tensors: Mapping[str, "TensorProto"],
    turned: Iterable[str],
) -> Array:
    if own not in tensors:
        raise ModelError(f"array {name!r} of shape {spec.shape} is missing")
    array = array_of(tensors[own])
    return array.transpose(FILTERS_LAST) if name in turned and array.ndim == 4 else array


def _all_layers(chain: Chain, prefix: str = "") -> Iterator[tuple[str, Layer]]:
    """Yield all layers with the prefixes of their arrays, those inside of others too."""
    for name, layer in chain.named:
        yield f"{prefix}{name}", layer
        if type(layer) is Residual:
            for branch, own in layer.branches.items():
                yield from _all_layers(own, f"{prefix}{name}.{branch}.")
