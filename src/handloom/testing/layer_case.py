"""A layer and its input rows, as the check of its contract runs them."""

from __future__ import annotations  # numpy.random is loaded when it is used

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from handloom.gradcheck import GradientReport, check_gradients
from handloom.layers import Layer
from handloom.layers.building import build
from handloom.network import Sequential
from handloom.parameters import Array, Parameters
from handloom.randomness import Purpose, Stream
from handloom.testing.contract import same

Reference = Callable[[Array, Mapping[str, Array]], npt.ArrayLike]


@dataclass(frozen=True)
class Pass:
    """The result of one training pass."""

    y: Array
    dx: Array | None
    gradient: Array


def same_passes(a: Pass, b: Pass) -> bool:
    """Return whether two passes have the same bits."""
    return same(a.y, b.y) and same(a.dx, b.dx) and same(a.gradient, b.gradient)


@dataclass(frozen=True)
class LayerCase:
    """A layer, its input rows, and fresh copies of it."""

    layer: Layer
    x: Array
    reference: Reference | None
    tolerance: float
    seed: int

    @cached_property
    def report(self) -> GradientReport:
        """The comparison of its gradients with differences."""
        return check_gradients(self.layer, self.x, tolerance=self.tolerance, seed=self.seed)

    @property
    def stream(self) -> Stream:
        """The random stream of its training passes."""
        return Stream(self.seed).at(Purpose.LAYER)

    @property
    def couples_rows(self) -> bool:
        """Whether rows of a training pass depend on each other."""
        return bool(getattr(self.layer, "couples_rows", False))

    @property
    def deterministic(self) -> bool:
        """Whether training and inference compute the same, row by row."""
        return not self.layer.stochastic and not self.couples_rows

    def copy(self) -> Layer:
        """Return a copy of the layer."""
        return copy.deepcopy(self.layer)

    def perturb(self, parameters: Parameters) -> None:
        """Perturb initial weights, which may be all zeros or ones."""
        noise = Stream(self.seed).at(Purpose.GENERATE).generator()
        parameters.vector += (0.1 * noise.standard_normal(len(parameters))).astype(parameters.dtype)

    def fresh(self, dtype: npt.DTypeLike = np.float64) -> tuple[Layer, Parameters]:
        """Return a copy with its own weights, the same in every call."""
        layer = self.copy()
        parameters = build([layer], self.x.shape[1:], seed=self.seed, dtype=dtype)
        self.perturb(parameters)
        return layer, parameters

    def network(self, dtype: npt.DTypeLike = np.float64) -> Sequential:
        """Return a network of one copy, with the same weights."""
        network = Sequential([self.copy()]).build(self.x.shape[1:], seed=self.seed, dtype=dtype)
        self.perturb(network.parameters)
        return network

    def forward(self, layer: Layer, x: Array, stream: Stream | None = None) -> Array:
        """Run the forward pass of training, with the same random numbers in every call."""
        rng = (stream or self.stream).at(0).generator() if layer.stochastic else None
        return layer.forward(x, training=True, rng=rng)

    def dy(self, y: Array) -> Array:
        """Return a random gradient of the output, the same in every call."""
        generator = Stream(self.seed).at(Purpose.GENERATE, 0).generator()
        return generator.standard_normal(y.shape).astype(y.dtype)

    def run(self, layer: Layer, parameters: Parameters, x: Array, dy: Array | None = None) -> Pass:
        """Run the forward and backward pass of training; return copies of the results."""
        y = self.forward(layer, x)
        y_copy = y.copy()
        dx = layer.backward(self.dy(y) if dy is None else dy)
        return Pass(y_copy, None if dx is None else dx.copy(), parameters.gradient.copy())
