"""The table of a network: dense layers and normalizations, each with the activation after it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from handloom.fused.elementwise import ACTIVATIONS, STORES_SLOPES
from handloom.operations import Affine, Elementwise, LayerOperation, NormalizeColumns

DENSE, NORMALIZE = range(2)
"""The kinds of layers in a table."""

COLUMNS = 7
"""The columns of a table; see `layer_table`."""

Pair = tuple[Affine | NormalizeColumns, Elementwise]
DensePair = tuple[Affine, Elementwise]
NO_ACTIVATION = Elementwise("")


def paired(operations: Sequence[LayerOperation]) -> list[Pair] | None:
    """Return layers with the activations that follow them, or None if others are among them.

    The first one must be dense.
    """
    pairs: list[Pair] = []
    for operation in operations:
        if isinstance(operation, Affine) or (isinstance(operation, NormalizeColumns) and pairs):
            pairs.append((operation, NO_ACTIVATION))
        elif (
            isinstance(operation, Elementwise)
            and operation.function in ACTIVATIONS
            and pairs
            and pairs[-1][1] is NO_ACTIVATION
        ):
            pairs[-1] = pairs[-1][0], operation
        else:
            return None
    return pairs or None


def paired_dense(operations: Sequence[LayerOperation]) -> list[DensePair] | None:
    """Return dense layers with the activations that follow them, or None for other layers."""
    pairs = paired(operations) or ()
    dense = [(layer, after) for layer, after in pairs if isinstance(layer, Affine)]
    return dense if dense and len(dense) == len(pairs) else None


def layer_table(pairs: Sequence[Pair]) -> npt.NDArray[np.int64]:
    """Return a table with a row for each layer.

    Its columns: kind, inputs, units, the offsets of weights and biases or of scale and shift, the
    activation, and the units of all layers before.
    """
    rows, before = [], 0
    for layer, activation in pairs:
        code = ACTIVATIONS[activation.function]
        if isinstance(layer, Affine):
            rows.append(
                (DENSE, layer.inputs, layer.units, layer.weights, layer.biases, code, before)
            )
        else:
            h = layer.units
            rows.append((NORMALIZE, h, h, layer.scale, layer.shift, code, before))
        before += layer.units
    return np.array(rows, np.int64)


def activation_parameters(pairs: Sequence[Pair]) -> npt.NDArray[np.float64]:
    """Return the parameter of each layer's activation."""
    return np.array([activation.parameter for _, activation in pairs], np.float64)


def stores_slopes(pairs: Sequence[Pair]) -> bool:
    """Return whether any activation stores its derivatives; see `handloom.fused.elementwise`."""
    return any(ACTIVATIONS[activation.function] in STORES_SLOPES for _, activation in pairs)
