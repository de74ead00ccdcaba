"""Layer normalization in a compiled step: rows do not depend on each other.

Sums over a row are vectorized, in an order that depends on its length alone.
"""

import math

from handloom.fused.compiling import compiled_inner, compiled_sum


@compiled_inner
def normalize_rows(epsilon, x, scale, moments, y):  # type: ignore[no-untyped-def]
    """Write ``y = scale z`` of some rows, and ``moments``: their mean and ``1 / s``."""
    real = x.dtype.type
    one, size, epsilon = real(1), real(x.shape[1]), real(epsilon)
    for row in range(len(x)):
        line, out = x[row], y[row]
        mean = _sum(line) / size
        inverse = one / math.sqrt(_sum_of_centered_squares(line, mean) / size + epsilon)
        moments[row, 0], moments[row, 1] = mean, inverse
        for i in range(len(out)):
            out[i] = (line[i] - mean) * inverse * scale[i]


@compiled_inner
def gradient_of_normalized(x, scale, moments, dy, dx):  # type: ignore[no-untyped-def]
    """Write ``dx = (g - mean of g - z (mean of g z)) / s`` of some rows, with ``g = dy scale``."""
    size = x.dtype.type(x.shape[1])
    for row in range(len(x)):
        line, slopes, out = x[row], dy[row], dx[row]
        mean, inverse = moments[row, 0], moments[row, 1]
        slope, product = _sums_of_slopes(line, scale, mean, slopes)
        slope, product = slope / size, product * inverse * inverse / size
        for i in range(len(out)):
            g = slopes[i] * scale[i]
            out[i] = (g - slope - (line[i] - mean) * product) * inverse


@compiled_inner
def gradient_of_scale(x, moments, dy, dscale):  # type: ignore[no-untyped-def]
    """Write the sum over all rows of ``dy z``, of some columns."""
    dscale[:] = 0
    for row in range(len(x)):
        line, slopes = x[row], dy[row]
        mean, inverse = moments[row, 0], moments[row, 1]
        for i in range(len(dscale)):
            dscale[i] += slopes[i] * ((line[i] - mean) * inverse)


@compiled_sum
def _sum(x):  # type: ignore[no-untyped-def]
    total = x.dtype.type(0)
    for i in range(len(x)):
        total += x[i]
    return total


@compiled_sum
def _sum_of_centered_squares(x, mean):  # type: ignore[no-untyped-def]
    total = x.dtype.type(0)
    for i in range(len(x)):
        total += (x[i] - mean) * (x[i] - mean)
    return total


@compiled_sum
def _sums_of_slopes(x, scale, mean, dy):  # type: ignore[no-untyped-def]
    """Return the sums of ``g`` and of ``g (x - mean)``."""
    total = product = x.dtype.type(0)
    for i in range(len(x)):
        g = dy[i] * scale[i]
        total += g
        product += g * (x[i] - mean)
    return total, product
