"""A trained network as JSON, which `scripts/network/network.js` runs in the page."""

import base64
import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.data.transforms import TRANSFORMS
from handloom.errors import ModelError
from handloom.layers import LAYERS, Conv2D, Embedding, Layer, Residual
from handloom.layers.windows import Windows
from handloom.model import Model
from handloom.network import Sequential
from handloom.parameters import Array
from handloom.predictions import OUTPUT_ACTIVATIONS

MAX_BYTES = 2_000_000
"""The largest size of a network in a page, in bytes of JSON."""

TOLERANCE = 1e-3
"""The largest difference of a prediction that weights in float16 may make."""

KINDS = frozenset(
    {
        *("dense", "conv2d", "batch_norm", "layer_norm"),
        *("max_pool2d", "average_pool2d", "global_average_pool2d"),
        *("relu", "leaky_relu", "elu", "tanh", "sigmoid", "silu", "gelu", "softmax"),
        *("dropout", "flatten", "reshape", "embedding", "residual"),
    }
)
"""The layers with a forward pass in JavaScript: the keys of ``FORWARD`` in `network.js`."""

OPTIONS = ("slope", "alpha", "epsilon", "size", "stride")
"""The attributes of layers that their forward pass in the page needs."""


def export_network(model: Model, rows: npt.NDArray[np.generic] | None = None) -> dict[str, Any]:
    """Return a model's transform, layers and weights as a JSON object.

    Weights are in float16 if the predictions of ``rows`` then have the same classes, and differ by
    at most `TOLERANCE`; otherwise in float32.

    Parameters
    ----------
    model : Model
    rows : array, shape (n, ...), optional
        Stored rows, at least one; without them weights are in float32.

    Raises
    ------
    ModelError
        If the page cannot run the network: it names each layer and transform that has no forward
        pass in JavaScript, weights that are not finite, or a network that is too large.
    """
    reasons = obstacles(model)
    if reasons:
        raise ModelError("; ".join(reasons))
    compact = rows is not None and predicts_the_same_in_float16(model, rows)
    dtype = "float16" if compact else "float32"
    size = encoded_size(model.network, dtype)
    if size > MAX_BYTES:
        raise ModelError(
            f"the network's weights take {size / 1e6:.1f} MB in the page, more than the "
            f"{MAX_BYTES / 1e6:g} MB for them"
        )
    network = model.before_loss
    layers = _describe_chain("", network.layers, network.input_shape, dtype)
    return {
        "dtype": dtype,
        "transform": model.transform.to_config(),
        "layers": [*layers, _prediction(model.output_activation, network.output_shape)],
    }


def obstacles(model: Model) -> list[str]:
    """Return the reasons why the page cannot run a model's network, possibly none."""
    reasons = []
    own = [
        f"{name} ({type(layer).__name__})"
        for name, layer in all_layers(model.network.layers)
        if LAYERS.get(layer.kind) is not type(layer) or layer.kind not in KINDS
    ]
    if own:
        reasons.append(f"it has no forward pass in JavaScript for {', '.join(own)}")
    if type(model.transform) not in TRANSFORMS.values():
        reasons.append(f"it has no transform {type(model.transform).__name__} in JavaScript")
    if not np.isfinite(model.network.parameters.values).all():
        reasons.append("the weights are not finite")
    return reasons


def all_layers(layers: Sequence[Layer], prefix: str = "") -> list[tuple[str, Layer]]:
    """Return layers, and those inside of residual blocks, with their names in the network."""
    named: list[tuple[str, Layer]] = []
    for index, layer in enumerate(layers):
        name = f"{prefix}{index}.{layer.kind}"
        named.append((name, layer))
        for branch, inner in _branches(layer).items():
            named += all_layers(inner, f"{name}.{branch}.")
    return named


def predicts_the_same_in_float16(model: Model, rows: npt.NDArray[np.generic]) -> bool:
    """Return whether the classes stay, and predictions within `TOLERANCE`, in float16."""
    network = copy.deepcopy(model.before_loss)
    for name, weights in network.parameters.weights.items():
        if _compact(name):
            with np.errstate(over="ignore"):
                weights[...] = weights.astype(np.float16)
    if not np.isfinite(network.parameters.values).all():
        return False
    expected, rounded = (predictions(model, rows, each) for each in (model.before_loss, network))
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))  # of regression outputs
    same_classes = (expected.argmax(axis=1) == rounded.argmax(axis=1)).all()
    return bool(same_classes and np.abs(expected - rounded).max() <= TOLERANCE * scale)


def encoded_size(network: Sequential, dtype: str) -> int:
    """Return the number of base64 characters of a network's weights."""
    sizes = {name: array.size for name, array in network.parameters.weights.items()}
    half = sum(size for name, size in sizes.items() if _compact(name))
    bytes_ = 4 * sum(sizes.values()) - (2 * half if dtype == "float16" else 0)
    return bytes_ * 4 // 3


def encode_array(array: npt.NDArray[np.generic], dtype: str) -> dict[str, str]:
    """Return an array as base64 of its little-endian bytes, in row-major order."""
    stored = np.ascontiguousarray(array, np.dtype(dtype).newbyteorder("<"))
    return {"dtype": dtype, "data": base64.b64encode(stored.tobytes()).decode()}


def predictions(model: Model, rows: npt.NDArray[np.generic], network: Sequential) -> Array:
    """Return predictions as `Model.predict`, of another network, which may be not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        outputs = network.predict(rows, model.transform)
        return OUTPUT_ACTIVATIONS[model.output_activation](outputs)


def _compact(name: str) -> bool:
    """Return whether an array may be in float16: matrices; vectors are small and stay exact."""
    return name.endswith(".weights")


def _branches(layer: Layer) -> dict[str, Sequence[Layer]]:
    if type(layer) is not Residual:
        return {}
    return {"block": layer.block.layers, "shortcut": layer.shortcut.layers}


def _prediction(output_activation: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the output activation as the last layer."""
    return {
        "name": "prediction",
        "kind": output_activation,
        "input_shape": list(shape),
        "output_shape": list(shape),
        "options": {},
        "arrays": {},
        "branches": {},
    }


def _describe_chain(
    prefix: str, layers: Sequence[Layer], shape: tuple[int, ...], dtype: str
) -> list[dict[str, Any]]:
    described = []
    for index, layer in enumerate(layers):
        described.append(_describe(f"{prefix}{index}.{layer.kind}", layer, shape, dtype))
        shape = layer.output_shape(shape)
    return described


def _describe(name: str, layer: Layer, shape: tuple[int, ...], dtype: str) -> dict[str, Any]:
    branches = {
        branch: _describe_chain(f"{name}.{branch}.", inner, shape, dtype)
        for branch, inner in _branches(layer).items()
    }
    return {
        "name": name,
        "kind": layer.kind,
        "input_shape": list(shape),
        "output_shape": list(layer.output_shape(shape)),
        "options": _options(layer, shape),
        "arrays": {} if branches else _encode_arrays(layer.weights, dtype),
        "branches": branches,
    }


def _options(layer: Layer, shape: tuple[int, ...]) -> dict[str, float]:
    options = {name: getattr(layer, name) for name in OPTIONS if hasattr(layer, name)}
    if isinstance(layer, Conv2D):
        windows = Windows.over(layer.kind, shape, layer.size, layer.stride, layer.padding)
        options |= {"top": windows.top, "left": windows.left}
    if isinstance(layer, Embedding):
        options |= {name: len(table) for name, table in layer.weights.items()}
    return options


def _encode_arrays(arrays: Mapping[str, Array], dtype: str) -> dict[str, dict[str, str]]:
    return {
        name: encode_array(array, dtype if _compact(f".{name}") else "float32")
        for name, array in arrays.items()
    }
