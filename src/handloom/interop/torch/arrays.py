"""The arrays of a layer as PyTorch has them: their names in a module, and the order of their axes.

A state dict names an array by the path of its module, here the positions of our layers, and by the
name that it has there: our ``"0.dense.weights"``, shape (d, h), is ``"0.weight"``, shape (h, d).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from handloom.layers import BatchNorm, Conv2D, Dense, Embedding, Layer, LayerNorm, Residual
from handloom.layers.chain import Chain
from handloom.parameters import Array

COUNTER = "num_batches_tracked"
"""The array of a batch norm of PyTorch that has no counterpart, and no effect on a prediction."""


@dataclass(frozen=True)
class Slot:
    """An array of PyTorch and the array of ours that holds the same values.

    Attributes
    ----------
    theirs : str
        Its name in the state dict: ``"0.weight"``, with the path of its module.
    ours : str
        Its name in the network: ``"0.dense.weights"``.
    axes : tuple of int
        The axes of our array in the order of theirs; empty if the order is the same.
    absent : float or None
        The value of all entries if their module has no such array; None if it must have one.
    """

    theirs: str
    ours: str
    axes: tuple[int, ...] = ()
    absent: float | None = None

    def within(self, theirs: str, ours: str) -> "Slot":
        """Return the same arrays, with the names of a module and a layer in front of theirs."""
        return replace(self, theirs=f"{theirs}.{self.theirs}", ours=f"{ours}.{self.ours}")

    def to_theirs(self, array: Array) -> Array:
        """Return an array of ours in PyTorch's order of axes, as a copy."""
        return np.array(array.transpose(self.axes) if self.axes else array, order="C")

    def to_ours(self, array: Array) -> Array:
        """Return an array of PyTorch in our order of axes."""
        return array.transpose(np.argsort(self.axes)) if self.axes else array

    def shape(self, ours: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of their array, from that of ours."""
        return tuple(ours[axis] for axis in self.axes) if self.axes else ours


_BIAS = Slot("bias", "biases", absent=0.0)
_SCALE = (Slot("weight", "scale", absent=1.0), Slot("bias", "shift", absent=0.0))

_SLOTS: Mapping[type[Layer], tuple[Slot, ...]] = {
    Dense: (Slot("weight", "weights", (1, 0)), _BIAS),
    Conv2D: (Slot("weight", "weights", (3, 2, 0, 1)), _BIAS),
    LayerNorm: _SCALE,
    BatchNorm: (
        *_SCALE,
        Slot("running_mean", "running_mean"),
        Slot("running_var", "running_variance"),
    ),
}
"""The arrays of each class of layers, in the order in which PyTorch declares them."""


def slots_of(layer: Layer) -> list[Slot]:
    """Return the arrays of a layer, bound or not, by their names within it.

    A layer of a user's own class has none: the counterparts of its arrays are not known.
    """
    if type(layer) is Embedding:
        return [
            Slot(f"tables.{index}.weight", f"column_{column}")
            for index, column in enumerate(layer.columns)
        ]
    if type(layer) is Residual:
        return [
            slot.within(branch, branch)
            for branch, chain in layer.branches.items()
            for slot in slots_of_chain(chain)
        ]
    slots = _SLOTS.get(type(layer), ())
    return [slot for slot in slots if slot is not _BIAS or getattr(layer, "biases", True)]


def slots_of_chain(chain: Chain) -> list[Slot]:
    """Return the arrays of layers one after another, by their names in their chain."""
    return [
        slot.within(str(index), name)
        for index, (name, layer) in enumerate(chain.named)
        for slot in slots_of(layer)
    ]


def state_of(layer: Layer) -> dict[str, npt.NDArray[np.generic]]:
    """Return the state of the module that stands for a bound layer; empty of one that is not bound.

    PyTorch counts the batches that a batch norm has seen, and uses the count without a momentum
    only: it is 0.
    """
    if not layer.weights:
        return {}
    state: dict[str, npt.NDArray[np.generic]] = {
        slot.theirs: slot.to_theirs(layer.weights[slot.ours]) for slot in slots_of(layer)
    }
    if type(layer) is BatchNorm:
        state[COUNTER] = np.zeros((), np.int64)
    return state
