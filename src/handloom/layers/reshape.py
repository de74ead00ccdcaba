"""Flatten and Reshape: layers that change the shape of rows and keep their entries."""

from __future__ import annotations  # numpy.random is loaded when it is used

from abc import abstractmethod
from math import prod

import numpy as np

from handloom.errors import ConfigurationError, ModelError, require_count
from handloom.layers.base import Layer
from handloom.parameters import Array


class NewShape(Layer):
    """Base class of `Flatten` and `Reshape`: a row keeps its entries and their order."""

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
        """Return a copy of ``x`` in the new shape, with its entries in row-major order."""
        self._save_for_backward(x, training)
        y = self._memory("y", (len(x), *self.output_shape(x.shape[1:])), x.dtype)
        np.copyto(y.reshape(x.shape), x)
        return y

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Return ``dy`` in the old shape."""
        x = self._saved_array()
        if not need_dx:
            return None
        dx = self._buffer("dx", x.shape, x.dtype)
        np.copyto(dx, dy.reshape(x.shape))
        return dx


class Flatten(NewShape):
    """Flattens every row, for example from images to the input of a dense layer.

    Forward and, given ``dy``, backward::

        y  = x, each row flattened       (n, d)
        dx = dy in the shape of x        (n, ...)

    Entries are in row-major (C) order: the last index changes fastest.
    """

    kind = "flatten"
    keeps_values = True

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``(d,)``, the number of entries of a row."""
        return (prod(input_shape),)


class Reshape(NewShape):
    """Reshapes every row; its entries and their order stay.

    Forward and, given ``dy``, backward::

        y  = x in the new shape     (n, *shape)
        dx = dy in the old one      (n, ...)

    Entries are in row-major (C) order: the last index changes fastest, so that in an image
    ``(c, y, x)`` a whole line of a channel comes before the next line.

    Parameters
    ----------
    shape : tuple or list of int
        The new shape of a row.

    Raises
    ------
    ConfigurationError
        If a size is not a whole number of at least 1.
    """

    kind = "reshape"
    keeps_values = True

    def __init__(self, shape: tuple[int, ...] | list[int]) -> None:
        super().__init__()
        if not isinstance(shape, (tuple, list)) or not shape:
            raise ConfigurationError(
                f"shape must be a tuple or list of at least one whole number, got {shape!r}"
            )
        self.shape = tuple(require_count("a size in shape", size) for size in shape)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the new shape of a row.

        Raises
        ------
        ModelError
            If it has another number of entries than the old one.
        """
        if prod(input_shape) != prod(self.shape):
            raise ModelError(
                f"{self.kind}: an input row must have {prod(self.shape):,} entries for shape "
                f"{self.shape}, got {prod(input_shape):,} (shape {input_shape})"
            )
        return self.shape

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {"shape": list(self.shape)}
