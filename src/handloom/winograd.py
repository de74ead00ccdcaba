"""Winograd's transforms for windows of 3 x 3: tiles of 4 x 4 outputs, each from 6 x 6 inputs.

Along one axis, four outputs ``y`` of a window ``w`` that slides over six inputs ``d`` are
``y = A^T ((G w) (B^T d))``, with 6 products where 12 are due; along both axes, 36 where 144 are.
Transforms are linear, so the gradient of one is the transposed matrix.

References
----------
Lavin, Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016; the algorithm is
F(4 x 4, 3 x 3). Winograd, "Arithmetic Complexity of Computations", SIAM 1980.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from handloom.parameters import Array

TILE = 4
"""Outputs of a tile along one axis, and so how far apart tiles stand."""

SEEN = 6
"""Inputs that a tile sees along one axis."""

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
"""Of inputs."""

A = np.array(
    [
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ],
    np.float64,
).T
"""Of products, transposed into outputs."""

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
"""Of weights."""

G_BOTH = np.kron(G, G)
"""The same along both axes: shape (36, 9)."""

Take = Callable[..., Array]
"""``take(name, *shape)`` returns memory to compute in."""

Lines = Sequence[Array] | Array


def transform_inputs(x: Array, top: int, left: int, out: Array, take: Take) -> None:
    """Write ``B^T d B`` of every tile; see `handloom.kernels.Kernels.winograd_inputs`."""
    padded, by_row = _halfway(out.shape, take)
    padded.fill(0.0)
    padded[:, top : top + x.shape[1], left : left + x.shape[2]] = x
    combine(B.T, seen(padded.swapaxes(0, 1)), by_row.swapaxes(1, 2))
    combine(B.T, seen(by_row.transpose(3, 0, 1, 2, 4)), out.transpose(1, 4, 0, 2, 3, 5))


def transform_inputs_backward(tiles: Array, top: int, left: int, out: Array, take: Take) -> None:
    """Write the gradient of images, given that of `transform_inputs`' result."""
    padded, by_row = _halfway(tiles.shape, take)
    by_row.fill(0.0)
    add_combined(B, tiles.transpose(1, 4, 0, 2, 3, 5), seen(by_row.transpose(3, 0, 1, 2, 4)))
    padded.fill(0.0)
    add_combined(B, by_row.swapaxes(1, 2), seen(padded.swapaxes(0, 1)))
    np.copyto(out, padded[:, top : top + out.shape[1], left : left + out.shape[2]])


def transform_outputs(tiles: Array, out: Array, take: Take) -> None:
    """Write ``A^T M A`` of every tile; see `handloom.kernels.Kernels.winograd_outputs`."""
    whole, by_row = _whole(tiles.shape, take)
    combine(A.T, tiles, by_row)
    combine(A.T, by_row.swapaxes(0, 1), _by_place(whole))
    np.copyto(out, whole[:, : out.shape[1], : out.shape[2]])


def transform_outputs_backward(dy: Array, out: Array, take: Take) -> None:
    """Write the gradient of tiles, given that of `transform_outputs`' result."""
    whole, by_row = _whole(out.shape, take)
    whole.fill(0.0)
    whole[:, : dy.shape[1], : dy.shape[2]] = dy
    combine(A, _by_place(whole), by_row.swapaxes(0, 1))
    combine(A, by_row, out)


def combine(matrix: npt.NDArray[np.float64], parts: Lines, out: Array) -> None:
    """Write ``out[i] = sum over j of matrix[i, j] parts[j]``."""
    for row, total in zip(matrix, out, strict=True):
        (factor, first), *others = _terms(row, parts)
        np.multiply(first, factor, out=total)
        _add(others, total)


def add_combined(matrix: npt.NDArray[np.float64], parts: Lines, out: Lines) -> None:
    """Add ``sum over j of matrix[i, j] parts[j]`` to ``out[i]``; these may overlap."""
    for row, total in zip(matrix, out, strict=True):
        _add(_terms(row, parts), total)


def seen(x: Array) -> list[Array]:
    """Return what tiles along the first axis of ``x``, shape (4 t + 2, ...), see.

    Six views of shape (t, ...): the first input of every tile, the second, and so on.
    """
    length = len(x) - (SEEN - TILE)
    return [x[place : place + length : TILE] for place in range(SEEN)]


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


def _by_place(whole: Array) -> Array:
    """Return images (b, 4 t, 4 u, f) by place within tiles, shape (4, 4, b, t, u, f).

    The place along x comes first, then that along y.
    """
    b, y, x, f = whole.shape
    return whole.reshape(b, y // TILE, TILE, x // TILE, TILE, f).transpose(4, 2, 0, 1, 3, 5)


def _halfway(shape: tuple[int, ...], take: Take) -> tuple[Array, Array]:
    """Return memory for padded images, and for their tiles transformed along y only."""
    _, _, b, t, u, c = shape
    width = TILE * u + SEEN - TILE
    return take("padded", b, TILE * t + SEEN - TILE, width, c), take("by row", SEEN, b, t, width, c)


def _whole(shape: tuple[int, ...], take: Take) -> tuple[Array, Array]:
    """Return memory for outputs of whole tiles, and for those transformed along y only."""
    _, _, b, t, u, f = shape
    return take("whole", b, TILE * t, TILE * u, f), take("by row", TILE, SEEN, b, t, u, f)
