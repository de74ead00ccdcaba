"""Dropout: entries set to zero at random in training, a regularization."""

from __future__ import annotations  # numpy.random is loaded when it is used

from collections.abc import Mapping

import numpy as np

from handloom.errors import ModelError, require_fraction
from handloom.layers.base import Layer
from handloom.operations import DropEntries
from handloom.parameters import Array

DRAW_VALUES = 1 << 16
"""The number of values that a draw can have: whole numbers below 65,536, so 16 bits."""


class Dropout(Layer):
    """Sets entries to zero at random in training, and scales up the others ("inverted" dropout).

    Forward and, given ``dy``, backward, with a mask ``M`` that is 1 with the keep probability
    ``q``, else 0::

        training:    y  = x M / q
                     dx = dy M / q
        inference:   y  = x

    So the expected value of ``y`` is ``x``, and inference needs no scaling. Every entry is drawn
    independently. ``x``, ``y``, ``dy`` and ``dx`` have one shape, ``(n, ...)``.

    A draw has 16 bits, so the rate is rounded to ``j / 65536``, with a whole number ``j`` from 1 to
    65,535; a rate of exactly 0 stays 0. An entry is dropped if its draw is below ``j``. ``q`` is
    one minus the rounded rate, so the expected value of ``y`` is ``x`` for every rate.

    Parameters
    ----------
    rate : float
        The probability that an entry is dropped, at least 0 and below 1; at 0 nothing is drawn.

    Raises
    ------
    ConfigurationError
        If the rate is out of range.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout: A Simple Way to Prevent
    Neural Networks from Overfitting", JMLR 15, 2014.
    """

    kind = "dropout"
    stochastic = True
    keeps_values = True

    def __init__(self, rate: float = 0.5) -> None:
        super().__init__()
        self.rate = require_fraction("rate", rate)

    @property
    def _dropped(self) -> int:
        """The number of values of a draw at which an entry is dropped."""
        if not self.rate:
            return 0
        return min(max(round(self.rate * DRAW_VALUES), 1), DRAW_VALUES - 1)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {"rate": self.rate}

    def as_operation(self, offsets: Mapping[str, int]) -> DropEntries:
        """Return dropout as a record."""
        return DropEntries(self._dropped)

    def forward(
        self,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Drop entries in training; return a copy of ``x`` otherwise.

        Raises
        ------
        ModelError
            If ``rng`` is missing in training, unless the rate is 0.
        """
        y = self._buffer("y", x.shape, x.dtype)
        if not training:
            np.copyto(y, x)
            return y
        scaled_mask = self._buffer("scaled_mask", x.shape, x.dtype)
        self._draw(scaled_mask, rng)
        np.multiply(x, scaled_mask, out=y)
        self._save_for_backward(scaled_mask, training)
        return y

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Return ``dy`` times the mask and the scale of the last training pass."""
        if not need_dx:
            return None
        scaled_mask = self._saved_array()
        dx = self._buffer("dx", scaled_mask.shape, scaled_mask.dtype)
        np.multiply(dy, scaled_mask, out=dx)
        return dx

    def _draw(self, scaled_mask: Array, rng: np.random.Generator | None) -> None:
        """Write ``M / q`` into ``scaled_mask``."""
        if not self._dropped:
            scaled_mask.fill(1.0)
            return
        if rng is None:
            raise ModelError("dropout: rng must be a generator in training, got None")
        # four draws from 64 bits, at half the cost of drawing floats
        words = rng.integers(0, 1 << 64, -(-scaled_mask.size // 4), np.uint64)
        draws = words.view(np.uint16)[: scaled_mask.size].reshape(scaled_mask.shape)
        np.copyto(scaled_mask, draws >= self._dropped)
        scaled_mask *= DRAW_VALUES / (DRAW_VALUES - self._dropped)
