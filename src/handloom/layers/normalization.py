"""Normalization: numbers brought to mean zero and variance one, then scaled and shifted."""

from __future__ import annotations  # numpy.random is loaded when it is used

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Self

import numpy as np

from handloom.errors import ModelError, require_count, require_fraction, require_number
from handloom.initializers import Ones, Zeros
from handloom.layers.base import Layer
from handloom.layers.windows import channels_last, contiguous_rows
from handloom.parameters import Array, ParameterSpec


@dataclass(frozen=True)
class _Found:
    """Sums of the means and variances of so many groups."""

    groups: int
    means: Array
    variances: Array

    def plus(self, other: _Found) -> _Found:
        return _Found(
            self.groups + other.groups,
            self.means + other.means,
            self.variances + other.variances,
        )


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
        What keeps a feature that never changes from being divided by zero.
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
        self._found: _Found | None = None
        self._used: list[tuple[slice, Array, Array]] = []

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

    def replica(self) -> Self:
        """Return a copy for a lane, which has found nothing yet."""
        twin = super().replica()
        twin._found, twin._used = None, []
        return twin

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
            self._standardize(rows, mean, self._inverse(variance), out)
            return y
        self._remember(x, training)
        self._used = []
        for group in self._groups(len(x), len(rows)):
            mean, variance = self._statistics(rows[group])
            inverse = self._inverse(variance)
            self._standardize(rows[group], mean, inverse, out[group])
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
            self.kernels.standardize_sums(rows[group], slopes[group], mean, sums, products)
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
            self.kernels.standardize_backward(
                rows[group], slopes[group], mean, a, b, c, _features_of(dx)[group]
            )
        return dx

    def commit_statistics(self, runners: Sequence[Layer]) -> None:
        """Move the running statistics by what the passes since the last time have found."""
        found = None
        for runner in runners:
            if isinstance(runner, BatchNorm) and runner._found is not None:
                found = runner._found if found is None else found.plus(runner._found)
                runner._found = None
        if found is None:
            return
        for name, sums in (("running_mean", found.means), ("running_variance", found.variances)):
            running = self.weights[name]
            running *= self.momentum
            running += (1.0 - self.momentum) / found.groups * sums

    def _statistics(self, rows: Array) -> tuple[Array, Array]:
        """Return mean and variance to normalize with, and note them if they were measured."""
        if not self.trainable:
            return self.weights["running_mean"], self.weights["running_variance"]
        mean = np.empty(rows.shape[1], rows.dtype)
        variance = np.empty_like(mean)
        self.kernels.moments(rows, mean, variance)
        found = _Found(1, mean, variance * (len(rows) / max(len(rows) - 1, 1)))
        self._found = found if self._found is None else self._found.plus(found)
        return mean, variance

    def _standardize(self, rows: Array, mean: Array, inverse: Array, out: Array) -> None:
        scale = self.weights["scale"] * inverse
        self.kernels.standardize(rows, mean, scale, self.weights["shift"], out)

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


class LayerNorm(Layer):
    """Normalizes every row over its own numbers.

    Forward and, given ``dy``, backward, for every row; means run over its ``d`` numbers::

        mu = mean of x,  var = mean of (x - mu)^2,  s = sqrt(var + epsilon)
        z  = (x - mu) / s
        y  = scale z + shift

        dscale = sum over rows of dy z,  dshift = sum over rows of dy
        g  = dy scale
        dx = (g - mean of g - z (mean of g z)) / s

    ``x``, ``y``, ``dy`` and ``dx`` have one shape, ``(n, ...)``; ``scale`` and ``shift`` have that
    of a row. Training and inference are the same, and rows do not depend on each other.

    Parameters
    ----------
    epsilon : float
        What keeps a row of equal numbers from being divided by zero.

    Raises
    ------
    ConfigurationError
        If ``epsilon`` means nothing.

    References
    ----------
    Ba, Kiros, Hinton, "Layer Normalization", 2016, arXiv 1607.06450.
    """

    kind = "layer_norm"

    def __init__(self, *, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.epsilon = require_number("epsilon", epsilon, minimum=0.0, exclusive=True)

    def declare(self, input_shape: tuple[int, ...]) -> dict[str, ParameterSpec]:
        """Declare scale and shift, of the shape of a row."""
        return {
            "scale": ParameterSpec(input_shape, Ones(), elementwise=True),
            "shift": ParameterSpec(input_shape, Zeros(), elementwise=True),
        }

    def config(self) -> dict[str, object]:
        """Return the constructor's argument."""
        return {"epsilon": self.epsilon}

    def forward(
        self,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Normalize the rows of ``x``, shape (n, ...).

        Raises
        ------
        ModelError
            If the layer has no arrays yet, or a row has another shape than they have.
        """
        if "scale" not in self.weights:
            raise ModelError(f"{self.kind}: build the layer before running it")
        scale, shift = self.weights["scale"], self.weights["shift"]
        if x.shape[1:] != scale.shape:
            raise ModelError(
                f"{self.kind}: expected rows of shape {scale.shape}, got rows of shape "
                f"{x.shape[1:]}"
            )
        axes = tuple(range(1, x.ndim))
        z = self._buffer("z", x.shape, x.dtype)
        np.subtract(x, x.mean(axis=axes, keepdims=True), out=z)
        y = self._buffer("y", x.shape, x.dtype)
        np.square(z, out=y)
        inverse = 1.0 / np.sqrt(y.mean(axis=axes, keepdims=True) + self.epsilon)
        z *= inverse
        if training:
            self._saved, self._inverse = z, inverse
        np.multiply(z, scale, out=y)
        y += shift
        return y

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Write the gradients of scale and shift; return ``dx``, or None."""
        z = self._recall()
        dx = self._buffer("dx", z.shape, z.dtype)
        np.multiply(dy, z, out=dx)
        dx.sum(axis=0, out=self.gradients["scale"])
        dy.sum(axis=0, out=self.gradients["shift"])
        if not need_dx:
            return None
        axes, size = tuple(range(1, z.ndim)), prod(z.shape[1:])
        np.multiply(dy, self.weights["scale"], out=dx)
        slopes = dx.sum(axis=axes, keepdims=True) / size
        scratch = np.multiply(dx, z, out=self._buffer("scratch", z.shape, z.dtype))
        products = scratch.sum(axis=axes, keepdims=True) / size
        dx -= slopes
        dx -= np.multiply(z, products, out=scratch)
        dx *= self._inverse
        return dx


def _features(x: Array) -> Array:
    """Return ``x`` as a column a feature: (n, d), or (n y x, c) of images."""
    return contiguous_rows(channels_last(x) if x.ndim == 4 else x)


def _features_of(out: Array) -> Array:
    """Return a buffer of images or rows as a view with a column a feature."""
    return channels_last(out).reshape(-1, out.shape[1]) if out.ndim == 4 else out
