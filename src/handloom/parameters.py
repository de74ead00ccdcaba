"""One flat vector of weights, one of gradients, and named views into both.

Layers see arrays with names and shapes; optimizers, checkpoints and sums over shards see one
vector. Both look at the same memory.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handloom.errors import ModelError, require_number, unknown_name
from handloom.initializers import Initializer
from handloom.randomness import Purpose, Stream

Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class ParameterSpec:
    """What a layer declares of one trained array before memory exists.

    Parameters
    ----------
    shape : tuple of int
        The array's shape.
    initializer : Initializer
        How its values start.
    l1, l2 : float
        The strengths of its penalty, ``l1 * sum |w| + l2 * sum w^2``.
    """

    shape: tuple[int, ...]
    initializer: Initializer
    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        require_number("l1", self.l1, minimum=0.0)
        require_number("l2", self.l2, minimum=0.0)

    @property
    def size(self) -> int:
        """How many numbers the array holds."""
        return math.prod(self.shape)


class Parameters:
    """The weights of a network and their gradients.

    Parameters
    ----------
    specs : mapping of str to ParameterSpec
        The declared arrays, in the order in which they lie in the vectors.
    dtype : float32 or float64
        The type of both vectors.
    vector, gradient : array, shape (size,), optional
        Memory to share; without it it is allocated, as zeros.

    Attributes
    ----------
    vector : array, shape (size,)
        All weights.
    gradient : array, shape (size,)
        The gradient of the loss with respect to each of them.
    weights, gradients : dict of str to array
        Views into the two vectors, by name.

    Raises
    ------
    ModelError
        If the dtype is neither float32 nor float64.
    """

    def __init__(
        self,
        specs: Mapping[str, ParameterSpec],
        dtype: npt.DTypeLike = np.float32,
        *,
        vector: Array | None = None,
        gradient: Array | None = None,
    ) -> None:
        self.specs = dict(specs)
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise ModelError(f"dtype must be float32 or float64, got {self.dtype}")
        size = sum(spec.size for spec in self.specs.values())
        try:
            self.vector: Array = np.zeros(size, self.dtype) if vector is None else vector
            self.gradient: Array = np.zeros(size, self.dtype) if gradient is None else gradient
        except (MemoryError, ValueError, OverflowError):
            raise ModelError(f"{size:,} weights are more than fit into memory") from None
        self.weights = self.named(self.vector)
        self.gradients = self.named(self.gradient)

    def __len__(self) -> int:
        return len(self.vector)

    def named(self, vector: Array) -> dict[str, Array]:
        """Return views into a vector of this layout, shape (size,), by name."""
        views, start = {}, 0
        for name, spec in self.specs.items():
            views[name] = vector[start : start + spec.size].reshape(spec.shape)
            start += spec.size
        return views

    def replica(self, *, share_gradient: bool = False) -> "Parameters":
        """Return parameters that share these weights and have gradients of their own, or not."""
        gradient = self.gradient if share_gradient else None
        return Parameters(self.specs, self.dtype, vector=self.vector, gradient=gradient)

    def initialize(self, stream: Stream) -> None:
        """Draw starting values, each array from a stream of its own below ``stream``."""
        for place, (name, spec) in enumerate(self.specs.items()):
            generator = stream.at(Purpose.INITIALIZE, place).generator()
            self.weights[name][...] = spec.initializer(spec.shape, generator)

    def load(self, arrays: Mapping[str, Array]) -> None:
        """Copy values in, by name.

        Raises
        ------
        ModelError
            If a name is missing, unknown, or of another shape or dtype.
        """
        for name in arrays:
            if name not in self.weights:
                raise ModelError(unknown_name("array", name, self.weights))
        for name, view in self.weights.items():
            if name not in arrays:
                raise ModelError(f"the array {name!r} is missing")
            given = arrays[name]
            if given.shape != view.shape or given.dtype != view.dtype:
                raise ModelError(
                    f"the array {name!r} must be {view.dtype} of shape {view.shape}, "
                    f"got {given.dtype} of shape {given.shape}"
                )
        for name, view in self.weights.items():
            view[...] = arrays[name]

    def penalty(self) -> float:
        """Return ``sum over arrays of l1 * sum |w| + l2 * sum w^2``."""
        total = 0.0
        for name, spec in self.specs.items():
            if spec.l1:
                total += spec.l1 * float(np.abs(self.weights[name]).sum(dtype=np.float64))
            if spec.l2:
                flat = self.weights[name].reshape(-1)
                total += spec.l2 * float(np.dot(flat, flat))
        return total

    def add_penalty_gradient(self, scale: float = 1.0) -> None:
        """Add ``scale * (l1 sign w + 2 l2 w)`` to the gradients; at zero the slope is zero."""
        for name, spec in self.specs.items():
            if spec.l1:
                self.gradients[name] += (scale * spec.l1) * np.sign(self.weights[name])
            if spec.l2:
                self.gradients[name] += (2.0 * scale * spec.l2) * self.weights[name]
