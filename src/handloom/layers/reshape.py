"""Layers that only look at the same numbers in another shape."""

from __future__ import annotations  # numpy.random is loaded when it is used

from abc import abstractmethod
from math import prod

import numpy as np

from handloom.errors import ConfigurationError, ModelError, require_count
from handloom.layers.base import Layer
from handloom.parameters import Array


class NewShape(Layer):
    """What the layers here have in common: a row keeps its numbers and their order."""

    @abstractmethod
    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the new shape of a row."""

    def forward(
        self,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Return ``x`` in the new shape: a copy, in the order in which its numbers are counted."""
        self._remember(x, training)
        y = self._memory("y", (len(x), *self.output_shape(x.shape[1:])), x.dtype)
        np.copyto(y.reshape(x.shape), x)
        return y

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Return ``dy`` in the old shape."""
        x = self._recall()
        if not need_dx:
            return None
        dx = self._buffer("dx", x.shape, x.dtype)
        np.copyto(dx, dy.reshape(x.shape))
        return dx


class Flatten(NewShape):
    """Lays the numbers of every row in a line: what stands between images and dense layers.

    Forward and, given ``dy``, backward::

        y  = x, row by row in a line     (n, d)
        dx = dy in the shape of x        (n, ...)

    Numbers are counted as they are written: the last index runs first.
    """

    kind = "flatten"

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``(d,)``: how many numbers a row has."""
        return (prod(input_shape),)


class Reshape(NewShape):
    """Gives every row another shape; its numbers and their order stay.

    Forward and, given ``dy``, backward::

        y  = x in the new shape     (n, *shape)
        dx = dy in the old one      (n, ...)

    Numbers are counted as they are written: the last index runs first, so that of an image
    ``(c, y, x)`` a whole line of a channel comes before the next line.

    Parameters
    ----------
    shape : tuple or list of int
        The new shape of a row.

    Raises
    ------
    ConfigurationError
        If a size means nothing.
    """

    kind = "reshape"

    def __init__(self, shape: tuple[int, ...] | list[int]) -> None:
        super().__init__()
        if not isinstance(shape, (tuple, list)) or not shape:
            raise ConfigurationError(f"shape must be a few whole numbers, got {shape!r}")
        self.shape = tuple(require_count("a size in shape", size) for size in shape)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the new shape of a row.

        Raises
        ------
        ModelError
            If it does not hold as many numbers as the old one.
        """
        if prod(input_shape) != prod(self.shape):
            raise ModelError(
                f"{self.kind}: a row of shape {input_shape} has {prod(input_shape):,} numbers, "
                f"shape {self.shape} takes {prod(self.shape):,}"
            )
        return self.shape

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {"shape": list(self.shape)}
