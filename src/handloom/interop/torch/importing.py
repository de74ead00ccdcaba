"""Weights that come from PyTorch, into a network of Handloom."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handloom.errors import ModelError
from handloom.interop.torch.comparison import require_same_outputs
from handloom.interop.torch.conversion import layers_from
from handloom.interop.torch.matching import arrays_at, arrays_from
from handloom.interop.torch.modules import input_shape_of
from handloom.interop.torch.reading import read_state
from handloom.layers import Layer
from handloom.layers.building import shape_of
from handloom.layers.chain import Chain
from handloom.network import Sequential
from handloom.parameters import Array

if TYPE_CHECKING:
    import torch


def from_torch(
    source: "Mapping[str, Any] | str | Path | torch.nn.Module",
    network: Sequential | Sequence[Layer | str] | None = None,
    *,
    input_shape: int | Iterable[int] | None = None,
    order: Sequence[str] | None = None,
) -> Sequential:
    """Return a network with the weights of PyTorch, its layouts turned into ours.

    Arrays are matched by name if the state dict has a module for each layer, as ``nn.Sequential``
    and the files of `handloom.to_torch` have, and otherwise in the order of their modules; each
    shape is compared. Nothing is unpickled, and of a file or a state dict no code is run.

    Arrays do not say the options of modules, nor the order of their use. A module that is passed
    itself therefore runs, on a few made-up rows: a copy in float64 and evaluation mode. If its
    outputs are not those of the network, it is refused; a softmax, a logarithm of it or a sigmoid
    at the end may be on one side only. If it does not run on such rows, there is a warning.

    Parameters
    ----------
    source : mapping, path or torch.nn.Module
        A state dict, of arrays or tensors; the path of a safetensors file that has one; or a
        module. Counters of batches (``num_batches_tracked``) are left out, since nothing of ours
        depends on them. A missing bias is zero.
    network : Sequential or sequence of Layer, optional
        A built network, whose weights are replaced, all of them or none; or layers, or a network,
        to build. Without it, ``source`` is an ``nn.Sequential``, and new layers are made of its
        modules.
    input_shape : tuple of int, or int, optional
        The shape of one input row of layers to build; not needed where the first module is
        ``nn.Linear``.
    order : sequence of str, optional
        The modules of the state dict in the order of the layers, ``["stem", "head"]``, where that
        does not follow from names. Without it, modules that are declared in another order than they
        are used are taken in the wrong order if their arrays have the same shapes.

    Returns
    -------
    Sequential
        The network itself or, of layers, a new one, in float64 if all arrays are, else in float32.
        A module none of whose parameters is trained is a frozen layer.

    Raises
    ------
    ModelError
        If an array is missing, unknown, of another shape or dtype, or not finite; if a module has
        no counterpart; if a module computes something else than the network; or if the file is a
        pickle, or damaged.
    FileError
        If the file cannot be read.
    """
    if network is None:
        if order is not None:
            raise ModelError("order must be None without a network, whose layers it is for")
        return _from_modules(source, input_shape)
    state = read_state(source)
    made = network if isinstance(network, Sequential) else Sequential(network)
    shape, chain = input_shape_of(made, input_shape), Chain(made.layers)
    shapes = {name: spec.shape for name, spec in chain.declare(shape).items()}
    arrays = arrays_from(state, chain, shapes, order)
    if not isinstance(source, str | Path | Mapping):
        require_same_outputs(source, made.layers, shape, arrays)
    if not made.built:
        made.build(shape, dtype=_dtype(state.values()))
    made.set_weights(arrays)
    return made


def _dtype(arrays: Iterable[Array]) -> str:
    """Return the dtype of a network for some arrays."""
    dtypes = {array.dtype.name for array in arrays}
    return "float64" if dtypes == {"float64"} else "float32"


def _from_modules(source: Any, input_shape: int | Iterable[int] | None) -> Sequential:
    """Return a new network with the layers and the weights of an ``nn.Sequential``."""
    if isinstance(source, str | Path | Mapping) or not hasattr(source, "state_dict"):
        raise ModelError(
            "network must be set for a state dict, which has no layers: from_torch(source, "
            f"network), got {type(source).__name__} alone"
        )
    shape = None if input_shape is None else shape_of(input_shape)
    shape, converted = layers_from(source, shape)
    state = read_state(source)
    network = Sequential([layer for layer, _ in converted])
    network.build(shape, dtype=_dtype(state.values()))
    shapes = {name: array.shape for name, array in network.parameters.weights.items()}
    paths = [path for _, path in converted]
    arrays = arrays_at(paths, state, Chain(network.layers), shapes)
    network.set_weights(arrays)
    require_same_outputs(source, network.layers, shape, arrays)
    return network
