"""Winograd convolution with 3 x 3 windows: tiles of 4 x 4 outputs, each from 6 x 6 inputs.

Along one axis, four outputs ``y`` of a window ``w`` that slides over six inputs ``x`` are
``y = A^T ((G w) (B^T x))``, with 6 multiplications instead of 12; along both axes, 36 instead of
144. Transforms are linear, so the backward pass of one is the transposed matrix.

References
----------
Lavin, Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016; the algorithm is
F(4 x 4, 3 x 3). Winograd, "Arithmetic Complexity of Computations", SIAM 1980.
"""

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
import numpy.typing as npt

from handloom.layers.convolution_algorithms import ConvolutionAlgorithm, Workspace
from handloom.layers.windows import Windows
from handloom.parallel.partition import blocks, even_block_size, images_per_block
from handloom.parameters import Array

FEWEST_CHANNELS = 4
"""The fewest channels, and the fewest filters, for which Winograd's algorithm is used.

With 4 to 16 of both, forward and backward take 0.3 to 0.8 of the time of im2col, forward alone 0.6
to 1.4. A layer with 1 to 3 channels, the colors of an image, is the first one as a rule and has no
``dx`` to compute: there it would take 1.4 to 3 times as long.
"""

TILE = 4
"""Outputs of a tile along one axis, also the distance between tiles."""

SEEN = 6
"""Inputs of a tile along one axis."""

B = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    np.float64,
).T
"""The transform of inputs."""

A = np.array(
    [
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ],
    np.float64,
).T
"""The transform of products into outputs (transposed)."""

G = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
    np.float64,
)
"""The transform of weights."""

G_BOTH = np.kron(G, G)
"""The transform of weights along both axes, shape (36, 9)."""

Lines = Sequence[Array] | Array


class Winograd(ConvolutionAlgorithm):
    """Convolution with 3 x 3 windows at stride 1, with 36 multiplications instead of 144.

    Each tile of 4 x 4 outputs is computed from its 6 x 6 inputs ``x``. With ``U = G w G^T`` of each
    pair of channel and filter::

        V = B^T x B           36 entries a tile and channel
        M = V U               summed over channels: 36 products of (tiles, c) and (c, f)
        y = A^T M A           16 entries a tile and filter

        dM = A dy A^T         dU = V^T dM       dw = G^T dU G
        dV = dM U^T           dx = B dV B^T, added up where tiles overlap
    """

    # `functions` are the backend's versions of `winograd_forward` and `winograd_backward`, which
    # loop over blocks of images themselves
    block = None

    def __init__(
        self,
        windows: Windows,
        filters: int,
        itemsize: int,
        functions: tuple[Callable[..., None], Callable[..., None]],
    ) -> None:
        self.windows, self.filters = windows, filters
        self._forward, self._backward = functions
        self._tiles = -(-windows.rows // TILE), -(-windows.columns // TILE)
        entries = SEEN**2 * prod(self._tiles) * (windows.channels + filters)
        self._together = images_per_block(entries * itemsize, compiled=True)

    @staticmethod
    def suits(windows: Windows, filters: int) -> bool:
        """Return whether the algorithm applies to these windows, and is worth its transforms."""
        many = min(windows.channels, filters) >= FEWEST_CHANNELS
        large = min(windows.rows, windows.columns) >= TILE - 1  # else most of a tile is padding
        return windows.size == 3 and windows.stride == 1 and many and large

    def ready(self, w: Array) -> Array:
        """Return ``U = G w G^T``, shape (36, c, f)."""
        transformed: Array = G_BOTH.astype(w.dtype) @ w.reshape(9, -1)
        return transformed.reshape(SEEN**2, *w.shape[2:])

    def forward(self, x: Array, w: Array, y: Array, space: Workspace) -> None:
        """Write ``A^T (V U) A``."""
        self._forward(x, w, self.windows.top, self.windows.left, *self._memory(x, space), y)

    def backward(
        self,
        x: Array,
        w_transposed: Array,
        dy: Array,
        dw: Array | None,
        dx: Array | None,
        space: Workspace,
    ) -> None:
        """Add ``V^T dM`` to ``dw``, and write ``dx`` from ``dM U^T``."""
        corner = self.windows.top, self.windows.left
        self._backward(x, w_transposed, dy, *corner, *self._memory(x, space), dw, dx)

    def gradient(self, dw: Array, out: Array) -> None:
        """Write ``G^T dU G``."""
        both = G_BOTH.astype(dw.dtype)
        np.matmul(both.T, dw.reshape(SEEN**2, -1), out=out.reshape(9, -1))

    def _memory(self, x: Array, space: Workspace) -> tuple[Array, Array]:
        """Return memory for the tiles of one block of images."""
        shape = SEEN, SEEN, even_block_size(len(x), self._together), *self._tiles
        inputs = space.take("inputs", *shape, self.windows.channels)
        return inputs, space.take("outputs", *shape, self.filters)


def winograd_forward(
    x: Array, u: Array, top: int, left: int, inputs: Array, outputs: Array, y: Array
) -> None:
    """Compute a Winograd convolution, a block of images at a time.

    Parameters
    ----------
    x : array, shape (n, y, x, c)
    u : array, shape (36, c, f)
        Transformed weights.
    top, left : int
        As in `transform_inputs`.
    inputs, outputs : array, shape (6, 6, b, t, u, c) and (6, 6, b, t, u, f)
        Memory for the tiles of ``b`` images.
    y : array, shape (n, rows, columns, f)
        Overwritten with the result.
    """
    for images in blocks(slice(0, len(x)), inputs.shape[2]):
        v, m = _part(inputs, len(x[images])), _part(outputs, len(x[images]))
        transform_inputs(x[images], top, left, v)
        np.matmul(_as_matrices(v), u, out=_as_matrices(m))
        transform_outputs(m, y[images])


def winograd_backward(
    x: Array,
    back: Array,
    dy: Array,
    top: int,
    left: int,
    inputs: Array,
    outputs: Array,
    dw: Array | None,
    dx: Array | None,
) -> None:
    """Add the gradient of transformed weights to ``dw`` and write ``dx``, if they are not None.

    See `winograd_forward`; ``back`` has shape (36, f, c): ``u`` with its last two axes swapped.
    """
    for images in blocks(slice(0, len(x)), inputs.shape[2]):
        v, m = _part(inputs, len(x[images])), _part(outputs, len(x[images]))
        transform_outputs_backward(dy[images], m)
        if dw is not None:
            transform_inputs(x[images], top, left, v)
            dw += np.matmul(_as_matrices(v).transpose(0, 2, 1), _as_matrices(m))
        if dx is not None:
            np.matmul(_as_matrices(m), back, out=_as_matrices(v))
            transform_inputs_backward(v, top, left, dx[images])


def transform_inputs(x: Array, top: int, left: int, out: Array) -> None:
    """Write ``B^T x B`` of every tile.

    Parameters
    ----------
    x : array, shape (b, y, x, c)
    top, left : int
        Rows and columns of zeros before an image; after it there are as many as tiles cover.
    out : array, shape (6, 6, b, t, u, c)
    """
    padded, by_row = _halfway(out.shape, out.dtype)
    padded.fill(0.0)
    padded[:, top : top + x.shape[1], left : left + x.shape[2]] = x
    combine(B.T, seen(padded.swapaxes(0, 1)), by_row.swapaxes(1, 2))
    combine(B.T, seen(by_row.transpose(3, 0, 1, 2, 4)), out.transpose(1, 4, 0, 2, 3, 5))


def transform_inputs_backward(tiles: Array, top: int, left: int, out: Array) -> None:
    """Write the gradient of images, from the gradient of the result of `transform_inputs`."""
    padded, by_row = _halfway(tiles.shape, tiles.dtype)
    by_row.fill(0.0)
    add_combined(B, tiles.transpose(1, 4, 0, 2, 3, 5), seen(by_row.transpose(3, 0, 1, 2, 4)))
    padded.fill(0.0)
    add_combined(B, by_row.swapaxes(1, 2), seen(padded.swapaxes(0, 1)))
    np.copyto(out, padded[:, top : top + out.shape[1], left : left + out.shape[2]])


def transform_outputs(tiles: Array, out: Array) -> None:
    """Write ``A^T M A`` of every tile, each 4 x 4 pixels.

    Parameters
    ----------
    tiles : array, shape (6, 6, b, t, u, f)
    out : array, shape (b, y, x, f)
        Parts of tiles beyond its edge are dropped.
    """
    whole, by_row = _whole(tiles.shape, tiles.dtype)
    combine(A.T, tiles, by_row)
    combine(A.T, by_row.swapaxes(0, 1), _by_offset(whole))
    np.copyto(out, whole[:, : out.shape[1], : out.shape[2]])


def transform_outputs_backward(dy: Array, out: Array) -> None:
    """Write the gradient of tiles, from the gradient of the result of `transform_outputs`."""
    whole, by_row = _whole(out.shape, out.dtype)
    whole.fill(0.0)
    whole[:, : dy.shape[1], : dy.shape[2]] = dy
    combine(A, _by_offset(whole), by_row.swapaxes(0, 1))
    combine(A, by_row, out)


def combine(matrix: npt.NDArray[np.float64], parts: Lines, out: Array) -> None:
    """Write ``out[i] = sum over j of matrix[i, j] parts[j]``."""
    for row, total in zip(matrix, out, strict=True):
        (factor, first), *others = _terms(row, parts)
        np.multiply(first, factor, out=total)
        _add(others, total)


def add_combined(matrix: npt.NDArray[np.float64], parts: Lines, out: Lines) -> None:
    """Add ``sum over j of matrix[i, j] parts[j]`` to ``out[i]``; entries of ``out`` may overlap."""
    for row, total in zip(matrix, out, strict=True):
        _add(_terms(row, parts), total)


def seen(x: Array) -> list[Array]:
    """Return the inputs of tiles along the first axis of ``x``, shape (4 t + 2, ...).

    Six views of shape (t, ...): the first input of every tile, the second, and so on.
    """
    extent = len(x) - (SEEN - TILE)
    return [x[offset : offset + extent : TILE] for offset in range(SEEN)]


def _terms(row: npt.NDArray[np.float64], parts: Lines) -> list[tuple[float, Array]]:
    return [(float(factor), part) for factor, part in zip(row, parts, strict=True) if factor]


def _add(terms: Sequence[tuple[float, Array]], total: Array) -> None:
    for factor, part in terms:
        if factor == 1.0:
            total += part
        elif factor == -1.0:
            total -= part
        else:
            total += factor * part


def _by_offset(whole: Array) -> Array:
    """Return images (b, 4 t, 4 u, f) by offset within tiles, shape (4, 4, b, t, u, f).

    The offset along x comes first, then that along y.
    """
    b, y, x, f = whole.shape
    return whole.reshape(b, y // TILE, TILE, x // TILE, TILE, f).transpose(4, 2, 0, 1, 3, 5)


def _halfway(shape: tuple[int, ...], dtype: npt.DTypeLike) -> tuple[Array, Array]:
    """Return memory for padded images, and for their tiles, transformed along y only."""
    _, _, b, t, u, c = shape
    width = TILE * u + SEEN - TILE
    padded = np.empty((b, TILE * t + SEEN - TILE, width, c), dtype)
    return padded, np.empty((SEEN, b, t, width, c), dtype)


def _whole(shape: tuple[int, ...], dtype: npt.DTypeLike) -> tuple[Array, Array]:
    """Return memory for outputs of whole tiles, and for those transformed along y only."""
    _, _, b, t, u, f = shape
    return np.empty((b, TILE * t, TILE * u, f), dtype), np.empty((TILE, SEEN, b, t, u, f), dtype)


def _part(tiles: Array, images: int) -> Array:
    """Return contiguous memory for the tiles of fewer images."""
    shape = (*tiles.shape[:2], images, *tiles.shape[3:])
    return tiles.reshape(-1)[: prod(shape)].reshape(shape)


def _as_matrices(tiles: Array) -> Array:
    """Return (6, 6, b, t, u, c) as (36, tiles, c)."""
    return tiles.reshape(SEEN**2, -1, tiles.shape[-1])
