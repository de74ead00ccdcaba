"""What the algorithms of a convolution have in common.

A convolutional layer asks one of them for four things: weights made ready, the output of a block of
images, its gradients, and the gradient of the weights as they were. Images have their channels
last, ``(b, y, x, c)``.
"""

from abc import ABC, abstractmethod
from collections.abc import MutableMapping
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from handloom.parameters import Array


@dataclass(frozen=True)
class Workspace:
    """Memory by name, which is kept and grows."""

    memory: MutableMapping[str, npt.NDArray[np.generic]]
    owner: str
    dtype: np.dtype[np.floating]

    def take(self, name: str, *shape: int) -> Array:
        """Return memory of a shape, holding whatever was left there."""
        key, size = f"{self.owner} {name}", prod(shape)
        flat = self.memory.get(key)
        if flat is None or flat.size < size or flat.dtype != self.dtype:
            flat = self.memory[key] = np.empty(size, self.dtype)
        return flat[:size].reshape(shape)  # type: ignore[return-value]


class ConvolutionAlgorithm(ABC):
    """A way to slide weights of shape (size, size, c, f) over images (n, y, x, c).

    Attributes
    ----------
    block : int or None
        How many images to take at a time; None for all of them.
    """

    block: int | None

    @abstractmethod
    def ready(self, w: Array) -> Array:
        """Return the weights as `forward` and `backward` take them."""

    @abstractmethod
    def forward(self, x: Array, w: Array, y: Array, space: Workspace) -> None:
        """Write the output of a block; ``x``: (b, y, x, c); ``y``: (b, rows, columns, f)."""

    @abstractmethod
    def backward(
        self, x: Array, back: Array, dy: Array, dw: Array | None, dx: Array | None, space: Workspace
    ) -> None:
        """Add to the gradient of ready weights and write that of the input, where wanted.

        ``back`` is the ready weights with their last two axes swapped, in memory too: BLAS is
        slower at small products with a transposed matrix.
        """

    @abstractmethod
    def gradient(self, dw: Array, out: Array) -> None:
        """Write the gradient of the weights, given that of the ready ones."""
