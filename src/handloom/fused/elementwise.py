"""What is done to each number alone, and the sum of rows, compiled: part of ``fast``."""

from handloom.fused.compiling import compiled


@compiled
def scale(inputs, shift, factor, out):  # type: ignore[no-untyped-def]
    """Write ``(inputs - shift) factor``, number by number, in the dtype of ``out``."""
    for i in range(len(out)):
        out[i] = (out.dtype.type(inputs[i]) - shift) * factor


@compiled
def sum_rows(dy, out):  # type: ignore[no-untyped-def]
    """Write the sum of the rows of ``dy``."""
    out[:] = 0
    for row in range(dy.shape[0]):
        for column in range(dy.shape[1]):
            out[column] += dy[row, column]


@compiled
def relu(x, out):  # type: ignore[no-untyped-def]
    """Write ``max(x, 0)``; a NaN stays one."""
    zero = x.dtype.type(0)
    for i in range(len(x)):
        out[i] = zero if x[i] < zero else x[i]


@compiled
def relu_backward(y, dy, out):  # type: ignore[no-untyped-def]
    """Write ``dy`` where ``y > 0``, else 0."""
    zero = y.dtype.type(0)
    for i in range(len(y)):
        out[i] = dy[i] if y[i] > zero else zero
