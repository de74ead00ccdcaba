"""Global average pooling: each channel of an image becomes its mean."""

from __future__ import annotations  # so that naming np.random.Generator does not load it

import numpy as np

from handloom.errors import ModelError
from handloom.layers.base import Layer
from handloom.layers.windows import channels_last
from handloom.parameters import Array


class GlobalAveragePool2D(Layer):
    """Global average pooling: the mean of each channel, over all its pixels.

    Forward and, given ``dy``, backward, for every image and channel, with ``N`` pixels::

        y        = sum over p, q of x[p, q] / N
        dx[p, q] = dy / N

    ``x`` and ``dx`` have shape ``(n, c, y, x)``, ``y`` and ``dy`` shape ``(n, c)``, which does not
    depend on the size of an image: a dense layer may follow without `Flatten`.

    References
    ----------
    Lin, Chen, Yan, "Network In Network", ICLR 2014.
    """

    kind = "global_average_pool2d"
    takes_images = True

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``(c,)``, the number of channels of an image ``(c, y, x)``.

        Raises
        ------
        ModelError
            If an input row is not an image.
        """
        if len(input_shape) != 3:
            raise ModelError(
                f"{self.kind}: an input row must be an image (c, y, x), got shape {input_shape}"
            )
        return input_shape[:1]

    def forward(
        self,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Return the means of the channels, shape (n, c), of images (n, c, y, x).

        Raises
        ------
        ModelError
            If ``x`` is not an array of images.
        """
        if x.ndim != 4:
            raise ModelError(f"{self.kind}: expected images (n, c, y, x), got shape {x.shape}")
        self._save_for_backward(x, training)  # backward needs its shape
        y = self._buffer("y", x.shape[:2], x.dtype)
        np.mean(channels_last(x), axis=(1, 2), out=y)
        return y

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Return ``dx``: every pixel of a channel gets the same share of ``dy``.

        Parameters
        ----------
        dy : array, shape (n, c)
        need_dx : bool
            False if no layer before this one is trained.

        Returns
        -------
        dx : array, shape (n, c, y, x), or None

        Raises
        ------
        ModelError
            If there was no training pass.
        """
        x = self._saved_array()
        if not need_dx:
            return None
        dx = self._buffer("dx", x.shape, x.dtype)
        height, width = x.shape[2:]
        channels_last(dx)[...] = (dy / (height * width))[:, None, None]
        return dx
