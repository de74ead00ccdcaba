"""What it takes to run a network of dense layers as a whole, instead of layer by layer.

`handloom.network` says which networks can be run so, and sets of kernels make a pass for them if
they have one; NumPy's has none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from handloom.parameters import Array


@dataclass(frozen=True)
class DenseStep:
    """A dense layer and the function that its outputs go through.

    Attributes
    ----------
    inputs, units : int
    weights, biases : int
        Where its arrays begin in the vectors of weights and of gradients.
    activation : str
        ``"relu"``, ``"tanh"``, ``"sigmoid"``, or ``""`` for none.
    """

    inputs: int
    units: int
    weights: int
    biases: int
    activation: str


class Pass(Protocol):
    """Forward and backward through all layers, in memory that is used again by the next call."""

    def takes(self, rows: int) -> bool:
        """Return whether so many rows are better run so than layer by layer."""
        ...

    def forward(self, x: Array) -> Array:
        """Return the logits, shape (n, k), of rows ``x``, shape (n, d)."""
        ...

    def backward(self, dlogits: Array) -> None:
        """Write the gradient of every weight, from that of the last logits, shape (n, k)."""
        ...


def largest_product(steps: Sequence[DenseStep], rows: int) -> int:
    """Return how many multiplications the largest product of a pass over so many rows has."""
    return rows * max(step.inputs * step.units for step in steps)
