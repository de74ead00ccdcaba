"""Batch normalization: every feature brought to mean zero and variance one over a batch."""

from __future__ import annotations  # numpy.random is loaded when it is used

from collections.abc import Mapping
from typing import Self

import numpy as np

from handloom.backend import NUMPY, Backend
from handloom.errors import ModelError, require_count, require_fraction, require_number
from handloom.initializers import Ones, Zeros
from handloom.layers.base import Layer
from handloom.layers.windows import channels_last, contiguous_rows
from handloom.parallel.partition import BLOCK, blocks
from handloom.parallel.pool import SERIAL, Pool
from handloom.parameters import Array, ParameterSpec


class BatchNorm(Layer):
    """Normalizes every feature, or every channel of an image, over the rows of a batch.

    Forward and, given ``dy``, backward. Sums and means run over the ``m`` numbers that a batch has
    of one feature (of one channel: over rows and pixels)::

        training:   mu = mean of x,  var = mean of (x - mu)^2,  s = sqrt(var + epsilon)
                    z  = (x - mu) / s
                    y  = scale z + shift

                    dscale = sum of dy z,  dshift = sum of dy
                    dx = scale / s (dy - dshift / m - z dscale / m)

        inference:  the same with the running mean and variance for mu and var

    ``x``, ``y``, ``dy`` and ``dx`` have one shape, ``(n, d)`` or ``(n, c, y, x)``; ``scale`` and
    ``shift`` have shape ``(d,)`` or ``(c,)``.

    The running statistics are kept beside the weights, and saved with them. A training pass only
    notes what it found; `handloom.Sequential.commit_statistics`, once a step, moves them::

        running mean     = momentum (running mean)     + (1 - momentum) mu
        running variance = momentum (running variance) + (1 - momentum) var m / (m - 1)

    where ``mu`` and ``var`` are means over all the groups of the step. So a step cut into
    pieces gives the same statistics whoever runs the pieces. A layer that is frozen
    computes as in inference, in training too.

    Parameters
    ----------
    momentum : float
        How much of the running statistics a step keeps.
    epsilon : float
        Added to the variance for numerical stability.
    ghost_batch : int, optional
        Take statistics over groups of so many rows, which follow each other; the last group takes
        what is left over. Without it, over all the rows of a pass.

    Raises
    ------
    ConfigurationError
        If an option means nothing.

    References
    ----------
    Ioffe, Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
    Covariate Shift", ICML 2015. Ghost batches: Hoffer, Hubara, Soudry, "Train Longer, Generalize
    Better", NeurIPS 2017.
    """

    kind = "batch_norm"
    couples_rows = True

    def __init__(
        self, *, momentum: float = 0.9, epsilon: float = 1e-5, ghost_batch: int | None = None
    ) -> None:
        super().__init__()
        self.momentum = require_fraction("momentum", momentum)
        self.epsilon = require_number("epsilon", epsilon, minimum=0.0, exclusive=True)
        if ghost_batch is not None:
            self.ghost_batch = require_count("ghost_batch", ghost_batch, minimum=2)
        self._noted: dict[str, Array] = {}
        self._used: list[tuple[slice, Array, Array]] = []  # of each group: rows, mean, 1 / s

    def declare(self, input_shape: tuple[int, ...]) -> dict[str, ParameterSpec]:
        """Declare scale, shift and running statistics, of shape (d,) or (c,).

        Raises
        ------
        ModelError
            If a row is neither flat nor an image.
        """
        if len(input_shape) not in (1, 3):
            raise ModelError(
                f"{self.kind}: an input row must be flat or an image (c, y, x), "
                f"got shape {input_shape}"
            )
        shape = input_shape[:1]
        return {
            "scale": ParameterSpec(shape, Ones(), elementwise=True),
            "shift": ParameterSpec(shape, Zeros(), elementwise=True),
            "running_mean": ParameterSpec(shape, Zeros(), trained=False),
            "running_variance": ParameterSpec(shape, Ones(), trained=False),
        }

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "ghost_batch": self.ghost_batch,
        }

    def fetch(self, backend: Backend) -> None:
        """Take the backend's versions of the four functions."""
        self._moments = backend.fetch(moments)
        self._standardize = backend.fetch(standardize)
        self._standardize_sums = backend.fetch(standardize_sums)
        self._standardize_backward = backend.fetch(standardize_backward)

    def replica(self, backend: Backend = NUMPY, pool: Pool = SERIAL) -> Self:
        """Return a copy for a lane, which has noted nothing yet."""
        replica = super().replica(backend, pool)
        replica._noted, replica._used = {}, []
        return replica

    def forward(
        self,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Normalize ``x``, shape (n, d) or (n, c, y, x).

        Raises
        ------
        ModelError
            If the layer has no arrays yet, or ``x`` has another number of features.
        """
        self._check(x)
        y = self._buffer("y", x.shape, x.dtype)
        rows, out = _features(x), _features_of(y)
        if not training:
            mean, variance = self.weights["running_mean"], self.weights["running_variance"]
            self._normalize(rows, mean, self._inverse(variance), out)
            return y
        self._remember(x, training)
        self._used = []
        for group in self._groups(len(x), len(rows)):
            mean, variance = self._statistics(rows[group])
            inverse = self._inverse(variance)
            self._normalize(rows[group], mean, inverse, out[group])
            self._used.append((group, mean, inverse))
        return y

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Write the gradients of scale and shift; return ``dx``, or None."""
        x = self._recall()
        rows, slopes = _features(x), _features(dy)
        dscale, dshift = self.gradients["scale"], self.gradients["shift"]
        dscale.fill(0.0)
        dshift.fill(0.0)
        dx = self._buffer("dx", x.shape, x.dtype) if need_dx else None
        for group, mean, inverse in self._used:
            sums, products = np.empty_like(mean), np.empty_like(mean)
            self._standardize_sums(rows[group], slopes[group], mean, sums, products)
            products *= inverse  # now the sum of dy z
            dshift += sums
            dscale += products
            if dx is None:
                continue
            a = self.weights["scale"] * inverse
            m = group.stop - group.start
            b, c = a * inverse * products / m, a * sums / m
            if not self.trainable:  # the statistics did not come from x
                b, c = np.zeros_like(b), np.zeros_like(c)
            self._standardize_backward(
                rows[group], slopes[group], mean, a, b, c, _features_of(dx)[group]
            )
        return dx

    def take_statistics(self) -> dict[str, Array]:
        """Return the sums of the groups' means and variances, and the number of groups."""
        noted, self._noted = self._noted, {}
        return noted

    def commit_statistics(self, sums: Mapping[str, Array]) -> None:
        """Move the running statistics by the means over the groups."""
        if not sums:
            return
        for name in ("running_mean", "running_variance"):
            running = self.weights[name]
            running *= self.momentum
            running += (1.0 - self.momentum) / float(sums["groups"][0]) * sums[name]

    def _statistics(self, rows: Array) -> tuple[Array, Array]:
        """Return mean and variance to normalize with, and note them if they were measured."""
        if not self.trainable:
            return self.weights["running_mean"], self.weights["running_variance"]
        mean = np.empty(rows.shape[1], rows.dtype)
        variance = np.empty_like(mean)
        self._moments(rows, mean, variance)
        found = {
            "groups": np.ones(1),
            "running_mean": mean,
            "running_variance": variance * (len(rows) / max(len(rows) - 1, 1)),
        }
        if self._noted:
            found = {name: self._noted[name] + array for name, array in found.items()}
        self._noted = found
        return mean, variance

    def _normalize(self, rows: Array, mean: Array, inverse: Array, out: Array) -> None:
        scale = self.weights["scale"] * inverse
        self._standardize(rows, mean, scale, self.weights["shift"], out)

    def _inverse(self, variance: Array) -> Array:
        inverse: Array = 1.0 / np.sqrt(variance + self.epsilon)
        return inverse

    def _groups(self, n: int, m: int) -> list[slice]:
        """Cut ``m`` numbers a feature, of ``n`` rows, into the groups of a pass."""
        if not n:
            return []
        pixels, size = m // n, self.ghost_batch or n
        starts = [size * place for place in range(max(n // size, 1))]
        stops = [*starts[1:], n]
        return [slice(a * pixels, b * pixels) for a, b in zip(starts, stops, strict=True)]

    def _check(self, x: Array) -> None:
        if "scale" not in self.weights:
            raise ModelError(f"{self.kind}: build the layer before running it")
        features = len(self.weights["scale"])
        if x.ndim not in (2, 4) or x.shape[1] != features:
            raise ModelError(
                f"{self.kind}: expected shape (n, {features}) or (n, {features}, y, x), "
                f"got shape {x.shape}"
            )


def moments(x: Array, mean: Array, variance: Array) -> None:
    """Write mean and variance of each column of ``x``, shape (m, c), m at least 1."""
    mean.fill(0.0)
    variance.fill(0.0)
    for rows in _row_blocks(x):
        mean += x[rows].sum(axis=0)
    mean /= len(x)
    for rows in _row_blocks(x):
        centred = x[rows] - mean
        variance += np.einsum("mc,mc->c", centred, centred)
    variance /= len(x)


def standardize(x: Array, mean: Array, scale: Array, shift: Array, out: Array) -> None:
    """Write ``(x - mean) scale + shift``; ``x`` and ``out``: (m, c), the others: (c,)."""
    for rows in _row_blocks(x):
        np.subtract(x[rows], mean, out=out[rows])
        out[rows] *= scale
        out[rows] += shift


def standardize_sums(x: Array, dy: Array, mean: Array, sums: Array, products: Array) -> None:
    """Write the sums over rows of ``dy`` and of ``dy (x - mean)``, both of shape (c,)."""
    sums.fill(0.0)
    products.fill(0.0)
    for rows in _row_blocks(x):
        sums += dy[rows].sum(axis=0)
        products += np.einsum("mc,mc->c", dy[rows], x[rows] - mean)


def standardize_backward(
    x: Array, dy: Array, mean: Array, a: Array, b: Array, c: Array, out: Array
) -> None:
    """Write ``a dy - b (x - mean) - c``; ``x``, ``dy`` and ``out``: (m, c), others: (c,)."""
    for rows in _row_blocks(x):
        np.multiply(dy[rows], a, out=out[rows])
        out[rows] -= (x[rows] - mean) * b
        out[rows] -= c


def _row_blocks(x: Array) -> list[slice]:
    """Cut the rows of ``x``, shape (m, c), into blocks that fit the cache."""
    return list(blocks(slice(0, len(x)), max(1, BLOCK // x.shape[1])))


def _features(x: Array) -> Array:
    """Return ``x`` as a column a feature: (n, d), or (n y x, c) of images."""
    return contiguous_rows(channels_last(x) if x.ndim == 4 else x)


def _features_of(out: Array) -> Array:
    """Return a buffer of images or rows as a view with a column a feature."""
    return channels_last(out).reshape(-1, out.shape[1]) if out.ndim == 4 else out
