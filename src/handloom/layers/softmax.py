"""Softmax: from rows of logits to rows of probabilities."""

from __future__ import annotations  # numpy.random is loaded when it is used

import numpy as np

from handloom.errors import ModelError
from handloom.layers.base import Layer
from handloom.parameters import Array
from handloom.reductions import row_maxima, row_sums


class Softmax(Layer):
    """Turns each row of logits into probabilities.

    Forward and, given ``dy``, backward, for each row::

        y_j  = exp(x_j - max x) / sum_i exp(x_i - max x)
        dx_j = y_j (dy_j - sum_i dy_i y_i)

    All arrays have shape ``(n, k)``. The maximum is subtracted against overflow; it cancels.

    `SoftmaxCrossEntropy` computes softmax and cross-entropy together, from the logits. With this
    loss, a `Trainer` leaves out a softmax that is the network's last layer. Code that calls the
    loss by hand must pass it the logits, as `Sequential.without_activation` returns them: of
    probabilities, the loss computes the softmax again, with no more than a warning.
    """

    kind = "softmax"
    output_activation = "softmax"
    keeps_values = True

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the same shape.

        Raises
        ------
        ModelError
            If a row has a single entry, whose softmax is always 1.
        """
        if input_shape == (1,):
            raise ModelError(
                "softmax: a row must have at least 2 entries, got 1, of which the softmax is "
                "always 1: use Sigmoid() for a single output"
            )
        return input_shape

    def forward(
        self,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Compute the probabilities ``y`` of each row, shape (n, k); a training pass saves them."""
        y = softmax(x, out=self._buffer("y", x.shape, x.dtype))
        self._save_for_backward(y, training)
        return y

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Return ``dx = y (dy - sum_i dy_i y_i)``, shape (n, k), or None if it is not needed."""
        if not need_dx:
            return None
        y = self._saved_array()
        inner = np.einsum("nk,nk->n", dy, y)
        dx: Array = np.subtract(dy, inner[:, None], out=self._buffer("dx", y.shape, y.dtype))
        np.multiply(dx, y, out=dx)
        return dx


def softmax(x: Array, out: Array | None = None) -> Array:
    """Return ``exp(x) / sum exp(x)`` of each row, computed without overflow.

    Parameters
    ----------
    x : array, shape (n, k)
        Logits.
    out : array, shape (n, k), optional
        Where to write; may be ``x`` itself. By default a new array.

    Returns
    -------
    array, shape (n, k)
        ``out``, if it is set.
    """
    y: Array = np.subtract(x, row_maxima(x), out=out)
    np.exp(y, out=y)
    np.divide(y, row_sums(y), out=y)
    return y
