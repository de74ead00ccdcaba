"""The layers in inference as plain functions of arrays: they are written into exported files.

Each is the layer's `forward` without training, from the same arrays by the same names, in the same
order of operations. ``x`` has shape (n, ...), a row for each example; images have shape
(n, c, y, x).
"""

from typing import Any

import numpy as np

from handloom.parameters import Array


def dense(x: Array, weights: Array, biases: Array) -> Array:
    """Fully connected layer, y = x W + b: (n, d) -> (n, h) with W (d, h) and b (h,)."""
    return x @ weights + biases


def conv2d(
    x: Array,
    weights: Array,
    biases: Array | float = 0.0,
    *,
    stride: int = 1,
    padding: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0)),
) -> Array:
    """Convolution: (n, c, y, x) -> (n, f, rows, columns) with W (k, k, c, f) and b (f,).

    y[f, u, v] = b[f] + sum over i, j, c of x[c, s u + i, s v + j] W[i, j, c, f], with the stride
    s. Padding is the number of zeros before and after an image, along y and along x. All windows
    of k x k pixels become the rows of one matrix ("im2col"), which is multiplied by W.
    """
    k, _, c, f = weights.shape
    x = np.pad(x, ((0, 0), (0, 0), *padding))
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride].transpose(0, 2, 3, 4, 5, 1)
    n, rows, columns = windows.shape[:3]
    matrix = windows.reshape(n * rows * columns, k * k * c)
    y: Array = matrix @ weights.reshape(k * k * c, f)
    return (y + biases).reshape(n, rows, columns, f).transpose(0, 3, 1, 2)


def relu(x: Array) -> Array:
    """Rectified linear unit: max(x, 0)."""
    return np.maximum(x, 0.0)


def leaky_relu(x: Array, *, slope: float) -> Array:
    """Leaky ReLU: x where x > 0, else slope x."""
    y: Array = np.maximum(x, x * slope)
    return y


def elu(x: Array, *, alpha: float) -> Array:
    """Exponential linear unit: x where x > 0, else alpha (exp(x) - 1)."""
    return np.expm1(np.minimum(x, 0.0)) * alpha + np.maximum(x, 0.0)


def tanh(x: Array) -> Array:
    """Hyperbolic tangent, from -1 to 1."""
    return np.tanh(x)


def sigmoid(x: Array) -> Array:
    """Logistic function 1 / (1 + exp(-x)), from 0 to 1."""
    with np.errstate(over="ignore"):  # 1 / infinity is 0, the right limit
        y: Array = 1.0 / (np.exp(-x) + 1.0)
    return y


def silu(x: Array) -> Array:
    """Sigmoid linear unit, or swish: x sigmoid(x)."""
    return x * sigmoid(x)


def gelu(x: Array) -> Array:
    """Gaussian error linear unit: x sigmoid(a (x + b x^3)), a = 2 sqrt(2 / pi), b = 0.044715."""
    a, b = 2.0 * (2.0 / np.pi) ** 0.5, 0.044715
    v = np.clip(x, -30.0, 30.0)  # the sigmoid is 0 or 1 beyond
    return x * sigmoid(v * (np.square(v) * (a * b) + a))


def softmax(x: Array) -> Array:
    """Probabilities of classes: exp(x) / sum of exp(x) of each row, (n, k) -> (n, k)."""
    y: Array = np.exp(x - x.max(axis=1, keepdims=True))  # the largest becomes 1: no overflow
    sums: Array = y @ np.ones((y.shape[1], 1), y.dtype)  # of each row, as a matrix product
    return y / sums


def batch_norm(
    x: Array,
    *,
    scale: Array,
    shift: Array,
    running_mean: Array,
    running_variance: Array,
    epsilon: float,
) -> Array:
    """Batch normalization of each feature by its mean and variance in the training.

    y = scale (x - mean) / sqrt(variance + epsilon) + shift: (n, d) -> (n, d) with arrays (d,).
    """
    factor = scale * (1.0 / np.sqrt(running_variance + epsilon))
    y: Array = (x - running_mean) * factor + shift
    return y


def batch_norm2d(x: Array, **arguments: Any) -> Array:
    """Batch normalization of each channel of images (n, c, y, x), with the channels moved last."""
    return batch_norm(x.transpose(0, 2, 3, 1), **arguments).transpose(0, 3, 1, 2)


def layer_norm(x: Array, *, scale: Array, shift: Array, epsilon: float) -> Array:
    """Layer normalization of each row by its own mean and variance.

    y = scale (x - mean) / sqrt(variance + epsilon) + shift, arrays of the shape of a row.
    """
    axes = tuple(range(1, x.ndim))
    z = x - x.mean(axis=axes, keepdims=True)
    variance = np.square(z).mean(axis=axes, keepdims=True)
    y: Array = z * (1.0 / np.sqrt(variance + epsilon)) * scale + shift
    return y


def max_pool2d(x: Array, *, size: int, stride: int) -> Array:
    """Max pooling: the largest pixel of each window, (n, c, y, x) -> (n, c, rows, columns)."""
    y, *others = window_entries(x, size, stride)
    for entry in others:
        y = np.maximum(y, entry)
    return y


def average_pool2d(x: Array, *, size: int, stride: int) -> Array:
    """Average pooling: the mean pixel of each window, (n, c, y, x) -> (n, c, rows, columns)."""
    y, *others = window_entries(x, size, stride)
    for entry in others:
        y = y + entry
    return y * (1.0 / size**2)


def window_entries(x: Array, size: int, stride: int) -> list[Array]:
    """Return the pixel (i, j) of all windows of size x size pixels, for every i and j."""
    rows, columns = ((extent - size) // stride * stride + 1 for extent in x.shape[2:])
    starts = [(i, j) for i in range(size) for j in range(size)]
    return [x[:, :, i : i + rows : stride, j : j + columns : stride] for i, j in starts]


def global_average_pool2d(x: Array) -> Array:
    """Global average pooling: the mean of each channel, (n, c, y, x) -> (n, c)."""
    y: Array = x.mean(axis=(2, 3))
    return y


def flatten(x: Array) -> Array:
    """Each row as a vector: (n, c, y, x) -> (n, c y x)."""
    return x.reshape(len(x), np.prod(x.shape[1:]))


def reshape(x: Array, shape: tuple[int, ...]) -> Array:
    """Each row in a new shape, its entries in the same order."""
    return x.reshape(len(x), *shape)


def embedding(x: Array, *, columns: tuple[int, ...], **tables: Array) -> Array:
    """Columns of category indices become learned vectors, rows of a table for each column.

    (n, d) -> (n, widths of the vectors + other columns): first the vectors, then the others.
    """
    vectors = []
    for column in columns:
        table, values = tables[f"column_{column}"], x[:, column]
        if not np.isin(values, range(len(table))).all():
            raise ValueError(f"column {column} must hold whole numbers from 0 to {len(table) - 1}")
        vectors.append(table[values.astype(int)])
    return np.concatenate([*vectors, np.delete(x, columns, axis=1)], axis=1)
