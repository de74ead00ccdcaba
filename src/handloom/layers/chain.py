"""Layers in a row: what a whole network and a block within one have in common."""

from __future__ import annotations  # numpy.random is loaded when it is used

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import lcm, prod
from typing import Self

import numpy as np

from handloom.backend import NUMPY, Backend
from handloom.errors import ModelError
from handloom.layers.base import Layer
from handloom.operations import LayerOperation, offsets_of, operation_of
from handloom.parallel.pool import SERIAL, Pool
from handloom.parameters import Array, ParameterSpec

MAX_ROW_SIZE = 1 << 26
"""The most numbers that one row may be on its way: 256 MB in float32."""


class Chain:
    """Layers, each of which takes what the one before it returns.

    Their arrays are named ``"0.dense.weights"``: place, kind, and the layer's own name.

    Parameters
    ----------
    layers : sequence of Layer
        In the order in which data passes through them.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = tuple(layers)
        self._keeping = [place for place, layer in enumerate(self.layers) if layer.keeps_statistics]

    def __len__(self) -> int:
        return len(self.layers)

    @property
    def named(self) -> list[tuple[str, Layer]]:
        """The layers with the prefixes of their arrays."""
        return [(f"{place}.{layer.kind}", layer) for place, layer in enumerate(self.layers)]

    def declare(self, input_shape: tuple[int, ...]) -> dict[str, ParameterSpec]:
        """Return the arrays of all layers, given the shape of one input row.

        Raises
        ------
        ModelError
            If a row is larger than `MAX_ROW_SIZE`, or becomes so on its way.
        """
        specs, shape = {}, _checked(input_shape)
        for prefix, layer in self.named:
            for name, spec in layer.declare(shape).items():
                specs[f"{prefix}.{name}"] = spec if layer.trainable else spec.frozen()
            shape = _checked(layer.output_shape(shape))
        return specs

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of one output row, given that of one input row."""
        for layer in self.layers:
            input_shape = layer.output_shape(input_shape)
        return input_shape

    def bind(self, weights: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """Hand every layer the arrays that are its own."""
        views, slopes = self._own(weights), self._own(gradients)
        for layer, own, own_slopes in zip(self.layers, views, slopes, strict=True):
            if layer.trainable:
                layer.bind(own, own_slopes)
            else:  # it may write gradients; nobody reads them
                layer.bind(own, {name: np.empty_like(view) for name, view in own.items()})

    def replica(self, backend: Backend = NUMPY, pool: Pool = SERIAL) -> Self:
        """Return the layers' replicas; see `Layer.replica`."""
        return type(self)([layer.replica(backend, pool) for layer in self.layers])

    def operations(self, offsets: Mapping[str, int]) -> list[LayerOperation] | None:
        """Return what the layers compute as plain records, or None if one has none.

        A layer that is frozen has none: a record's arrays are all trained.

        Parameters
        ----------
        offsets : mapping of str to int
            Where every array begins in the network's vector of weights, by name.
        """
        operations = []
        for prefix, layer in self.named:
            frozen = bool(layer.weights) and not layer.trainable
            own = offsets_of(f"{prefix}.", offsets)
            operation = None if frozen else operation_of(layer, own)
            if operation is None:
                return None
            operations.append(operation)
        return operations

    def forward(
        self, x: Array, *, training: bool, draw: Callable[[int], np.random.Generator | None]
    ) -> Array:
        """Run the layers.

        Parameters
        ----------
        x : array, shape (n, ...)
        training : bool
            Keep what `backward` needs.
        draw : callable
            From the place of a stochastic layer to what it draws from in training.
        """
        for place, layer in enumerate(self.layers):
            rng = draw(place) if training and layer.stochastic else None
            x = layer.forward(x, training=training, rng=rng)
        return x

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Run the layers backward, no further than somebody needs it."""
        learning = (place for place, layer in enumerate(self.layers) if layer.learns)
        first = 0 if need_dx else next(learning, len(self))
        dx: Array | None = dy
        for place in range(len(self) - 1, first - 1, -1):
            dx = self.layers[place].backward(
                dx,  # type: ignore[arg-type]
                need_dx=need_dx or place > first,
            )
        return dx if need_dx else None

    @property
    def keeps_statistics(self) -> bool:
        """Whether there are running statistics to commit."""
        return bool(self._keeping)

    def take_statistics(self) -> dict[str, Array]:
        """Return what all layers have noted; see `Layer.take_statistics`."""
        named = self.named
        return {
            f"{named[place][0]}.{name}": array
            for place in self._keeping
            for name, array in self.layers[place].take_statistics().items()
        }

    def commit_statistics(self, sums: Mapping[str, Array]) -> None:
        """Have every layer update its running statistics; see `Layer.commit_statistics`."""
        own = self._own(sums)
        for place in self._keeping:
            self.layers[place].commit_statistics(own[place])

    def config(self) -> list[dict[str, object]]:
        """Return a description of each layer, from which it can be made again."""
        return [
            {
                "kind": layer.kind,
                **layer.config(),
                **({} if layer.trainable else {"trainable": False}),
            }
            for layer in self.layers
        ]

    def _own(self, arrays: Mapping[str, Array]) -> list[dict[str, Array]]:
        """Return each layer's arrays, under the layer's own names for them."""
        found: list[dict[str, Array]] = [{} for _ in self.layers]
        for name, array in arrays.items():
            place = int(name.partition(".")[0])
            found[place][name.removeprefix(f"{place}.{self.layers[place].kind}.")] = array
        return found


def rows_together(layers: Iterable[Layer]) -> int | None:
    """Return how many rows of a batch a training pass must not part.

    1 where every row is by itself; the size of ghost batches (or a common multiple) where layers
    couple rows within those only; None where a layer couples all rows of a batch.
    """
    sizes = [layer.ghost_batch for layer in layers if layer.couples_rows]
    return None if None in sizes else lcm(*(size for size in sizes if size is not None))


def _checked(shape: tuple[int, ...]) -> tuple[int, ...]:
    if prod(shape) > MAX_ROW_SIZE:
        raise ModelError(
            f"a row of shape {shape} holds {prod(shape):,} numbers, expected at most "
            f"{MAX_ROW_SIZE:,}"
        )
    return shape
