"""Compiled versions of `handloom.layers.winograd`, matrix products included.

Images are transformed to tiles, multiplied and transformed back a few at a time, so that the tiles
stay in the cache of the core; the GIL is released throughout.

The transforms go tile row by tile row: along y for all columns at once, then along x tile by tile,
in lines that stay in the cache. Tiles overlap: their stride is 4, their size 6. The six lines of a
transformed tile are scattered over ``v``: the first at offset ``at``, the others ``apart`` entries
after the one before.
"""

from typing import Any

import numpy as np

from handloom.fused.compiling import compiled, compiled_inline
from handloom.fused.gemm import add_gemm_tn, gemm_address, gemm_nn
from handloom.operations import Array

COMPILES = "handloom.layers.winograd"


def winograd_forward(
    x: Array, u: Array, top: int, left: int, inputs: Array, outputs: Array, y: Array
) -> None:
    """Convolve images by Winograd's algorithm."""
    gemm = gemm_address(x.dtype)
    _forward(gemm, np.ascontiguousarray(x), u, top, left, inputs, outputs, y)


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
    """Add the gradient of transformed weights to ``dw`` and write that of ``x``, unless None."""
    _backward(
        gemm_address(x.dtype),
        np.ascontiguousarray(x),
        back,
        np.ascontiguousarray(dy),
        top,
        left,
        inputs,
        outputs,
        back[:0] if dw is None else dw,
        x[:0] if dx is None else dx,
    )


def available(dtype: np.dtype[Any]) -> bool:
    """Return whether NumPy's BLAS can be called from compiled code."""
    return gemm_address(dtype) is not None


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the functions compiled for a dtype."""
    x, w, tiles = np.zeros((1, 4, 4, 2), dtype), np.zeros((36, 2, 2), dtype), (6, 6, 1, 1, 1, 2)
    inputs, outputs = np.zeros(tiles, dtype), np.zeros(tiles, dtype)
    winograd_forward(x, w, 1, 1, inputs, outputs, x.copy())
    winograd_backward(x, w, x, 1, 1, inputs, outputs, w.copy(), x.copy())


@compiled
def _forward(gemm, x, u, top, left, inputs, outputs, y):  # type: ignore[no-untyped-def]
    """Write ``A^T (V U) A`` of all images.

    ``inputs`` and ``outputs`` are memory for the tiles of a block: (6, 6, b, down, across, c) and
    (6, 6, b, down, across, f).
    """
    for start in range(0, len(x), inputs.shape[2]):
        stop = min(start + inputs.shape[2], len(x))
        v, m = _part(inputs, stop - start), _part(outputs, stop - start)
        transform_inputs(x[start:stop], top, left, v)
        _multiply(gemm, _as_matrices(v), u, _as_matrices(m))
        transform_outputs(m, y[start:stop])


@compiled
def _backward(  # type: ignore[no-untyped-def]
    gemm, x, back, dy, top, left, inputs, outputs, dw, dx
):
    """Add ``V^T dM`` to ``dw``, and write ``dx`` from ``dM U^T``; either may be empty."""
    for start in range(0, len(x), inputs.shape[2]):
        stop = min(start + inputs.shape[2], len(x))
        v, m = _part(inputs, stop - start), _part(outputs, stop - start)
        transform_outputs_backward(dy[start:stop], m)
        if len(dw):
            transform_inputs(x[start:stop], top, left, v)
            columns, slopes = _as_matrices(v), _as_matrices(m)
            for k in range(36):
                add_gemm_tn(gemm, columns[k], slopes[k], dw[k])
        if len(dx):
            _multiply(gemm, _as_matrices(m), back, _as_matrices(v))
            transform_inputs_backward(v, top, left, dx[start:stop])


@compiled
def _multiply(gemm, a, b, out):  # type: ignore[no-untyped-def]
    for k in range(36):
        gemm_nn(gemm, a[k], b[k], out[k])


@compiled
def _part(tiles, images):  # type: ignore[no-untyped-def]
    """Return contiguous memory for the tiles of fewer images."""
    down, across, c = tiles.shape[3:]
    size = 36 * images * down * across * c
    return tiles.reshape(-1)[:size].reshape(6, 6, images, down, across, c)


@compiled
def _as_matrices(tiles):  # type: ignore[no-untyped-def]
    """Return (6, 6, b, down, across, c) as (36, tiles, c)."""
    _, _, images, down, across, c = tiles.shape
    return tiles.reshape(36, images * down * across, c)


@compiled_inline
def _six(x, at, apart, n):  # type: ignore[no-untyped-def]
    """Return six lines of ``n`` entries as separate arrays, so that loops are vectorized."""
    a, b, c = at + apart, at + 2 * apart, at + 3 * apart
    d, e = at + 4 * apart, at + 5 * apart
    return x[at : at + n], x[a : a + n], x[b : b + n], x[c : c + n], x[d : d + n], x[e : e + n]


@compiled_inline
def _spread(d, v, at, apart):  # type: ignore[no-untyped-def]
    """Write ``v = B^T d``; ``d``: (6, n)."""
    n = d.shape[1]
    v0, v1, v2, v3, v4, v5 = _six(v, at, apart, n)
    two, four, five = d.dtype.type(2), d.dtype.type(4), d.dtype.type(5)
    for k in range(n):
        d0, d1, d2, d3, d4, d5 = d[0, k], d[1, k], d[2, k], d[3, k], d[4, k], d[5, k]
        v0[k] = four * d0 - five * d2 + d4
        v1[k] = (d4 - four * d2) + (d3 - four * d1)
        v2[k] = (d4 - four * d2) - (d3 - four * d1)
        v3[k] = (d4 - d2) + two * (d3 - d1)
        v4[k] = (d4 - d2) - two * (d3 - d1)
        v5[k] = four * d1 - five * d3 + d5


@compiled_inline
def _add_spread_back(v, at, apart, d):  # type: ignore[no-untyped-def]
    """Add ``B v`` to ``d``, shape (6, n)."""
    n = d.shape[1]
    v0, v1, v2, v3, v4, v5 = _six(v, at, apart, n)
    two, four, five = d.dtype.type(2), d.dtype.type(4), d.dtype.type(5)
    for k in range(n):
        a0, a1, a2, a3, a4, a5 = v0[k], v1[k], v2[k], v3[k], v4[k], v5[k]
        d[0, k] += four * a0
        d[1, k] += four * (a2 - a1 + a5) + two * (a4 - a3)
        d[2, k] -= five * a0 + four * (a1 + a2) + (a3 + a4)
        d[3, k] += a1 - a2 + two * (a3 - a4) - five * a5
        d[4, k] += a0 + (a1 + a2) + (a3 + a4)
        d[5, k] += a5


@compiled_inline
def _gather(m, at, apart, y):  # type: ignore[no-untyped-def]
    """Write ``y = A^T m``; ``y``: (4, n)."""
    n = y.shape[1]
    m0, m1, m2, m3, m4, m5 = _six(m, at, apart, n)
    two, four, eight = y.dtype.type(2), y.dtype.type(4), y.dtype.type(8)
    for k in range(n):
        a0, a1, a2, a3, a4, a5 = m0[k], m1[k], m2[k], m3[k], m4[k], m5[k]
        y[0, k] = a0 + (a1 + a2) + (a3 + a4)
        y[1, k] = (a1 - a2) + two * (a3 - a4)
        y[2, k] = (a1 + a2) + four * (a3 + a4)
        y[3, k] = (a1 - a2) + eight * (a3 - a4) + a5


@compiled_inline
def _gather_back(y, m, at, apart):  # type: ignore[no-untyped-def]
    """Write ``m = A y``; ``y``: (4, n)."""
    n = y.shape[1]
    m0, m1, m2, m3, m4, m5 = _six(m, at, apart, n)
    two, four, eight = y.dtype.type(2), y.dtype.type(4), y.dtype.type(8)
    for k in range(n):
        y0, y1, y2, y3 = y[0, k], y[1, k], y[2, k], y[3, k]
        m0[k] = y0
        m1[k] = (y0 + y2) + (y1 + y3)
        m2[k] = (y0 + y2) - (y1 + y3)
        m3[k] = (y0 + four * y2) + (two * y1 + eight * y3)
        m4[k] = (y0 + four * y2) - (two * y1 + eight * y3)
        m5[k] = y3


@compiled
def transform_inputs(x, top, left, out):  # type: ignore[no-untyped-def]
    """Write ``B^T d B`` of every tile ``d``."""
    _, _, images, down, across, c = out.shape
    width, plane = (4 * across + 2) * c, images * down * across * c
    start, stop = left * c, (left + x.shape[2]) * c
    tiles = out.reshape(-1)
    lines, rows = np.zeros((6, width), x.dtype), np.empty(6 * width, x.dtype)
    for n in range(images):
        for i in range(down):
            for k in range(6):
                y = 4 * i + k - top
                if 0 <= y < x.shape[1]:
                    lines[k, start:stop] = x[n, y].reshape(-1)
                else:
                    lines[k] = 0
            _spread(lines, rows, 0, width)
            for a in range(6):
                for j in range(across):
                    index = a * width + 4 * j * c
                    seen = rows[index : index + 6 * c].reshape(6, c)
                    tile = 6 * a * plane + ((n * down + i) * across + j) * c
                    _spread(seen, tiles, tile, plane)


@compiled
def transform_inputs_backward(tiles, top, left, out):  # type: ignore[no-untyped-def]
    """Write the gradient of images, given that of `transform_inputs`' result."""
    _, _, images, down, across, c = tiles.shape
    width, plane = (4 * across + 2) * c, images * down * across * c
    start, stop = left * c, (left + out.shape[2]) * c
    flat = tiles.reshape(-1)
    lines, rows = np.empty((6, width), out.dtype), np.empty(6 * width, out.dtype)
    out[:] = 0
    for n in range(images):
        for i in range(down):
            rows[:] = 0
            lines[:] = 0
            for a in range(6):
                for j in range(across):
                    tile = 6 * a * plane + ((n * down + i) * across + j) * c
                    index = a * width + 4 * j * c
                    seen = rows[index : index + 6 * c].reshape(6, c)
                    _add_spread_back(flat, tile, plane, seen)
            _add_spread_back(rows, 0, width, lines)
            for k in range(6):
                y = 4 * i + k - top
                if 0 <= y < out.shape[1]:
                    into, line = out[n, y].reshape(-1), lines[k, start:stop]
                    for q in range(len(into)):
                        into[q] += line[q]


@compiled
def transform_outputs(tiles, out):  # type: ignore[no-untyped-def]
    """Write ``A^T M A`` of every tile ``M``."""
    _, _, images, down, across, f = tiles.shape
    width, plane = across * f, images * down * across * f
    flat = tiles.reshape(-1)
    rows, line = np.empty((6, 4, width), out.dtype), np.empty(4 * width, out.dtype)
    across_rows = rows.reshape(-1)
    for n in range(images):
        for i in range(down):
            for a in range(6):
                _gather(flat, a * plane + (n * down + i) * width, 6 * plane, rows[a])
            for k in range(min(4, out.shape[1] - 4 * i)):
                for j in range(across):
                    y = line[4 * j * f : (4 * j + 4) * f].reshape(4, f)
                    _gather(across_rows, k * width + j * f, 4 * width, y)
                into = out[n, 4 * i + k].reshape(-1)
                into[:] = line[: len(into)]


@compiled
def transform_outputs_backward(dy, out):  # type: ignore[no-untyped-def]
    """Write the gradient of tiles, given that of `transform_outputs`' result."""
    _, _, images, down, across, f = out.shape
    width, plane = 4 * across * f, images * down * across * f
    tiles = out.reshape(-1)
    lines, rows = np.zeros((4, width), dy.dtype), np.empty(6 * width, dy.dtype)
    for n in range(images):
        for i in range(down):
            for k in range(4):
                if 4 * i + k < dy.shape[1]:
                    lines[k, : dy.shape[2] * f] = dy[n, 4 * i + k].reshape(-1)
                else:
                    lines[k] = 0
            _gather_back(lines, rows, 0, width)
            for a in range(6):
                for j in range(across):
                    index = a * width + 4 * j * f
                    y = rows[index : index + 4 * f].reshape(4, f)
                    tile = 6 * a * plane + ((n * down + i) * across + j) * f
                    _gather_back(y, tiles, tile, plane)
