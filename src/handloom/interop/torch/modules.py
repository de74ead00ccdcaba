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
from handloom.layers.names import as_layers
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
    if isinstance(layers, Sequential):
        network, dtype = layers, layers.parameters.dtype
        source = source_of_chain(network.named_layers(), network.input_shape)
    else:
        if input_shape is None:
            raise ModelError("input_shape must be set for layers that are not built, got None")
        chain, dtype = Chain(as_layers(layers)), np.dtype(np.float32)
        shape = shape_of(input_shape)
        chain.declare(shape)  # refuses layers that do not fit
        source = source_of_chain(chain.named, shape)
    module = _made(source).to(getattr(imported(), dtype.name))
    if source.state:
        module.load_state_dict(tensors(source.state))
    return module


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
