"""Winograd's convolution of a batch in one compiled call, products included: part of ``fast``.

What is computed is told in `handloom.layers.correlation.Tiles`. A few images at a time become
tiles, are multiplied and become images again, so that what lies between stays near the core; a
thread that goes through them never waits for the interpreter's lock.
"""

from handloom.fused.compiling import compiled
from handloom.fused.products import add_product_of_transposed, product
from handloom.fused.winograd import (
    transform_inputs,
    transform_inputs_backward,
    transform_outputs,
    transform_outputs_backward,
)


@compiled
def convolve(gemm, x, u, top, left, inputs, outputs, y):  # type: ignore[no-untyped-def]
    """Write ``A^T (V U) A`` of all images.

    ``inputs`` and ``outputs`` are memory for the tiles of a block: (6, 6, b, down, across, c) and
    (6, 6, b, down, across, f).
    """
    for start in range(0, len(x), inputs.shape[2]):
        stop = min(start + inputs.shape[2], len(x))
        v, m = _part(inputs, stop - start), _part(outputs, stop - start)
        transform_inputs(x[start:stop], top, left, v)
        _multiply(gemm, _products(v), u, _products(m))
        transform_outputs(m, y[start:stop])


@compiled
def convolve_backward(  # type: ignore[no-untyped-def]
    gemm, x, back, dy, top, left, inputs, outputs, dw, dx
):
    """Add ``V^T dM`` to ``dw``, and write ``dx`` from ``dM U^T``; either may be empty."""
    for start in range(0, len(x), inputs.shape[2]):
        stop = min(start + inputs.shape[2], len(x))
        v, m = _part(inputs, stop - start), _part(outputs, stop - start)
        transform_outputs_backward(dy[start:stop], m)
        if len(dw):
            transform_inputs(x[start:stop], top, left, v)
            columns, slopes = _products(v), _products(m)
            for k in range(36):
                add_product_of_transposed(gemm, columns[k], slopes[k], dw[k])
        if len(dx):
            _multiply(gemm, _products(m), back, _products(v))
            transform_inputs_backward(v, top, left, dx[start:stop])


@compiled
def _multiply(gemm, a, b, out):  # type: ignore[no-untyped-def]
    for k in range(36):
        product(gemm, a[k], b[k], out[k])


@compiled
def _part(tiles, images):  # type: ignore[no-untyped-def]
    """Return memory for the tiles of fewer images, without gaps."""
    down, across, c = tiles.shape[3:]
    size = 36 * images * down * across * c
    return tiles.reshape(-1)[:size].reshape(6, 6, images, down, across, c)


@compiled
def _products(tiles):  # type: ignore[no-untyped-def]
    """Return (6, 6, b, down, across, c) as (36, tiles, c)."""
    _, _, images, down, across, c = tiles.shape
    return tiles.reshape(36, images * down * across, c)
