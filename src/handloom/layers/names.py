"""Layers by name: ``"relu"`` stands for ``ReLU()`` in a list of layers."""

from collections.abc import Iterable

from handloom.errors import ConfigurationError, HandloomError, ModelError, require_known
from handloom.layers.base import Layer

LAYERS: dict[str, type[Layer]] = {}
"""The layers by their names in configurations and files; `handloom.layers` adds its own."""


def as_layers(layers: object) -> tuple[Layer, ...]:
    """Return layers as a tuple; names of layers without required options become layers.

    Raises
    ------
    ModelError
        If it is no sequence, or an entry is no layer.
    ConfigurationError
        If a name is unknown, or the named layer has required options.
    """
    if isinstance(layers, str) or not isinstance(layers, Iterable):
        kind = type(layers).__name__
        raise ModelError(f"layers must be a sequence of layers, [Dense(10), ...], got {kind}")
    return tuple(_as_layer(index, layer) for index, layer in enumerate(layers))


def _as_layer(index: int, layer: object) -> Layer:
    if isinstance(layer, str):
        return _named(layer)
    if isinstance(layer, type):
        raise ModelError(
            f"layer {index} must be an instance, got the class {layer.__name__}: pass "
            f"{layer.__name__}(...)"
        )
    if not isinstance(layer, Layer):
        raise ModelError(
            f"layer {index} must be a layer, such as Dense(10) or ReLU(), got "
            f"{type(layer).__name__}"
        )
    return layer


def _named(name: str) -> Layer:
    require_known("layer", name, LAYERS)
    kind = LAYERS[name]
    try:
        return kind()
    except (TypeError, HandloomError):
        raise ConfigurationError(
            f"the layer {name!r} has required options: pass {kind.__name__}(...)"
        ) from None
