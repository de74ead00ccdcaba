"""Conv2D: the convolutional layer over images."""

from __future__ import annotations  # numpy.random is loaded when it is used

from collections.abc import Callable, Mapping
from functools import partial
from typing import ClassVar

import numpy as np

from handloom.arguments import BY_POSITION
from handloom.backend import Backend
from handloom.errors import (
    ConfigurationError,
    ModelError,
    require_bool,
    require_count,
    require_number,
)
from handloom.initializers import Initializer, Zeros, initializer, initializer_config
from handloom.layers.base import Layer
from handloom.layers.convolution_algorithms import ConvolutionAlgorithm, Workspace
from handloom.layers.im2col import Im2col
from handloom.layers.windows import (
    Padding,
    Windows,
    channels_last,
    contiguous_rows,
    require_padding,
)
from handloom.layers.winograd import Winograd, winograd_backward, winograd_forward
from handloom.parallel.partition import blocks, image_pieces
from handloom.parameters import Array, ParameterSpec
from handloom.reductions import column_sums


class Conv2D(Layer):
    """A 2-D convolutional layer over images.

    Forward and, given ``dy``, backward, with ``s`` the stride, for every row of the batch, output
    pixel ``(u, v)`` and filter ``f``; ``x`` is here the padded image, ``p`` and ``q`` count its
    pixels, and the ``dx`` of added zeros is dropped::

        y[f, u, v]     = b[f] + sum over i, j, c of x[c, s u + i, s v + j] W[i, j, c, f]

        dW[i, j, c, f] = sum over rows, u, v of x[c, s u + i, s v + j] dy[f, u, v]
        db[f]          = sum over rows, u, v of dy[f, u, v]
        dx[c, p, q]    = sum over the u, v, i, j with s u + i = p and s v + j = q, and over f,
                         of dy[f, u, v] W[i, j, c, f]

    (This is a cross-correlation: the kernel is not flipped.) Images have shape ``(n, c, y, x)``;
    the output has shape ``(n, f, (y - K) // s + 1, (x - K) // s + 1)``, with ``y`` and ``x`` after
    padding, for windows of ``K`` by ``K``; its channels are last in memory.

    The sums are computed by one of two algorithms: as one matrix product of all windows
    (`handloom.layers.im2col`) or, for 3 x 3 windows at stride 1 with at least 4 channels and
    filters where it is compiled, by Winograd's algorithm (`handloom.layers.winograd`). The choice
    depends on backend and shapes only.

    Parameters
    ----------
    filters : int
        The number of output channels, ``f``.
    size : int
        The kernel size: the side of a window, ``K``.
    stride : int
        The distance between windows in pixels, ``s``.
    padding : int, "same" or "valid"
        The zeros around an image: this number on each side; ``"same"``: as many as give an output
        of the same size at stride 1 (in general ``ceil(y / s)``; an odd one goes after);
        ``"valid"``: none.
    biases : bool
        Whether there are biases; a `BatchNorm` that follows directly subtracts them again.
    weights : str or Initializer
        The initializer of the weights, shape ``(K, K, c, f)``; the biases start at zero.
    weights_l1, weights_l2, biases_l1, biases_l2 : float
        The strengths of the penalties; see `handloom.Dense`.

    Raises
    ------
    ConfigurationError
        If an option is invalid.

    References
    ----------
    LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition",
    Proceedings of the IEEE 86, 1998.
    """

    kind = "conv2d"
    takes_images = True

    _argument_advice: ClassVar[Mapping[str, str]] = {
        **Layer._argument_advice,
        BY_POSITION: "Write Conv2D(filters, size, stride=1, padding=0); the number of input "
        "channels comes from network.build",
    }

    def __init__(
        self,
        filters: int,
        size: int,
        *,
        stride: int = 1,
        padding: Padding = 0,
        biases: bool = True,
        weights: str | dict[str, object] | Initializer = "he",
        weights_l1: float = 0.0,
        weights_l2: float = 0.0,
        biases_l1: float = 0.0,
        biases_l2: float = 0.0,
    ) -> None:
        super().__init__()
        self.filters = require_count("filters", filters)
        self.size = require_count("size", size)
        self.stride = require_count("stride", stride)
        self.padding = require_padding(padding)
        if isinstance(self.padding, int) and self.padding >= self.size:
            raise ConfigurationError(
                f"padding must be smaller than the window of {self.size}, got {self.padding}: "
                f"windows at the edge would hold zeros only"
            )
        self.biases = require_bool("biases", biases)
        self.initializer = initializer(weights)
        self.weights_l1 = require_number("weights_l1", weights_l1, minimum=0.0)
        self.weights_l2 = require_number("weights_l2", weights_l2, minimum=0.0)
        self.biases_l1 = require_number("biases_l1", biases_l1, minimum=0.0)
        self.biases_l2 = require_number("biases_l2", biases_l2, minimum=0.0)
        if not biases and (self.biases_l1 or self.biases_l2):
            raise ConfigurationError(
                f"biases_l1 and biases_l2 must be 0 with biases=False, got {self.biases_l1:g} and "
                f"{self.biases_l2:g}"
            )

    def declare(self, input_shape: tuple[int, ...]) -> dict[str, ParameterSpec]:
        """Declare weights of shape (K, K, c, f) and biases of shape (f,).

        Raises
        ------
        ModelError
            If an input row is not an image, or smaller than a window.
        """
        channels = self._windows(input_shape).channels
        shape = (self.size, self.size, channels, self.filters)
        w = ParameterSpec(shape, self.initializer, self.weights_l1, self.weights_l2)
        b = ParameterSpec((self.filters,), Zeros(), self.biases_l1, self.biases_l2)
        return {"weights": w, "biases": b} if self.biases else {"weights": w}

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``(f, rows, columns)``: a pixel for every window."""
        windows = self._windows(input_shape)
        return (self.filters, windows.rows, windows.columns)

    def multiplications(self, input_shape: tuple[int, ...]) -> int:
        """Return the number of weights times the number of windows."""
        windows = self._windows(input_shape)
        return super().multiplications(input_shape) * windows.rows * windows.columns

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {
            "filters": self.filters,
            "size": self.size,
            "stride": self.stride,
            "padding": self.padding,
            "biases": self.biases,
            "weights": initializer_config(self.initializer),
            "weights_l1": self.weights_l1,
            "weights_l2": self.weights_l2,
            "biases_l1": self.biases_l1,
            "biases_l2": self.biases_l2,
        }

    def forward(
        self,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Compute ``y``, shape (n, f, rows, columns), of images (n, c, y, x).

        Raises
        ------
        ModelError
            If the layer is not built, or ``x`` is not an array of images with c channels.
        """
        w = self._bound(x)
        windows = self._windows(x.shape[1:])
        self._save_for_backward(x, training)
        y = self._buffer("y", (len(x), self.filters, windows.rows, windows.columns), w.dtype)
        algorithm = self._algorithm(windows, w)
        ready, images, out = algorithm.ready(w), channels_last(x), channels_last(y)

        def run(_piece: int, rows: slice, space: Workspace) -> None:
            for block in blocks(rows, algorithm.block):
                algorithm.forward(images[block], ready, out[block], space)
                if self.biases:
                    pixels = out[block].reshape(-1, self.filters)
                    pixels += self.weights["biases"]

        self._share(len(x), windows, run, w.dtype)
        return y

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Write ``dW`` and ``db``; return ``dx`` of shape (n, c, y, x), or None."""
        x, w = self._saved_array(), self.weights["weights"]
        windows = self._windows(x.shape[1:])
        algorithm = self._algorithm(windows, w)
        ready, images, slopes = algorithm.ready(w), channels_last(x), channels_last(dy)
        swapped = ready.swapaxes(-2, -1)
        w_transposed = self._memory("w_transposed", swapped.shape, w.dtype)
        np.copyto(w_transposed, swapped)
        dx = self._buffer("dx", x.shape, w.dtype) if need_dx else None
        # pieces may run at the same time: each has its own sums
        sums = self._memory("dw", (self.pool.lanes, *ready.shape), w.dtype)
        bias_sums = self._memory("db", (self.pool.lanes, self.filters), w.dtype)

        def run(piece: int, rows: slice, space: Workspace) -> None:
            dw, db = sums[piece], bias_sums[piece]
            dw.fill(0.0)
            db.fill(0.0)
            own_dw = dw if self.trainable else None
            for block in blocks(rows, algorithm.block):
                d = slopes[block]
                into = None if dx is None else channels_last(dx)[block]
                algorithm.backward(images[block], w_transposed, d, own_dw, into, space)
                if self.biases and self.trainable:
                    part = space.take("db", self.filters)
                    self._column_sums(contiguous_rows(d), out=part)
                    db += part

        pieces = self._share(len(x), windows, run, w.dtype)
        for piece in range(1, pieces):
            sums[0] += sums[piece]
            bias_sums[0] += bias_sums[piece]
        algorithm.gradient(sums[0], out=self.gradients["weights"])
        if self.biases:
            np.copyto(self.gradients["biases"], bias_sums[0])
        return dx

    def _share(
        self,
        images: int,
        windows: Windows,
        run: Callable[[int, slice, Workspace], None],
        dtype: np.dtype[np.floating],
    ) -> int:
        """Run the images in pieces, shared by the pool; return the number of pieces."""
        work = images * windows.rows * windows.columns * self.size**2
        pieces = image_pieces(images, work * windows.channels * self.filters, self.pool.lanes)
        memory = {} if self._buffers is None else self._buffers
        self.pool.run(
            [
                partial(run, piece, rows, Workspace(memory, f"piece {piece}", dtype))
                for piece, rows in enumerate(pieces)
            ]
        )
        return len(pieces)

    def _windows(self, input_shape: tuple[int, ...]) -> Windows:
        return Windows.over(self.kind, input_shape, self.size, self.stride, self.padding)

    def set_backend(self, backend: Backend) -> None:
        """Use the backend's sum of rows and, if it is compiled, Winograd's algorithm."""
        self._column_sums = backend.version_of(column_sums)
        self._winograd = None
        if backend.compiles(winograd_forward):
            self._winograd = (
                backend.version_of(winograd_forward),
                backend.version_of(winograd_backward),
            )

    def _algorithm(self, windows: Windows, w: Array) -> ConvolutionAlgorithm:
        """Return the algorithm, which depends on shapes and backend only.

        Winograd's many passes over tiles are made only where they are compiled.
        """
        if self._winograd is not None and Winograd.suits(windows, self.filters):
            return Winograd(windows, self.filters, w.itemsize, self._winograd)
        return Im2col(windows, self.filters, w.itemsize)

    def _bound(self, x: Array) -> Array:
        if "weights" not in self.weights:
            raise ModelError(f"{self.kind}: build the layer before running it")
        w = self.weights["weights"]
        if x.ndim != 4 or x.shape[1] != w.shape[2]:
            raise ModelError(
                f"{self.kind}: expected images (n, {w.shape[2]}, y, x), got shape {x.shape}"
            )
        return w
