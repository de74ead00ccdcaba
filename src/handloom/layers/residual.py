"""The residual block: layers that learn what to add to their input."""

from __future__ import annotations  # numpy.random is loaded when it is used

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import numpy as np

from handloom.backend import NUMPY, Backend
from handloom.errors import ConfigurationError, ModelError
from handloom.layers.base import Layer
from handloom.layers.chain import Chain, rows_together
from handloom.parallel.pool import SERIAL, Pool
from handloom.parameters import Array, ParameterSpec
from handloom.randomness import spawn


class Residual(Layer):
    """A block of layers and a shortcut around them, added up.

    Forward and, given ``dy``, backward, with a block ``F`` and a shortcut ``S``, which is the
    identity unless layers are given::

        y  = F(x) + S(x)
        dx = (what F's backward makes of dy) + (what S's makes of it; dy itself for the identity)

    ``y`` and ``dy`` have the shape that both ways around end in, ``x`` and ``dx`` that of the
    input. Arrays are named for where they stand: ``"block.0.dense.weights"``,
    ``"shortcut.0.conv2d.weights"``.

    Parameters
    ----------
    block : sequence of Layer
        At least one.
    shortcut : sequence of Layer
        What brings the input to the block's shape where that is another, such as a convolution of
        one pixel with a stride. Without any the input is added as it is.

    Raises
    ------
    ConfigurationError
        If there is no layer in the block, or a layer stands twice.

    References
    ----------
    He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016.
    """

    kind = "residual"

    def __init__(self, block: Sequence[Layer], shortcut: Sequence[Layer] = ()) -> None:
        super().__init__()
        layers = [*block, *shortcut]
        if not all(isinstance(layer, Layer) for layer in layers) or not block:
            raise ConfigurationError("residual: block and shortcut are lists of layers")
        if len({id(layer) for layer in layers}) < len(layers):
            raise ConfigurationError("residual: a layer may stand in a block only once")
        self._take(Chain(block), Chain(shortcut))

    def _take(self, block: Chain, shortcut: Chain) -> None:
        self.block, self.shortcut = block, shortcut
        layers = (*block.layers, *shortcut.layers)
        self.stochastic = any(layer.stochastic for layer in layers)  # type: ignore[misc]
        self.couples_rows = any(layer.couples_rows for layer in layers)  # type: ignore[misc]
        self.ghost_batch = rows_together(layers) if self.couples_rows else None

    @property
    def _ways(self) -> dict[str, Chain]:
        return {"block": self.block, "shortcut": self.shortcut}

    def declare(self, input_shape: tuple[int, ...]) -> dict[str, ParameterSpec]:
        """Return the arrays of all layers within.

        Raises
        ------
        ModelError
            If a layer cannot take what the one before it returns, or the two ways around end in
            different shapes.
        """
        self.output_shape(input_shape)
        return {
            f"{way}.{name}": spec
            for way, chain in self._ways.items()
            for name, spec in chain.declare(input_shape).items()
        }

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape that both ways around end in."""
        added, passed = (chain.output_shape(input_shape) for chain in self._ways.values())
        if added != passed:
            raise ModelError(
                f"{self.kind}: the block makes rows of shape {added}, "
                f"the shortcut rows of shape {passed}"
            )
        return added

    def config(self) -> dict[str, object]:
        """Return a description of the layers on both ways around."""
        return {way: chain.config() for way, chain in self._ways.items()}

    @classmethod
    def from_config(cls, config: Mapping[str, object], make: Callable[[object], Layer]) -> Self:
        """Make a block from what `config` returned, layer by layer."""
        made = {
            way: [make(entry) for entry in entries]  # type: ignore[attr-defined]
            for way, entries in config.items()
        }
        return cls(**made)

    def bind(self, weights: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """Hand every layer within the arrays that are its own."""
        super().bind(weights, gradients)
        for way, chain in self._ways.items():
            chain.bind(_within(way, weights), _within(way, gradients))

    def freeze(self) -> Self:
        """Have the arrays of all layers within left as they are."""
        for chain in self._ways.values():
            for layer in chain.layers:
                layer.freeze()
        return super().freeze()

    def use(self, backend: Backend) -> None:
        """Have the layers within use the backend."""
        for chain in vars(self).get("block"), vars(self).get("shortcut"):
            for layer in chain.layers if chain else ():
                layer.use(backend)

    def replica(self, backend: Backend = NUMPY, pool: Pool = SERIAL) -> Self:
        """Return a copy for a lane, with replicas of the layers within."""
        replica = copy.copy(self)
        replica._take(self.block.replica(backend, pool), self.shortcut.replica(backend, pool))
        return replica._unbound(pool)

    @property
    def keeps_statistics(self) -> bool:
        """Whether a layer within has running statistics to commit."""
        return self.block.keeps_statistics or self.shortcut.keeps_statistics

    def take_statistics(self) -> dict[str, Array]:
        """Return what the layers within have noted."""
        return {
            f"{way}.{name}": array
            for way, chain in self._ways.items()
            for name, array in chain.take_statistics().items()
        }

    def commit_statistics(self, sums: Mapping[str, Array]) -> None:
        """Have the layers within update their running statistics."""
        for way, chain in self._ways.items():
            chain.commit_statistics(_within(way, sums))

    def forward(
        self,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Compute ``F(x) + S(x)``; every stochastic layer within draws from a place of its own."""
        draws = None if rng is None else spawn(rng, len(self.block) + len(self.shortcut))
        added = self.block.forward(
            x, training=training, draw=lambda place: None if draws is None else draws[place]
        )
        passed = self.shortcut.forward(
            x,
            training=training,
            draw=lambda place: None if draws is None else draws[len(self.block) + place],
        )
        self._remember(x, training)
        return np.add(added, passed, out=self._buffer("y", added.shape, added.dtype))

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Run both ways around backward and add up what they return."""
        x = self._recall()
        added = self.block.backward(dy, need_dx=need_dx)
        passed = self.shortcut.backward(dy, need_dx=need_dx)
        if added is None or passed is None:
            return None
        return np.add(added, passed, out=self._buffer("dx", x.shape, x.dtype))


def _within(way: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays of one way around, under their names within it."""
    prefix = f"{way}."
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
