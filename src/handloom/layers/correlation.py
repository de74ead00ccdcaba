"""Two ways to compute a convolution over a block of images.

A convolutional layer asks one of them for four things: weights made ready, the output of a block,
its gradients, and the gradient of the weights as they were. Images have their channels last,
``(b, y, x, c)``, and a block is as large as its workspace may be.
"""

import sys
from abc import ABC, abstractmethod
from collections.abc import MutableMapping
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from handloom.kernels import Kernels
from handloom.layers.windows import Windows, contiguous_rows
from handloom.parameters import Array
from handloom.winograd import G_BOTH, SEEN, TILE

WORKSPACE = 1 << 22
"""How many bytes a block of images should need at most.

Smaller ones would stay closer to the core, but threads then meet more often between their calls.
"""

COMPILED_WORKSPACE = 1 << 21
"""The same for a compiled loop over blocks, in which threads do not meet."""

FEW_CHANNELS = 8
"""With fewer channels, columns are laid out window place by window place."""

MANY_CHANNELS = 16
"""From so many channels and filters on, tiles pay for their transforms."""


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


class Correlation(ABC):
    """A way to slide weights of shape (size, size, c, f) over images.

    Attributes
    ----------
    block : int
        How many images to take at a time.
    """

    block: int

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


class Columns(Correlation):
    """Convolution as one product: every window laid out as a row.

    ::

        C  = the window of each output pixel   (p, size size c)
        y  = C W                               (p, f)

        dW = C^T dy
        dC = dy W^T, and each entry of it is added to the pixel that it came from

    ``C`` is made anew on the way back: copying it costs less than keeping it would.

    References
    ----------
    Chellapilla, Puri, Simard, "High Performance Convolutional Neural Networks for Document
    Processing", IWFHR 2006.
    """

    def __init__(self, windows: Windows, filters: int, itemsize: int, kernels: Kernels) -> None:
        self.windows, self.filters, self.kernels = windows, filters, kernels
        self.taps = windows.size**2 * windows.channels
        pixels = windows.rows * windows.columns
        self.block = max(1, WORKSPACE // (pixels * (self.taps + filters) * itemsize))

    def ready(self, w: Array) -> Array:
        """Return the weights as a matrix, shape (size size c, f)."""
        return w.reshape(self.taps, self.filters)

    def forward(self, x: Array, w: Array, y: Array, space: Workspace) -> None:
        """Write ``C W``."""
        np.matmul(self._columns(x, space), w, out=y.reshape(-1, self.filters))

    def backward(
        self, x: Array, back: Array, dy: Array, dw: Array | None, dx: Array | None, space: Workspace
    ) -> None:
        """Add ``C^T dy`` to ``dw`` and write ``dx``."""
        dy = contiguous_rows(dy)
        if dw is not None:
            dw += np.matmul(self._columns(x, space).T, dy, out=space.take("dw", *dw.shape))
        if dx is None:
            return
        columns, flat = self._layout(len(x), space)
        np.matmul(dy, back, out=flat)
        padded = space.take("padded", len(x), *self.windows.covered, self.windows.channels)
        padded.fill(0.0)
        size = self.windows.size
        for place, step in enumerate(self.windows.steps()):
            padded[step] += columns[:, :, :, place // size, place % size]
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

        With many channels the entries of one pixel lie together, with few those of neighbouring
        pixels do: either way there are long runs to copy.
        """
        windows = self.windows
        pixels = (images, windows.rows, windows.columns)
        window = (windows.size, windows.size, windows.channels)
        if windows.channels < FEW_CHANNELS:
            memory = space.take("columns", *window, *pixels)
            return memory.transpose(3, 4, 5, 0, 1, 2), memory.reshape(self.taps, -1).T
        memory = space.take("columns", *pixels, *window)
        return memory, memory.reshape(-1, self.taps)


class Tiles(Correlation):
    """Winograd's convolution: windows of 3 x 3, one apart, with 36 products where 144 are due.

    Each tile of 4 x 4 outputs is computed from the 6 x 6 inputs ``d`` that it sees. With
    ``U = G w G^T`` of each pair of channel and filter::

        V = B^T d B           36 numbers a tile and channel
        M = V U               summed over channels: 36 products of (tiles, c) and (c, f)
        y = A^T M A           16 numbers a tile and filter

        dM = A dy A^T         dU = V^T dM       dw = G^T dU G
        dV = dM U^T           dd = B dV B^T, added up where tiles overlap

    The transforms and their source are in `handloom.winograd`.
    """

    def __init__(self, windows: Windows, filters: int, itemsize: int, kernels: Kernels) -> None:
        self.windows, self.filters, self.kernels = windows, filters, kernels
        self.tiles = -(-windows.rows // TILE), -(-windows.columns // TILE)
        numbers = SEEN**2 * prod(self.tiles) * (windows.channels + filters)
        workspace = COMPILED_WORKSPACE if kernels.convolves else WORKSPACE
        self.together = max(1, workspace // (numbers * itemsize))
        self.block = sys.maxsize if kernels.convolves else self.together

    @staticmethod
    def suit(windows: Windows, filters: int) -> bool:
        """Return whether windows are of the kind that tiles can do, and tiles worth it."""
        many = min(windows.channels, filters) >= MANY_CHANNELS
        large = min(windows.rows, windows.columns) >= TILE - 1  # most of a tile would be nothing
        return windows.size == 3 and windows.stride == 1 and many and large

    def ready(self, w: Array) -> Array:
        """Return ``U = G w G^T``, shape (36, c, f)."""
        transformed: Array = G_BOTH.astype(w.dtype) @ w.reshape(9, -1)
        return transformed.reshape(SEEN**2, *w.shape[2:])

    def forward(self, x: Array, w: Array, y: Array, space: Workspace) -> None:
        """Write ``A^T (V U) A``."""
        if self.kernels.convolves:
            self.kernels.convolve(x, w, *self._place, *self._block_tiles(x, space), y)
            return
        inputs, outputs = self._inputs(x, space), self._tiles("outputs", len(x), space)
        np.matmul(_products(inputs), w, out=_products(outputs))
        self.kernels.winograd_outputs(outputs, y, space.take)

    def backward(
        self, x: Array, back: Array, dy: Array, dw: Array | None, dx: Array | None, space: Workspace
    ) -> None:
        """Add ``V^T dM`` to ``dw``, and write ``dx`` from ``dM U^T``."""
        if self.kernels.convolves:
            tiles = self._block_tiles(x, space)
            self.kernels.convolve_backward(x, back, dy, *self._place, *tiles, dw, dx)
            return
        outputs = self._tiles("outputs", len(x), space)
        self.kernels.winograd_outputs_backward(dy, outputs, space.take)
        if dw is not None:
            across = _products(self._inputs(x, space)).transpose(0, 2, 1)
            dw += np.matmul(across, _products(outputs), out=space.take("dw", *dw.shape))
        if dx is None:
            return
        inputs = self._tiles("inputs", len(x), space)
        np.matmul(_products(outputs), back, out=_products(inputs))
        self.kernels.winograd_inputs_backward(inputs, *self._place, dx, space.take)

    def gradient(self, dw: Array, out: Array) -> None:
        """Write ``G^T dU G``."""
        both = G_BOTH.astype(dw.dtype)
        np.matmul(both.T, dw.reshape(SEEN**2, -1), out=out.reshape(9, -1))

    @property
    def _place(self) -> tuple[int, int]:
        """Where images begin within their tiles, along y and along x."""
        return self.windows.top, self.windows.left

    def _inputs(self, x: Array, space: Workspace) -> Array:
        inputs = self._tiles("inputs", len(x), space)
        self.kernels.winograd_inputs(x, *self._place, inputs, space.take)
        return inputs

    def _block_tiles(self, x: Array, space: Workspace) -> tuple[Array, Array]:
        """Return memory for the tiles of as many images as go together, cut evenly."""
        cuts = max(1, round(len(x) / self.together))
        images = max(1, -(-len(x) // cuts))
        return self._tiles("inputs", images, space), self._tiles("outputs", images, space)

    def _tiles(self, name: str, images: int, space: Workspace) -> Array:
        """Return memory for transformed inputs or outputs, shape (6, 6, b, down, across, c)."""
        deep = self.windows.channels if name == "inputs" else self.filters
        return space.take(name, SEEN, SEEN, images, *self.tiles, deep)


def _products(tiles: Array) -> Array:
    """Return (6, 6, b, down, across, c) as (36, tiles, c)."""
    return tiles.reshape(SEEN**2, -1, tiles.shape[-1])
