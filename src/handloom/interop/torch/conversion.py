"""From the modules of an ``nn.Sequential`` to layers that compute the same."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from handloom.errors import HandloomError, ModelError, unknown_name
from handloom.interop.torch.modules import imported
from handloom.interop.torch.program import LAYERS
from handloom.layers import (
    ELU,
    GELU,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool2D,
    Layer,
    LayerNorm,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Reshape,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)

Shape = tuple[int, ...]


class Converted(NamedTuple):
    """A layer, and the path of the module that has its arrays: ``"2.0"``; empty without arrays."""

    layer: Layer
    path: str


def layers_from(module: Any, shape: Shape | None) -> tuple[Shape, list[Converted]]:
    """Return the shape of an input row, and the layers that compute an ``nn.Sequential``.

    Parameters
    ----------
    module : torch.nn.Sequential
        It may hold others.
    shape : tuple of int, optional
        The shape of an input row; by default that of the first module, an ``nn.Linear``.

    Raises
    ------
    ModelError
        If there is no layer, a module, or an option of one, has no counterpart, or one has hooks.
    """
    nn = imported().nn
    if type(module) is not nn.Sequential:
        has_layers = type(getattr(module, LAYERS, None)) is nn.Sequential
        raise ModelError(
            f"source must be an nn.Sequential, got {type(module).__name__}, whose forward is code "
            f"of its own: "
            + f"pass its layers, from_torch(network.{LAYERS}), or " * has_layers
            + "build a network of the same layers, and call from_torch(source, network)"
        )
    for path, each in module.named_modules():
        if each._forward_hooks or each._forward_pre_hooks:
            subject = f"module {path!r}" if path else "source"
            raise ModelError(
                f"{subject} ({type(each).__name__}) has hooks, which can change its output"
            )
    modules = [each for each in _leaves(nn, module) if type(each[1]) is not nn.Identity]
    if not modules:
        raise ModelError(
            "source must have at least one module that is a layer, got "
            + ("nn.Identity alone" if len(module) else "an empty nn.Sequential")
        )
    first = modules[0][1]
    if shape is None:
        if type(first) is not nn.Linear:
            raise ModelError(
                f"input_shape must be set where the first module is no Linear, got None for "
                f"{type(first).__name__}"
            )
        shape = (first.in_features,)
    current, converted = shape, []
    following = [*modules[1:], ("", None)]
    for (path, each), (_, after) in zip(modules, following, strict=True):
        flat_after = type(after) is nn.Flatten
        for layer in _layers(nn, path, each, current, flat_after=flat_after):
            try:
                own_arrays = bool(layer.declare(current))
                current = layer.output_shape(current)
            except HandloomError as error:
                raise ModelError(f"module {path!r} ({each}): {error}") from None
            converted.append(Converted(layer, path if own_arrays else ""))
    return shape, converted


def _leaves(nn: Any, module: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the modules of an ``nn.Sequential`` with their paths, those of inner ones in place.

    A module that is used twice comes twice, unlike in ``named_children``.
    """
    for name, each in module._modules.items():
        own = f"{path}{name}"
        if type(each) is nn.Sequential:
            yield from _leaves(nn, each, f"{own}.")
        else:
            yield own, each


def _layers(nn: Any, path: str, module: Any, shape: Shape, *, flat_after: bool) -> list[Layer]:
    """Return the layers of one module; an error names it."""
    name = type(module).__name__
    if name not in CONVERTERS or type(module) is not getattr(nn, name):
        advice = ADVICE.get(name, "")
        raise ModelError(
            f"module {path!r} has no counterpart: {unknown_name('module', name, CONVERTERS)}"
            f"{advice}{OTHERWISE if not advice else ''}"
        )
    try:
        layers = CONVERTERS[name](module, shape)
        if name == "AdaptiveAvgPool2d" and not flat_after:
            layers.append(Reshape((shape[0], 1, 1)))
        parameters = list(module.parameters())
        if parameters and not any(each.requires_grad for each in parameters):
            layers[0].freeze()
    except HandloomError as error:
        raise ModelError(f"module {path!r} ({module}): {error}") from None
    return layers


def _require(module: Any, **expected: object) -> None:
    """Refuse a module with an option that ours does not have."""
    for option, value in expected.items():
        got = getattr(module, option)
        if got not in (value, (value, value)):
            raise ModelError(f"{option} must be {value!r} for a layer of Handloom, got {got!r}")


def _square(module: Any, option: str) -> int:
    """Return the size of an option that must be the same along y and along x."""
    value = getattr(module, option)
    sizes = value if isinstance(value, tuple) else (value, value)
    if sizes[0] != sizes[1]:
        raise ModelError(f"{option} must be the same along both sides, got {value!r}")
    return int(sizes[0])


def _convolution(module: Any, shape: Shape) -> list[Layer]:
    _require(module, dilation=1, groups=1, padding_mode="zeros")
    padding = module.padding if isinstance(module.padding, str) else _square(module, "padding")
    size, stride = _square(module, "kernel_size"), _square(module, "stride")
    biases = module.bias is not None
    return [Conv2D(module.out_channels, size, stride=stride, padding=padding, biases=biases)]


def _batch_norm(module: Any, shape: Shape) -> list[Layer]:
    _require(module, track_running_stats=True)
    if not module.momentum:
        raise ModelError(f"momentum must be a number above 0 and at most 1, got {module.momentum}")
    momentum = float(f"{1.0 - module.momentum:.12g}")
    return [BatchNorm(momentum=momentum, epsilon=module.eps)]


def _layer_norm(module: Any, shape: Shape) -> list[Layer]:
    if tuple(module.normalized_shape) != shape:
        raise ModelError(
            f"normalized_shape must be {shape}, that of a whole row, got "
            f"{tuple(module.normalized_shape)}"
        )
    return [LayerNorm(epsilon=module.eps)]


def _pooling(kind: type[MaxPool2D | AveragePool2D]) -> "Converter":
    def convert(module: Any, shape: Shape) -> list[Layer]:
        _require(module, padding=0, ceil_mode=False)
        if kind is MaxPool2D:
            _require(module, dilation=1, return_indices=False)
        else:
            _require(module, divisor_override=None)
        return [kind(_square(module, "kernel_size"), stride=_square(module, "stride"))]

    return convert


def _global_pooling(module: Any, shape: Shape) -> list[Layer]:
    _require(module, output_size=1)
    return [GlobalAveragePool2D()]


def _leaky_relu(module: Any, shape: Shape) -> list[Layer]:
    return [LeakyReLU(module.negative_slope) if module.negative_slope else ReLU()]


def _require_flat(module: Any, shape: Shape) -> None:
    """Refuse another axis than that of flat rows."""
    if len(shape) != 1:
        raise ModelError(f"a row of its input must be flat, got shape {shape}")
    if module.dim not in (1, -1):
        raise ModelError(f"dim must be 1, got {module.dim}")


def _softmax(module: Any, shape: Shape) -> list[Layer]:
    _require_flat(module, shape)
    return [Softmax()]


def _gelu(module: Any, shape: Shape) -> list[Layer]:
    _require(module, approximate="tanh")
    return [GELU()]


def _flatten(module: Any, shape: Shape) -> list[Layer]:
    _require(module, start_dim=1, end_dim=-1)
    return [Flatten()]


def _unflatten(module: Any, shape: Shape) -> list[Layer]:
    _require_flat(module, shape)
    return [Reshape(tuple(module.unflattened_size))]


def _dropout(module: Any, shape: Shape) -> list[Layer]:
    return [Dropout(module.p)]


def _elu(module: Any, shape: Shape) -> list[Layer]:
    return [ELU(module.alpha)]


def _linear(module: Any, shape: Shape) -> list[Layer]:
    return [Dense(module.out_features)]


def _without_options(kind: Callable[[], Layer]) -> "Converter":
    def convert(module: Any, shape: Shape) -> list[Layer]:
        return [kind()]

    return convert


Converter = Callable[[Any, Shape], list[Layer]]

CONVERTERS: Mapping[str, Converter] = {
    "AdaptiveAvgPool2d": _global_pooling,
    "AvgPool2d": _pooling(AveragePool2D),
    "BatchNorm1d": _batch_norm,
    "BatchNorm2d": _batch_norm,
    "Conv2d": _convolution,
    "Dropout": _dropout,
    "ELU": _elu,
    "Flatten": _flatten,
    "GELU": _gelu,
    "LayerNorm": _layer_norm,
    "LeakyReLU": _leaky_relu,
    "Linear": _linear,
    "MaxPool2d": _pooling(MaxPool2D),
    "ReLU": _without_options(ReLU),
    "SiLU": _without_options(SiLU),
    "Sigmoid": _without_options(Sigmoid),
    "Softmax": _softmax,
    "Tanh": _without_options(Tanh),
    "Unflatten": _unflatten,
}
"""From a module of each class, and the shape of a row of its input, to layers."""

OTHERWISE = (
    " Build a network with layers that compute the same, and call from_torch(source, network) for "
    "the weights"
)
"""Advice about all other modules."""

ADVICE = {
    "LogSoftmax": " Leave it out: the loss of Handloom takes logits, and Model.predict applies the "
    "softmax",
    "Embedding": " Its weights go into a network with handloom.Embedding, for the columns that "
    "hold indices: from_torch(module.state_dict(), network)",
}
"""Advice about some modules."""
