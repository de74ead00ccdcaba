"""The interface of the convolution algorithms (im2col and Winograd).

A convolutional layer calls four methods: `ready` transforms the weights, `forward` computes the
output of a block of images, `backward` its gradients, and `gradient` the gradient of the original
weights. Images have their channels last, ``(b, y, x, c)``.
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
    """Scratch memory by name, reused from call to call, reallocated when it is too small."""

    memory: MutableMapping[str, npt.NDArray[np.generic]]
    owner: str
    dtype: np.dtype[np.floating]

    def take(self, name: str, *shape: int) -> Array:
        """Return uninitialized memory of a shape."""
        key, size = f"{self.owner} {name}", prod(shape)
        flat = self.memory.get(key)
        if flat is None or flat.size < size or flat.dtype != self.dtype:
            flat = self.memory[key] = np.empty(size, self.dtype)
        return flat[:size].reshape(shape)  # type: ignore[return-value]


class ConvolutionAlgorithm(ABC):
    """A convolution of images (n, y, x, c) with weights of shape (size, size, c, f).

    Attributes
    ----------
    block : int or None
        The number of images of a block; None for all of them.
    """

    block: int | None

    @abstractmethod
    def ready(self, w: Array) -> Array:
        """Return the transformed weights, as `forward` and `backward` take them."""

    @abstractmethod
    def forward(self, x: Array, w: Array, y: Array, space: Workspace) -> None:
        """Write the output of a block; ``x``: (b, y, x, c); ``y``: (b, rows, columns, f)."""

    @abstractmethod
    def backward(
        self,
        x: Array,
        w_transposed: Array,
        dy: Array,
        dw: Array | None,
        dx: Array | None,
        space: Workspace,
    ) -> None:
        """Add to the gradient ``dw`` of the transformed weights and write ``dx``, if not None.

        ``w_transposed`` is the transformed weights with their last two axes swapped, in memory too:
        BLAS is slower at small products with a transposed matrix.
        """

    @abstractmethod
    def gradient(self, dw: Array, out: Array) -> None:
        """Write the gradient of the weights, from the gradient of the transformed weights."""
