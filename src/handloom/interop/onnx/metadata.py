"""Metadata: the texts about a model in a file of ONNX, from which the same model is made."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from handloom.errors import ModelError
from handloom.model import DESCRIPTION, Model
from handloom.parameters import Array

FORMAT, FORMAT_VERSION = "handloom.format", "1"
DIGEST = "handloom.sha256"
PREFIX = "handloom.file."
"""In front of the name of each file of a saved model that is in the metadata."""

PROBABILITIES = ("softmax", "sigmoid")
"""The output activations whose values are probabilities."""


def predictions_name(model: Model) -> str:
    """Return the name of the output with the predictions, ``"probabilities"`` or ``"values"``."""
    activations = (model.output_activation, model.network.output_activation)
    return "probabilities" if {*activations} & {*PROBABILITIES} else "values"


def metadata_of(model: Model, dtype: npt.DTypeLike) -> dict[str, str]:
    """Return the texts about a model whose weights are written in a dtype.

    Raises
    ------
    ConfigurationError
        If a layer or the transform cannot be made again from its configuration.
    """
    files = model.description_files()
    config = json.loads(files[DESCRIPTION])
    config["network"]["dtype"] = str(np.dtype(dtype))
    files[DESCRIPTION] = json.dumps(config, allow_nan=False).encode()
    arrays = {name: array.astype(dtype) for name, array in model.network.parameters.weights.items()}
    names = model.classes or model.class_names
    kind = "class_names" if predictions_name(model) == "probabilities" else "output_names"
    return {
        kind: json.dumps(list(names)),
        FORMAT: FORMAT_VERSION,
        DIGEST: digest(files, arrays),
        **{f"{PREFIX}{name}": _text(name, content) for name, content in files.items()},
    }


def files_of(metadata: Mapping[str, str]) -> dict[str, bytes]:
    """Return the files of a saved model from the metadata that `metadata_of` returned.

    Raises
    ------
    ModelError
        If they are of another program or version.
    """
    version = metadata.get(FORMAT)
    if version is None:
        raise ModelError(
            "it has no description of a model of Handloom: it was not written by to_onnx. "
            "handloom.interop.onnx.network_from_onnx reads the layers of other files"
        )
    if version != FORMAT_VERSION:
        raise ModelError(
            f"version {version!r} of the description, expected {FORMAT_VERSION!r}: update Handloom"
        )
    return {
        name.removeprefix(PREFIX): _content(name, text)
        for name, text in metadata.items()
        if name.startswith(PREFIX)
    }


def digest(files: Mapping[str, bytes], arrays: Mapping[str, Array]) -> str:
    """Return the SHA-256 of the description and the arrays of a model, in any order."""
    total = hashlib.sha256()
    for name, content in sorted(files.items()):
        total.update(f"{name} {len(content)} ".encode() + content)
    for name, array in sorted(arrays.items()):
        total.update(f"{name} {array.dtype} {array.shape} ".encode())
        total.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).data)
    return total.hexdigest()


def _text(name: str, content: bytes) -> str:
    """Return JSON as it is, and other files in base64."""
    return content.decode() if name.endswith(".json") else base64.b64encode(content).decode()


def _content(name: str, text: str) -> bytes:
    if name.endswith(".json"):
        return text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ModelError(f"its metadata {name!r} is damaged: {error}") from None
