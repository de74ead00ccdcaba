"""Comparison: the outputs of a module of PyTorch beside those of a network with its weights.

Arrays do not say the slope of a leaky ReLU, the epsilon of a normalization, or the order in which
``forward`` calls its modules; outputs do.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from handloom.errors import ModelError
from handloom.interop.compared_rows import ComparedRows
from handloom.interop.example_rows import example_features
from handloom.interop.torch.modules import imported
from handloom.layers import Layer
from handloom.layers.activations import sigmoid
from handloom.layers.softmax import softmax
from handloom.network import Sequential
from handloom.parameters import Array
from handloom.secondary import warn

ROWS = 8
"""The number of rows."""

TOLERANCE = 1e-7
"""The largest difference in float64, relative to 1 or the largest absolute output above it."""

WITHOUT = "from_torch(module.state_dict(), network) takes the weights without a comparison"


def require_same_outputs(
    module: Any, layers: Sequence[Layer], shape: tuple[int, ...], arrays: Mapping[str, Array]
) -> None:
    """Check on made-up rows that a module and layers with its weights have the same outputs.

    Copies of both do it, in float64 on the CPU and in evaluation mode; neither is changed. A
    softmax, logarithm of a softmax, or sigmoid at the end may be on one side only. A module that
    does not run on such rows gets a warning.

    Parameters
    ----------
    module : torch.nn.Module
    layers : sequence of Layer
    shape : tuple of int
        The shape of an input row of the layers.
    arrays : mapping of str to array
        The weights of a network of the layers, by its names.

    Raises
    ------
    ModelError
        If outputs have other shapes, or differ by more than rounding.
    """
    network = Sequential(copy.deepcopy(list(layers))).build(shape, dtype="float64")
    network.set_weights(arrays)
    rows = example_features(shape, network.index_columns, ROWS)
    try:
        theirs = _outputs(module, rows)
    except Exception as error:  # forward is anybody's code
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        warn(
            f"the outputs of {type(module).__name__} are not compared with those of the network: "
            f"it does not run on float64 rows of shape {shape} ({reason}). Compare them before you "
            "use the network: the weights do not say options of modules, nor the order of their "
            "use"
        )
        return
    ours = network.forward(rows)
    if theirs.size != ours.size:
        raise ModelError(
            f"{type(module).__name__} returns shape {theirs.shape} for {ROWS} rows of shape "
            f"{shape}, and the network {ours.shape}: other layers. {WITHOUT}"
        )
    theirs = theirs.reshape(ours.shape)
    if not any(_close(*pair) for pair in _pairs(ours, theirs)):
        difference = ComparedRows(ours, ours).difference(theirs)
        raise ModelError(
            f"{type(module).__name__} computes something else than the network with its weights: "
            f"outputs for {ROWS} made-up rows differ by up to {difference:.2g}. Check options that "
            "the weights do not say (the epsilon of a normalization, the slope of a leaky ReLU, "
            "padding, the kind of an activation), layers without weights, and whether modules are "
            "used in another order than they are declared: from_torch(module, network, "
            f"order=[...]). {WITHOUT}"
        )


def _outputs(module: Any, rows: Array) -> Array:
    """Return the outputs of a copy of a module."""
    torch = imported()
    own = copy.deepcopy(module).cpu().double().eval()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        outputs = own(torch.tensor(rows))
    if not isinstance(outputs, torch.Tensor):
        raise TypeError(f"forward must return a tensor, got {type(outputs).__name__}")
    return np.asarray(outputs.numpy(), np.float64)


def _pairs(ours: Array, theirs: Array) -> Iterator[tuple[Array, Array]]:
    """Yield both outputs, as they are and with an activation at the end of one of them."""
    yield ours, theirs
    if ours.ndim == 2:
        yield sigmoid(ours), theirs
        yield ours, sigmoid(theirs)
    if ours.ndim == 2 and ours.shape[1] > 1:  # of one output a softmax is 1, whatever it is
        yield softmax(ours), theirs
        yield ours, softmax(theirs)
        with np.errstate(divide="ignore"):
            yield np.log(softmax(ours)), theirs


def _close(one: Array, other: Array) -> bool:
    """Return whether outputs differ by rounding alone; NaN equals NaN, as infinities do."""
    largest = float(np.abs(one).max(initial=1.0, where=np.isfinite(one)))
    return ComparedRows(one, one).difference(other) <= TOLERANCE * largest
