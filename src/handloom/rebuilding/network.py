"""The proof for a network, layer by layer."""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import cache, partial
from typing import cast

import numpy as np

from handloom.errors import ConfigurationError, require_own_config
from handloom.initializers import Zeros
from handloom.layers import LAYERS, Layer, Residual
from handloom.layers.chain import Chain
from handloom.layers.configuration import layers_from_config
from handloom.network import Sequential
from handloom.parameters import Array, ArrayViews, ParameterSpec
from handloom.rebuilding.attributes import NOT_SETTINGS, compare_objects
from handloom.rebuilding.outputs import copied, require_equal_output, row, same_random_numbers
from handloom.rebuilding.stored import made_again


def check_network(network: Sequential) -> dict[str, object]:
    """Return the configuration of a network, proven to make the same network again.

    The class of every layer, also inside of another, is the one that its kind stands for. Made
    again from its configuration it has equal attributes, declares the same arrays and, with the
    weights of the network, has equal output for one row in inference. The network does not change.

    Raises
    ------
    ConfigurationError
        Naming the layer, the difference, and the remedy.
    """
    _require_loadable_class(network)
    custom = _custom_classes(network)
    with same_random_numbers() if custom else nullcontext(), np.errstate(all="ignore"):
        config = network.config()
        for name, layer in _all_layers(network):
            require_own_config(f"layer {name}", layer)
        entries = cast(list[object], config["layers"])

        def make(entry: object) -> Layer:
            return layers_from_config([entry], custom)[0]

        named = network.named_layers()

        def all_again() -> list[Layer]:
            pairs = zip(named, entries, strict=True)
            return [made_again(f"layer {name}", each, entry, make) for (name, each), entry in pairs]

        layers = all_again()
        used = cache(lambda: _used(network, all_again()))

        def states_of(index: int) -> tuple[Layer, ...]:
            return used()[index]

        for index, (name, layer) in enumerate(named):
            compare_objects(f"layer {name}", layer, layers[index], partial(states_of, index))
        # passes of copies: one of a custom layer may change it, even in inference
        original = Chain([copied(layer.replica()) for layer in network.layers])
        rebuilt = Chain(layers)
        _bind(network, original, rebuilt)
        x = row(network.input_shape, network.parameters.dtype, original.index_columns)
        _compare_outputs("", original, rebuilt, x)
    return config


def _require_loadable_class(network: Sequential) -> None:
    """Refuse a network that computes something else than a `Sequential`."""
    for method in ("forward", "predict"):
        own = getattr(type(network), method) is getattr(Sequential, method)
        if not own or method in vars(network):
            raise ConfigurationError(
                f"the network {type(network).__name__} must not replace {method}, since a saved "
                f"network is loaded as a Sequential: write the computation as a layer"
            )


def _custom_classes(network: Sequential) -> dict[str, type[Layer]]:
    """Return the classes of the layers that are not the library's, by kind.

    Raises
    ------
    ConfigurationError
        If a kind stands for another class.
    """
    custom: dict[str, type[Layer]] = {}
    for path, part in _all_layers(network):
        kind, class_ = part.kind, type(part)
        if kind != class_.kind:
            raise ConfigurationError(
                f"layer {path}: kind must be set in the class {class_.__name__}, got {kind!r} "
                f"for the object and {class_.kind!r} for its class"
            )
        stands_for = LAYERS.get(kind) or custom.setdefault(kind, class_)
        if stands_for is not class_:
            raise ConfigurationError(
                f"layer {path}: the class {class_.__name__} must have a kind of its own, since "
                f"{kind!r} is that of {stands_for.__module__}.{stands_for.__qualname__}: set "
                f"kind in the class, and load with layers={{kind: {class_.__name__}}}"
            )
    return custom


def _all_layers(network: Sequential) -> Iterator[tuple[str, Layer]]:
    """Yield the layers of a network, also those inside of others, with their names."""
    for name, layer in network.named_layers():
        yield name, layer
        yield from _inner(name, layer, {id(layer)})


def _inner(name: str, value: object, seen: set[int]) -> Iterator[tuple[str, Layer]]:
    """Yield the layers inside of a layer at any depth, with their names, each only once."""
    parts: Mapping[object, object]
    if isinstance(value, Layer):
        parts = {key: part for key, part in vars(value).items() if key not in NOT_SETTINGS}
    elif isinstance(value, Chain):
        parts = dict(value.named)
    elif isinstance(value, list | tuple):
        parts = dict(enumerate(value))
    elif isinstance(value, dict):
        parts = value
    else:
        return
    for key, part in parts.items():
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, Layer):
            yield f"{name}.{key}", part
        yield from _inner(f"{name}.{key}", part, seen)


def _bind(network: Sequential, original: Chain, rebuilt: Chain) -> None:
    """Bind both chains to the weights of the network, which neither can write to.

    Raises
    ------
    ConfigurationError
        If they declare other arrays.
    """
    before = _declared(original, network)
    try:
        now = _declared(rebuilt, network)
    except Exception as error:
        raise ConfigurationError(
            f"the network that is made again from its configuration cannot be built: {error}"
        ) from error
    for name in {**before, **now}:
        if before.get(name) != now.get(name):
            raise ConfigurationError(
                f"array {name}: the layer that is made again from its configuration must declare "
                f"{before.get(name)}, got {now.get(name)}"
            )
    weights = {name: array.view() for name, array in network.parameters.weights.items()}
    for array in weights.values():
        array.flags.writeable = False
    for chain in (original, rebuilt):
        unused = {name: np.empty_like(array) for name, array in weights.items()}
        chain.bind(ArrayViews(weights), ArrayViews(unused))


def _used(network: Sequential, layers: list[Layer]) -> list[tuple[Layer, ...]]:
    """Return copies of layers, and the layers after each of two passes, as far as these succeed."""
    before = [copied(layer) for layer in layers]
    inferred = before.copy()
    with suppress(Exception):
        chain = Chain(layers)
        _bind(network, chain, chain)
        x = row(network.input_shape, network.parameters.dtype, chain.index_columns)
        for index, layer in enumerate(layers):
            y = np.array(layer.forward(x))
            inferred[index] = copied(layer)
            with suppress(Exception):  # such as too few rows
                layer.forward(x, training=True, rng=np.random.default_rng(0))
            x = y
    return list(zip(before, inferred, layers, strict=True))


def _declared(chain: Chain, network: Sequential) -> dict[str, ParameterSpec]:
    """Return the declarations of arrays without their initializers, which loading does not use."""
    specs = chain.declare(network.input_shape)
    return {name: replace(spec, initializer=Zeros()) for name, spec in specs.items()}


def _compare_outputs(prefix: str, original: Chain, rebuilt: Chain, x: Array) -> None:
    """Compare the outputs of each layer, for the output of the original layer before it."""
    for (name, layer), again in zip(original.named, rebuilt.layers, strict=True):
        path = f"{prefix}{name}"
        if isinstance(layer, Residual) and isinstance(again, Residual):
            # the layers of each branch too, since weights of zero in the last would hide them
            _compare_outputs(f"{path}.block.", layer.block, again.block, x)
            _compare_outputs(f"{path}.shortcut.", layer.shortcut, again.shortcut, x)
        y = require_equal_output(
            f"layer {path}", partial(layer.forward, x), partial(again.forward, x)
        )
        if y is None:
            return
        x = y
