"""im2col: convolution as one matrix product, with every window laid out as a row of a matrix."""

import numpy as np

from handloom.layers.convolution_algorithms import ConvolutionAlgorithm, Workspace
from handloom.layers.windows import Windows, contiguous_rows
from handloom.parallel.partition import images_per_block
from handloom.parameters import Array

FEW_CHANNELS = 8
"""With fewer channels, columns are laid out window entry by window entry."""


class Im2col(ConvolutionAlgorithm):
    """Convolution as one matrix product (im2col): every window is a row of a matrix.

    ::

        C  = the window of each output pixel   (pixels, K K c)
        y  = C W                               (pixels, f)

        dW = C^T dy
        dC = dy W^T, each entry added to the pixel that it was copied from

    ``C`` is computed again in backward: kept, it would take up to ``K^2`` times the memory of
    ``x``.

    References
    ----------
    Chellapilla, Puri, Simard, "High Performance Convolutional Neural Networks for Document
    Processing", IWFHR 2006.
    """

    def __init__(self, windows: Windows, filters: int, itemsize: int) -> None:
        self.windows, self.filters = windows, filters
        self.taps = windows.size**2 * windows.channels
        pixels = windows.rows * windows.columns
        self.block = images_per_block(pixels * (self.taps + filters) * itemsize)

    def ready(self, w: Array) -> Array:
        """Return the weights as a matrix, shape (K K c, f)."""
        return w.reshape(self.taps, self.filters)

    def forward(self, x: Array, w: Array, y: Array, space: Workspace) -> None:
        """Write ``C W``."""
        np.matmul(self._columns(x, space), w, out=y.reshape(-1, self.filters))

    def backward(
        self,
        x: Array,
        w_transposed: Array,
        dy: Array,
        dw: Array | None,
        dx: Array | None,
        space: Workspace,
    ) -> None:
        """Add ``C^T dy`` to ``dw`` and write ``dx``."""
        dy = contiguous_rows(dy)
        if dw is not None:
            dw += np.matmul(self._columns(x, space).T, dy, out=space.take("dw", *dw.shape))
        if dx is None:
            return
        columns, flat = self._layout(len(x), space)
        np.matmul(dy, w_transposed, out=flat)
        padded = space.take("padded", len(x), *self.windows.covered, self.windows.channels)
        padded.fill(0.0)
        size = self.windows.size
        for entry, step in enumerate(self.windows.steps()):
            padded[step] += columns[:, :, :, entry // size, entry % size]
        np.copyto(dx, padded[self.windows.inner])

    def gradient(self, dw: Array, out: Array) -> None:
        """Write the matrix in the shape of the weights."""
        np.copyto(out, dw.reshape(out.shape))

    def _columns(self, x: Array, space: Workspace) -> Array:
        padded = space.take("padded", len(x), *self.windows.covered, self.windows.channels)
        self.windows.pad(x, out=padded)
        columns, flat = self._layout(len(x), space)
        np.copyto(columns, self.windows.of(padded))
        return flat

    def _layout(self, images: int, space: Workspace) -> tuple[Array, Array]:
        """Return memory for columns, as windows and as a matrix.

        With many channels the entries of one pixel are contiguous, with few channels those of
        neighboring pixels are: the copied runs are long in both cases.
        """
        windows = self.windows
        pixels = (images, windows.rows, windows.columns)
        window = (windows.size, windows.size, windows.channels)
        if windows.channels < FEW_CHANNELS:
            memory = space.take("columns", *window, *pixels)
            return memory.transpose(3, 4, 5, 0, 1, 2), memory.reshape(self.taps, -1).T
        memory = space.take("columns", *pixels, *window)
        return memory, memory.reshape(-1, self.taps)
