"""Residual: a block of layers with a skip connection, ``y = F(x) + S(x)``."""

from __future__ import annotations  # numpy.random is loaded when it is used

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import numpy as np

from handloom.backend import NUMPY, Backend
from handloom.errors import ConfigurationError, ModelError
from handloom.layers.base import Layer
from handloom.layers.chain import Chain, coupled_rows
from handloom.layers.names import as_layers
from handloom.parallel.pool import SERIAL, Pool
from handloom.parameters import Array, ArrayViews, Parameters, ParameterSpec
from handloom.randomness import spawn


class Residual(Layer):
    """A residual block: layers plus a shortcut (skip connection) around them.

    Forward and, given ``dy``, backward, with a block ``F`` and a shortcut ``S``, by default the
    identity::

        y  = F(x) + S(x)
        dx = F backward(dy) + S backward(dy)        (dy itself for the identity)

    ``y`` and ``dy`` have the output shape of both branches, ``x`` and ``dx`` the shape of the
    input. Arrays are named after their branch: ``"block.0.dense.weights"``,
    ``"shortcut.0.conv2d.weights"``.

    Parameters
    ----------
    block : sequence of Layer or str
        At least one. The name of an activation function, such as ``"relu"``, stands for its layer.
    shortcut : sequence of Layer or str
        Layers that bring the input to the block's output shape if it differs, such as a 1 x 1
        convolution with a stride. By default the input is added unchanged.

    Raises
    ------
    ConfigurationError
        If the block is empty, a layer is used twice, or a name is unknown.
    ModelError
        If an entry is no layer.

    References
    ----------
    He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016.
    """

    kind = "residual"

    def __init__(self, block: Sequence[Layer | str], shortcut: Sequence[Layer | str] = ()) -> None:
        super().__init__()
        for layers in (block, shortcut):
            if isinstance(layers, str) or not isinstance(layers, Sequence):
                raise ConfigurationError(
                    "residual: block and shortcut must be sequences of layers: pass "
                    "Residual([Dense(8), ReLU()])"
                )
        if not block:
            raise ConfigurationError("residual: block must have at least one layer, got none")
        main, around = Chain(as_layers(block)), Chain(as_layers(shortcut))
        both = [*main.layers, *around.layers]
        if len({id(layer) for layer in both}) < len(both):
            raise ConfigurationError("residual: each layer must be used only once, got one twice")
        self._take(main, around)

    def _take(self, block: Chain, shortcut: Chain) -> None:
        self.block, self.shortcut = block, shortcut
        layers = (*block.layers, *shortcut.layers)
        self.stochastic = any(layer.stochastic for layer in layers)  # type: ignore[misc]
        self.couples_rows = any(layer.couples_rows for layer in layers)  # type: ignore[misc]
        self.ghost_batch = coupled_rows(layers) if self.couples_rows else None
        self.index_columns = tuple(sorted({*block.index_columns, *shortcut.index_columns}))

    @property
    def branches(self) -> dict[str, Chain]:
        """The layers of block and shortcut, by the names in front of their arrays."""
        return {"block": self.block, "shortcut": self.shortcut}

    def __repr__(self) -> str:
        shortcut = f", {list(self.shortcut.layers)}" if len(self.shortcut) else ""
        return f"Residual({list(self.block.layers)}{shortcut})"

    def declare(self, input_shape: tuple[int, ...]) -> dict[str, ParameterSpec]:
        """Return the specs of the arrays of all inner layers.

        Raises
        ------
        ModelError
            If a layer cannot take the output of the one before it, or block and shortcut have
            different output shapes.
        """
        self.output_shape(input_shape)
        return {
            f"{branch}.{name}": spec
            for branch, chain in self.branches.items()
            for name, spec in chain.declare(input_shape).items()
        }

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the output shape of block and shortcut, which must be equal."""
        added, passed = (chain.output_shape(input_shape) for chain in self.branches.values())
        if added != passed:
            raise ModelError(
                f"{self.kind}: block and shortcut must have the same output shape, "
                f"got {added} and {passed}"
            )
        return added

    def fewest_rows(self, input_shape: tuple[int, ...]) -> int:
        """Return the fewest rows of a training pass, the larger one of both branches."""
        return max(chain.fewest_rows(input_shape) for chain in self.branches.values())

    def multiplications(self, input_shape: tuple[int, ...]) -> int:
        """Return those of the layers of both branches."""
        return sum(chain.multiplications(input_shape) for chain in self.branches.values())

    def config(self) -> dict[str, object]:
        """Return the configurations of the layers of block and shortcut."""
        return {branch: chain.config() for branch, chain in self.branches.items()}

    @classmethod
    def from_config(cls, config: Mapping[str, object], make: Callable[[object], Layer]) -> Self:
        """Make a block from its configuration, as `config` returned it."""
        made = {
            branch: [make(entry) for entry in entries]  # type: ignore[attr-defined]
            for branch, entries in config.items()
        }
        return cls(**made)

    def claim(self, name: str, parameters: Parameters, earlier: Parameters | None = None) -> None:
        """Make the block and all inner layers belong to a network."""
        super().claim(name, parameters, earlier)
        for branch, chain in self.branches.items():
            for inner, layer in chain.named:
                layer.claim(f"{name}.{branch}.{inner}", parameters, earlier)

    def bind(self, weights: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """Bind every inner layer to its own arrays."""
        super().bind(weights, gradients)
        for branch, chain in self.branches.items():
            chain.bind(_within(branch, weights), _within(branch, gradients))

    def set_trainable(self, trainable: bool) -> None:
        """Set it for all inner layers."""
        super().set_trainable(trainable)
        for chain in self.branches.values():
            for layer in chain.layers:
                layer.set_trainable(trainable)

    def set_backend(self, backend: Backend) -> None:
        """Set the backend of the inner layers."""
        for chain in vars(self).get("block"), vars(self).get("shortcut"):
            for layer in chain.layers if chain else ():
                layer.set_backend(backend)

    def replica(self, backend: Backend = NUMPY, pool: Pool = SERIAL) -> Self:
        """Return a copy for a lane, with replicas of the inner layers."""
        replica = copy.copy(self)
        replica._take(self.block.replica(backend, pool), self.shortcut.replica(backend, pool))
        return replica._emptied(pool)

    @property
    def keeps_statistics(self) -> bool:
        """Whether an inner layer has running statistics to commit."""
        return self.block.keeps_statistics or self.shortcut.keeps_statistics

    def take_statistics(self) -> dict[str, Array]:
        """Return the statistics of the inner layers."""
        return {
            f"{branch}.{name}": array
            for branch, chain in self.branches.items()
            for name, array in chain.take_statistics().items()
        }

    def commit_statistics(self, sums: Mapping[str, Array]) -> None:
        """Update the running statistics of the inner layers."""
        for branch, chain in self.branches.items():
            chain.commit_statistics(_within(branch, sums))

    def forward(
        self,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Compute ``F(x) + S(x)``; every stochastic inner layer has its own generator."""
        draws = None if rng is None else spawn(rng, len(self.block) + len(self.shortcut))
        added = self.block.forward(
            x, training=training, draw=lambda index: None if draws is None else draws[index]
        )
        passed = self.shortcut.forward(
            x,
            training=training,
            draw=lambda index: None if draws is None else draws[len(self.block) + index],
        )
        self._save_for_backward(x, training)
        return np.add(added, passed, out=self._buffer("y", added.shape, added.dtype))

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Run block and shortcut backward and return the sum of their ``dx``."""
        x = self._saved_array()
        added = self.block.backward(dy, need_dx=need_dx)
        passed = self.shortcut.backward(dy, need_dx=need_dx)
        if added is None or passed is None:
            return None
        return np.add(added, passed, out=self._buffer("dx", x.shape, x.dtype))


def _within(branch: str, arrays: Mapping[str, Array]) -> ArrayViews:
    """Return the arrays of one branch, under their names within it."""
    prefix = f"{branch}."
    return ArrayViews(
        {
            name.removeprefix(prefix): array
            for name, array in arrays.items()
            if name.startswith(prefix)
        }
    )
