"""The table of a network: its layers, each with the activation after it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from handloom.fused.elementwise import ACTIVATIONS, STORES_SLOPES
from handloom.operations import (
    Affine,
    DropEntries,
    Elementwise,
    LayerOperation,
    NormalizeColumns,
    NormalizeRows,
)

DENSE, NORMALIZE_COLUMNS, NORMALIZE_ROWS, DROP = range(4)
"""The kinds of layers in a table."""

COLUMNS = 7
KIND, INPUTS, UNITS, FIRST, SECOND, ACTIVATION, BEFORE = range(COLUMNS)
"""The columns of a table; see `layer_table`."""

Layer = Affine | NormalizeColumns | NormalizeRows | DropEntries
DensePair = tuple[Affine, Elementwise]
NO_ACTIVATION = Elementwise("")


class Pair(NamedTuple):
    """A layer and the activation after it.

    Attributes
    ----------
    layer : Layer
    activation : Elementwise
        `NO_ACTIVATION` if there is none.
    layer_index : int
        The index of the layer in the network, by which it draws random numbers.
    """

    layer: Layer
    activation: Elementwise
    layer_index: int


def paired(operations: Sequence[LayerOperation]) -> list[Pair] | None:
    """Return layers with the activations that follow them, or None if others are among them.

    The first one must not be a batch normalization.
    """
    pairs: list[Pair] = []
    for index, operation in enumerate(operations):
        if isinstance(operation, Elementwise):
            known = operation.function in ACTIVATIONS
            if not (known and pairs and pairs[-1].activation is NO_ACTIVATION):
                return None
            pairs[-1] = pairs[-1]._replace(activation=operation)
        elif isinstance(operation, NormalizeColumns) and not pairs:
            return None
        else:
            pairs.append(Pair(operation, NO_ACTIVATION, index))
    return pairs if first_trained(pairs) < len(pairs) else None


def paired_dense(operations: Sequence[LayerOperation]) -> list[DensePair] | None:
    """Return dense layers with the activations that follow them, or None for other layers."""
    pairs = paired(operations) or ()
    dense = [(each.layer, each.activation) for each in pairs if isinstance(each.layer, Affine)]
    return dense if dense and len(dense) == len(pairs) else None


def first_trained(pairs: Sequence[Pair]) -> int:
    """Return the index of the first pair with weights: no gradient is needed before it."""
    trained = (k for k, each in enumerate(pairs) if not isinstance(each.layer, DropEntries))
    return next(trained, len(pairs))


def layer_table(pairs: Sequence[Pair | DensePair]) -> npt.NDArray[np.int64]:
    """Return a table with a row for each layer.

    Its columns: kind, inputs, units, two numbers, the activation, and the units of all layers
    before. The numbers are the offsets of weights and biases or of scale and shift; of dropout,
    the index of the layer in the network, and `DropEntries.dropped`.
    """
    rows, before = [], 0
    widths = _widths([layer for layer, *_ in pairs])
    for (layer, activation, *layer_index), (d, h) in zip(pairs, widths, strict=True):
        if isinstance(layer, Affine):
            kind, first, second = DENSE, layer.weights, layer.biases
        elif isinstance(layer, DropEntries):
            kind, first, second = DROP, *layer_index, layer.dropped
        else:
            by_row = isinstance(layer, NormalizeRows)
            kind = NORMALIZE_ROWS if by_row else NORMALIZE_COLUMNS
            first, second = layer.scale, layer.shift
        rows.append((kind, d, h, first, second, ACTIVATIONS[activation.function], before))
        before += h
    return np.array(rows, np.int64)


def _widths(layers: Sequence[Layer]) -> Iterator[tuple[int, int]]:
    """Yield inputs and units of each layer; dropout has those of the layers around it."""
    first = next(layer for layer in layers if not isinstance(layer, DropEntries))
    width = first.inputs if isinstance(first, Affine) else first.units
    for layer in layers:
        units = width if isinstance(layer, DropEntries) else layer.units
        yield width, units
        width = units


def activation_parameters(pairs: Sequence[Pair | DensePair]) -> npt.NDArray[np.float64]:
    """Return the parameter of each layer's activation."""
    return np.array([activation.parameter for _, activation, *_ in pairs], np.float64)


def stores_slopes(pairs: Sequence[Pair | DensePair]) -> bool:
    """Return whether any activation stores its derivatives; see `handloom.fused.elementwise`."""
    return any(ACTIVATIONS[activation.function] in STORES_SLOPES for _, activation, *_ in pairs)
