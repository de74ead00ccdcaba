"""Chain: a sequence of layers, the common part of a network and of a residual block."""

from __future__ import annotations  # numpy.random is loaded when it is used

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import lcm, prod
from typing import Self

import numpy as np

from handloom.backend import NUMPY, Backend
from handloom.errors import (
    ConfigurationError,
    HandloomError,
    ModelError,
    require_complete_config,
    require_own_config,
)
from handloom.layers.base import Layer
from handloom.operations import LayerOperation, offsets_of, operation_of
from handloom.parallel.pool import SERIAL, Pool
from handloom.parameters import Array, ArrayViews, Parameters, ParameterSpec

MAX_ROW_SIZE = 1 << 26
"""The largest number of entries of one row between layers: 256 MB in float32."""


class Chain:
    """A sequence of layers, each of which takes the output of the one before it.

    Their arrays are named ``"0.dense.weights"``: index, kind, and the layer's name of the array.

    Parameters
    ----------
    layers : sequence of Layer
        In the order in which data passes through them.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = tuple(layers)
        self._keeping = [index for index, layer in enumerate(self.layers) if layer.keeps_statistics]

    def __len__(self) -> int:
        return len(self.layers)

    @property
    def named(self) -> list[tuple[str, Layer]]:
        """The layers with the prefixes of their arrays."""
        return [(f"{index}.{layer.kind}", layer) for index, layer in enumerate(self.layers)]

    @property
    def index_columns(self) -> tuple[int, ...]:
        """The index columns of an input row: those of the first layer."""
        return self.layers[0].index_columns if self.layers else ()

    def declare(self, input_shape: tuple[int, ...]) -> dict[str, ParameterSpec]:
        """Return the specs of all layers' arrays, from the shape of one input row.

        Raises
        ------
        ModelError
            If an input row, or the output row of a layer, is larger than `MAX_ROW_SIZE`.
        """
        specs, shape = {}, _checked(input_shape)
        for prefix, layer in self.named:
            for name, spec in layer.declare(shape).items():
                specs[f"{prefix}.{name}"] = spec if layer.trainable else spec.frozen()
            shape = _checked(layer.output_shape(shape))
        return specs

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of one output row, from the shape of one input row."""
        for layer in self.layers:
            input_shape = layer.output_shape(input_shape)
        return input_shape

    def claim(self, parameters: Parameters, earlier: Parameters | None = None) -> None:
        """Make every layer belong to the network with these parameters.

        Parameters
        ----------
        parameters : Parameters
        earlier : Parameters, optional
            Those of the same network's earlier build.

        Raises
        ------
        ModelError
            If a layer belongs to another network.
        """
        for prefix, layer in self.named:
            layer.claim(prefix, parameters, earlier)

    def fewest_rows(self, input_shape: tuple[int, ...]) -> int:
        """Return the fewest rows of a training pass, from the shape of one input row."""
        fewest = 1
        for layer in self.layers:
            fewest = max(fewest, layer.fewest_rows(input_shape))
            input_shape = layer.output_shape(input_shape)
        return fewest

    def multiplications(self, input_shape: tuple[int, ...]) -> int:
        """Return those of all layers for one row, of such a shape."""
        total = 0
        for layer in self.layers:
            total += layer.multiplications(input_shape)
            input_shape = layer.output_shape(input_shape)
        return total

    def bind(self, weights: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """Bind every layer to its own arrays."""
        views, slopes = self._own(weights), self._own(gradients)
        for layer, own, own_slopes in zip(self.layers, views, slopes, strict=True):
            if layer.trainable:
                layer.bind(own, own_slopes)
            else:  # it may write gradients, which are not used
                unused = {name: np.empty_like(view) for name, view in own.items()}
                layer.bind(own, ArrayViews(unused))

    def replica(self, backend: Backend = NUMPY, pool: Pool = SERIAL) -> Self:
        """Return a chain of the layers' replicas; see `Layer.replica`."""
        return type(self)([layer.replica(backend, pool) for layer in self.layers])

    def operations(self, offsets: Mapping[str, int]) -> list[LayerOperation] | None:
        """Return the layers' computations as records, or None if a layer has no record.

        A frozen layer has none: all arrays of a record are trained.

        Parameters
        ----------
        offsets : mapping of str to int
            The offset of every array in the network's values, by name.
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
            Keep the arrays that `backward` needs.
        draw : callable
            From the index of a stochastic layer to its random generator in training.
        """
        index = 0
        try:
            for index, layer in enumerate(self.layers):
                rng = draw(index) if training and layer.stochastic else None
                x = layer.forward(x, training=training, rng=rng)
            return x
        except AttributeError as error:
            if not training or self.layers[index].stochastic or "'NoneType'" not in str(error):
                raise
            name, layer = self.named[index]
            raise ModelError(
                f"layer {name}: forward failed: {error}. If it draws random numbers, set "
                f"stochastic = True in {type(layer).__name__}: otherwise rng is None"
            ) from error

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Run the layers backward, down to the first one whose gradients are needed."""
        learning = (index for index, layer in enumerate(self.layers) if layer.learns)
        first = 0 if need_dx else next(learning, len(self))
        dx: Array | None = dy
        index, above = 0, dx
        try:
            for index in range(len(self) - 1, first - 1, -1):
                above = dx
                dx = self.layers[index].backward(
                    dx,  # type: ignore[arg-type]
                    need_dx=need_dx or index > first,
                )
        except (AttributeError, TypeError, ValueError) as error:
            upper = self.layers[min(index + 1, len(self) - 1)]
            own = not type(upper).__module__.startswith("handloom.")  # a user's own layer
            if index == len(self) - 1 or not own or isinstance(error, HandloomError):
                raise
            got = f"shape {above.shape}" if isinstance(above, np.ndarray) else repr(above)
            raise ModelError(
                f"layer {self.named[index][0]}: backward failed: {error}. It takes the dx that "
                f"backward of layer {self.named[index + 1][0]} returned, {got}: that must be an "
                f"array of the shape of its input"
            ) from error
        return dx if need_dx else None

    @property
    def keeps_statistics(self) -> bool:
        """Whether there are running statistics to commit."""
        return bool(self._keeping)

    def take_statistics(self) -> dict[str, Array]:
        """Return the statistics of all layers; see `Layer.take_statistics`."""
        named = self.named
        return {
            f"{named[index][0]}.{name}": array
            for index in self._keeping
            for name, array in self.layers[index].take_statistics().items()
        }

    def commit_statistics(self, sums: Mapping[str, Array]) -> None:
        """Update the running statistics of every layer; see `Layer.commit_statistics`."""
        own = self._own(sums)
        for index in self._keeping:
            self.layers[index].commit_statistics(own[index])

    def config(self) -> list[dict[str, object]]:
        """Return the configuration of each layer.

        Raises
        ------
        ConfigurationError
            If a layer cannot be made again from it: it omits an argument of the constructor, or
            the layer has the kind of another class.
        """
        return [_config(name, layer) for name, layer in self.named]

    def _own(self, arrays: Mapping[str, Array]) -> list[ArrayViews]:
        """Return each layer's arrays, under the layer's own names for them."""
        of_layers: list[dict[str, Array]] = [{} for _ in self.layers]
        for name, array in arrays.items():
            index = int(name.partition(".")[0])
            of_layers[index][name.removeprefix(f"{index}.{self.layers[index].kind}.")] = array
        return [ArrayViews(own) for own in of_layers]


def coupled_rows(layers: Iterable[Layer]) -> int | None:
    """Return the number of consecutive rows of a batch that a training pass must not split.

    1 if rows are independent; the size of ghost batches (or a common multiple) if layers couple
    rows within those only; None if a layer couples all rows of a batch.
    """
    sizes = [layer.ghost_batch for layer in layers if layer.couples_rows]
    return None if None in sizes else lcm(*(size for size in sizes if size is not None))


def _config(name: str, layer: Layer) -> dict[str, object]:
    for base in type(layer).__mro__[1:]:
        if vars(base).get("kind") == layer.kind:
            raise ConfigurationError(
                f"layer {name}: the class {type(layer).__name__} must have a kind of its own, "
                f"since {layer.kind!r} is that of {base.__name__}"
            )
    try:
        config = layer.config()
    except HandloomError as error:  # of a layer inside of this one
        raise ConfigurationError(f"layer {name}: {error}") from None
    except Exception as error:
        raise ConfigurationError(
            f"layer {name}: config() of {type(layer).__name__} failed: {error!r}"
        ) from error
    if not isinstance(config, Mapping):
        raise ConfigurationError(
            f"layer {name}: config() of {type(layer).__name__} must return a dict, got {config!r}"
        )
    if type(layer).from_config.__func__ is Layer.from_config.__func__:  # type: ignore[attr-defined]
        require_complete_config(f"layer {name}", layer, config)
    require_own_config(f"layer {name}", layer)
    return {"kind": layer.kind, **config, **({} if layer.trainable else {"trainable": False})}


def _checked(shape: tuple[int, ...]) -> tuple[int, ...]:
    if prod(shape) > MAX_ROW_SIZE:
        raise ModelError(
            f"a row must have at most {MAX_ROW_SIZE:,} numbers, "
            f"got {prod(shape):,} numbers (shape {shape})"
        )
    return shape
