"""Modules of PyTorch that compute layers, made from their source."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from handloom.errors import MissingExtraError, ModelError
from handloom.interop.torch.sources import ModuleSource, source_of_chain
from handloom.layers import Layer
from handloom.layers.building import shape_of
from handloom.layers.chain import Chain
from handloom.network import Sequential

if TYPE_CHECKING:
    import torch


def to_module(
    layers: Sequential | Sequence[Layer | str], input_shape: int | Iterable[int] | None = None
) -> "torch.nn.Sequential":
    """Return an ``nn.Sequential`` that computes the same as a network, a module for each layer.

    Dropout stays, and so does an output activation. The momentum of PyTorch's batch norm is one
    minus ours, and it takes all rows of a batch, not groups of them.

    Parameters
    ----------
    layers : Sequential or sequence of Layer
        The modules of a built network have its weights; those of layers alone start as PyTorch
        initializes them.
    input_shape : tuple of int, or int, optional
        The shape of one input row of layers that are not built.

    Returns
    -------
    torch.nn.Sequential
        In the dtype of the network, in training mode.

    Raises
    ------
    ModelError
        If a layer has no counterpart, or ``input_shape`` is missing.
    MissingExtraError
        If PyTorch is not installed.
    """
    network = layers if isinstance(layers, Sequential) else Sequential(layers)
    shape = input_shape_of(network, input_shape)
    Chain(network.layers).declare(shape)  # refuses layers that do not fit
    source = source_of_chain(network.named_layers(), shape)
    module = _made(source)
    if network.built:
        module.to(getattr(imported(), network.parameters.dtype.name))
        module.load_state_dict(tensors(source.state))
    return module


def input_shape_of(network: Sequential, input_shape: int | Iterable[int] | None) -> tuple[int, ...]:
    """Return the shape of an input row of a network, which may be built.

    Raises
    ------
    ModelError
        If it is not built and there is no shape, or built for another one.
    """
    if not network.built:
        if input_shape is None:
            raise ModelError("input_shape must be set for layers that are not built, got None")
        return shape_of(input_shape)
    if input_shape is not None and shape_of(input_shape) != network.input_shape:
        raise ModelError(
            f"input_shape must be {network.input_shape}, that of the built network, or None, got "
            f"{input_shape}"
        )
    return network.input_shape


def imported() -> Any:
    """Return PyTorch.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import torch
    except ImportError:
        raise MissingExtraError("torch", "torch", "a module of PyTorch") from None
    return torch


def tensors(state: Mapping[str, npt.NDArray[np.generic]]) -> dict[str, Any]:
    """Return arrays as tensors, which are copies."""
    return {name: imported().tensor(array) for name, array in state.items()}


def _made(source: ModuleSource) -> Any:
    """Run the source of a module, which this package or a layer's own class has written."""
    torch = imported()
    names: dict[str, Any] = {"__name__": __name__, "torch": torch, "nn": torch.nn}
    exec("\n\n".join(source.classes), names)
    return eval(source.call, names)
