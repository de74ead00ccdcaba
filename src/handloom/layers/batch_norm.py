"""Batch normalization: features with mean zero and variance one, then scaled and shifted."""

from __future__ import annotations  # so that naming np.random.Generator does not load it

from collections.abc import Mapping
from math import prod
from typing import Self

import numpy as np

from handloom.backend import NUMPY, Backend
from handloom.errors import ModelError, require_count, require_fraction, require_number
from handloom.initializers import Ones, Zeros
from handloom.layers.base import Layer
from handloom.layers.windows import channels_last, contiguous_rows
from handloom.operations import NormalizeColumns
from handloom.parallel.partition import blocks, rows_per_block
from handloom.parallel.pool import SERIAL, Pool
from handloom.parameters import Array, ParameterSpec


class BatchNorm(Layer):
    """Batch normalization of every feature, or of every channel of an image, over groups of rows.

    A group is all the rows of a training pass or, with ghost batches, some of them. A feature has
    ``N`` entries in a group: one a row or, for the channel of an image, one a pixel of every row.
    Forward and, given ``dy``, backward, for each feature of each group; means and sums run over its
    ``N`` entries::

        mu = mean of x,  var = mean of (x - mu)^2,  sigma = sqrt(var + epsilon)
        z  = (x - mu) / sigma
        y  = scale z + shift

        dshift = sum of dy,  dscale = sum of dy z
        dx = (scale / sigma) (dy - dshift / N - z dscale / N)

    The gradients of ``scale`` and ``shift`` are the sums of ``dscale`` and ``dshift`` over the
    groups. ``scale`` and the running variance start at 1, ``shift`` and the running mean at 0.

    In inference, and in a layer that is frozen (not `trainable`), ``mu`` and ``var`` are the
    running mean and variance. They do not depend on ``x``, so there ``dx = (scale / sigma) dy``.

    ``x``, ``y``, ``dy`` and ``dx`` have one shape, ``(n, d)`` or, for images, ``(n, c, y, x)``;
    ``scale``, ``shift`` and the running statistics have shape ``(d,)`` or ``(c,)``.

    The running statistics are arrays that are not trained, ``self.weights["running_mean"]`` and
    ``self.weights["running_variance"]``, saved with the weights. A training pass does not change
    them; it collects the sums over its groups of ``mu`` and of the unbiased variance
    ``var N / (N - 1)``; `handloom.Sequential.commit_statistics`, once a
    step, adds the sums of all passes and updates the statistics, with means over the groups, each
    of which counts once::

        running mean     = momentum (running mean)     + (1 - momentum) (mean of mu)
        running variance = momentum (running variance) + (1 - momentum) (mean of var N / (N - 1))

    A trainer calls it; a training loop written by hand must call it after each step.

    Without ``ghost_batch`` all rows of a training step are one pass. With it, a step may split its
    rows into several passes between groups (see `handloom.parallel.partition.deal_shards`). The
    split and the order of the sums do not depend on the number of threads. A frozen layer collects
    nothing.

    A training pass keeps ``x`` for backward, and for each group ``mu``, ``1 / sigma`` and the slice
    of its rows; ``x - mu`` is recomputed, since it would take the memory of ``x`` once more.

    Parameters
    ----------
    momentum : float
        The fraction of the running statistics that a step keeps, at least 0 and below 1: one minus
        the ``momentum`` of PyTorch, so both defaults are the same.
    epsilon : float
        Added to the variance for numerical stability, above 0.
    ghost_batch : int, optional
        The number of consecutive rows that make a group, at least 2. Rows that are left over belong
        to the last group; a pass with fewer rows is one group. By default all rows of a pass are.
        Training needs at least 2 entries of each feature in a group: 2 rows, or an image of 2
        pixels.

    Raises
    ------
    ConfigurationError
        If an option is out of range.

    References
    ----------
    Ioffe, Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
    Covariate Shift", ICML 2015. Ghost batches: Hoffer, Hubara, Soudry, "Train longer, generalize
    better: closing the generalization gap in large batch training of neural networks", NeurIPS
    2017.
    """

    kind = "batch_norm"
    couples_rows = True
    _followed = frozenset({"momentum"})  # running statistics are those of the network's own layer

    def __init__(
        self, *, momentum: float = 0.9, epsilon: float = 1e-5, ghost_batch: int | None = None
    ) -> None:
        super().__init__()
        self.momentum = require_fraction("momentum", momentum)
        self.epsilon = require_number("epsilon", epsilon, minimum=0.0, exclusive=True)
        if ghost_batch is not None:  # else None, the default of `Layer`
            self.ghost_batch = require_count("ghost_batch", ghost_batch, minimum=2)
        self._collected: dict[str, Array] = {}

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

    def fewest_rows(self, input_shape: tuple[int, ...]) -> int:
        """Return 2, or 1 if there is no single entry to normalize: for images, or if frozen."""
        return 2 if self.trainable and prod(input_shape[1:]) == 1 else 1

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "ghost_batch": self.ghost_batch,
        }

    def as_operation(self, offsets: Mapping[str, int]) -> NormalizeColumns:
        """Return batch normalization as a record."""
        return NormalizeColumns(
            units=len(self.weights["scale"]),
            **offsets,
            momentum=self.momentum,
            epsilon=self.epsilon,
            ghost_batch=self.ghost_batch,
        )

    def bind(self, weights: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """Set the arrays, and drop the statistics of passes before; see `Layer.bind`."""
        super().bind(weights, gradients)
        self._collected = {}

    def set_backend(self, backend: Backend) -> None:
        """Store the backend's versions of the functions below the class; NumPy's by default."""
        self._moments = backend.version_of(moments)
        self._standardize = backend.version_of(standardize)
        self._standardize_sums = backend.version_of(standardize_sums)
        self._standardize_backward = backend.version_of(standardize_backward)

    def replica(self, backend: Backend = NUMPY, pool: Pool = SERIAL) -> Self:
        """Return a copy for a lane, without collected statistics."""
        replica = super().replica(backend, pool)
        replica._collected = {}
        return replica

    def forward(
        self,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Normalize ``x``, shape (n, d) or (n, c, y, x); ``rng`` is for layers that draw.

        Raises
        ------
        ModelError
            If the layer is not built, ``x`` is neither (n, d) nor (n, c, y, x), its number of
            features is wrong, or a group to train on has a single entry of each feature, whose
            variance would be 0.
        """
        self._check(x)
        y = self._buffer("y", x.shape, x.dtype)
        features, out = _columns(x), _columns_of_buffer(y)
        if not training:
            mean, variance = self.weights["running_mean"], self.weights["running_variance"]
            self._normalize(features, mean, self._inverse_deviation(variance), out)
            return y
        group_statistics = []  # of each group: its rows, mu, 1 / sigma
        for group in self._groups(len(x), len(features)):
            mean, variance = self._statistics(features[group])
            inverse = self._inverse_deviation(variance)
            self._normalize(features[group], mean, inverse, out[group])
            group_statistics.append((group, mean, inverse))
        self._save_for_backward(x, training, group_statistics)
        return y

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Overwrite the gradients of scale and shift; return ``dx``, or None if it is not needed.

        They are the gradients of the last training pass, whose ``x`` is kept by reference.

        Raises
        ------
        ModelError
            If there was no training pass.
        """
        x, group_statistics = self._saved_arrays()
        features, slopes = _columns(x), _columns(dy)
        gradient_of_scale, gradient_of_shift = self.gradients["scale"], self.gradients["shift"]
        gradient_of_scale.fill(0.0)
        gradient_of_shift.fill(0.0)
        dx = self._buffer("dx", x.shape, x.dtype) if need_dx else None
        for group, mean, inverse in group_statistics:
            dshift, dscale = np.empty_like(mean), np.empty_like(mean)
            self._standardize_sums(features[group], slopes[group], mean, dshift, dscale)
            dscale *= inverse  # the sum of dy (x - mu) / sigma
            gradient_of_shift += dshift
            gradient_of_scale += dscale
            if dx is None:
                continue
            # dx = a dy - b (x - mu) - e, which is the formula above with z = (x - mu) / sigma
            size = group.stop - group.start
            a = self.weights["scale"] * inverse
            b, e = a * inverse * dscale / size, a * dshift / size
            if not self.trainable:  # mu and sigma do not depend on x
                b, e = np.zeros_like(b), np.zeros_like(e)
            out = _columns_of_buffer(dx)[group]
            self._standardize_backward(features[group], slopes[group], mean, a, b, e, out)
        return dx

    def take_statistics(self) -> dict[str, Array]:
        """Return the sums over groups of their means and unbiased variances, and reset them.

        They have the names of the running statistics that they update; ``"groups"`` is the number
        of groups. The mapping is empty if there was no group.
        """
        collected, self._collected = self._collected, {}
        return collected

    def commit_statistics(self, sums: Mapping[str, Array]) -> None:
        """Update the running statistics from the sums of `take_statistics`, added over lanes."""
        if not sums:
            return
        for name in ("running_mean", "running_variance"):
            running = self.weights[name]
            running *= self.momentum
            running += (1.0 - self.momentum) / float(sums["groups"][0]) * sums[name]

    def _statistics(self, features: Array) -> tuple[Array, Array]:
        """Return mean and variance of a group, and collect them; if frozen, the running ones."""
        if not self.trainable:
            return self.weights["running_mean"], self.weights["running_variance"]
        m = len(features)
        if m < 2:
            raise ModelError(
                f"{self.kind}: a group must have at least 2 entries of each feature in training, "
                f"got 1: a single row"
            )
        mean = np.empty(features.shape[1], features.dtype)
        variance = np.empty_like(mean)
        self._moments(features, mean, variance)
        sums = {
            "groups": np.ones(1),
            "running_mean": mean,
            "running_variance": variance * (m / (m - 1)),
        }
        if self._collected:
            sums = {name: self._collected[name] + array for name, array in sums.items()}
        self._collected = sums
        return mean, variance

    def _normalize(self, features: Array, mean: Array, inverse: Array, out: Array) -> None:
        """Write ``scale (x - mu) / sigma + shift``."""
        factor = self.weights["scale"] * inverse
        self._standardize(features, mean, factor, self.weights["shift"], out)

    def _inverse_deviation(self, variance: Array) -> Array:
        """Return ``1 / sigma``."""
        inverse: Array = 1.0 / np.sqrt(variance + self.epsilon)
        return inverse

    def _groups(self, rows: int, entries: int) -> list[slice]:
        """Return the groups of a pass, as slices of a feature's entries."""
        if not rows:
            return []
        pixels, size = entries // rows, self.ghost_batch or rows
        starts = [size * group for group in range(max(rows // size, 1))]
        stops = [*starts[1:], rows]
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


# functions of a matrix with a column for each feature and a row for each of its m entries


def moments(x: Array, mean: Array, variance: Array) -> None:
    """Write mean and variance of each column of ``x``, shape (m, c), m at least 1."""
    mean.fill(0.0)
    variance.fill(0.0)
    for rows in _row_blocks(x):
        mean += x[rows].sum(axis=0)
    mean /= len(x)
    for rows in _row_blocks(x):
        centered = x[rows] - mean
        variance += np.einsum("mc,mc->c", centered, centered)
    variance /= len(x)


def standardize(x: Array, mean: Array, factor: Array, shift: Array, out: Array) -> None:
    """Write ``(x - mean) factor + shift``; ``x`` and ``out``: (m, c), the others: (c,)."""
    for rows in _row_blocks(x):
        np.subtract(x[rows], mean, out=out[rows])
        out[rows] *= factor
        out[rows] += shift


def standardize_sums(x: Array, dy: Array, mean: Array, sums: Array, inner_products: Array) -> None:
    """Write the sums over the m entries of ``dy`` and of ``dy (x - mean)``, both of shape (c,)."""
    sums.fill(0.0)
    inner_products.fill(0.0)
    for rows in _row_blocks(x):
        sums += dy[rows].sum(axis=0)
        inner_products += np.einsum("mc,mc->c", dy[rows], x[rows] - mean)


def standardize_backward(
    x: Array, dy: Array, mean: Array, a: Array, b: Array, e: Array, out: Array
) -> None:
    """Write ``a dy - b (x - mean) - e``; ``x``, ``dy`` and ``out``: (m, c), others: (c,)."""
    for rows in _row_blocks(x):
        np.multiply(dy[rows], a, out=out[rows])
        out[rows] -= (x[rows] - mean) * b
        out[rows] -= e


def _row_blocks(x: Array) -> list[slice]:
    """Cut the rows of ``x``, shape (m, c), into blocks that fit the cache."""
    return list(blocks(slice(0, len(x)), rows_per_block(x.shape[1])))


def _columns(x: Array) -> Array:
    """Return ``x`` as a matrix with a column for each feature, (m, c); images may be copied."""
    return contiguous_rows(channels_last(x) if x.ndim == 4 else x)


def _columns_of_buffer(out: Array) -> Array:
    """Return a buffer as a matrix (m, c): always a view, since its channels are last in memory."""
    return channels_last(out).reshape(-1, out.shape[1]) if out.ndim == 4 else out
