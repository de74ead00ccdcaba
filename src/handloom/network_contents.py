"""The contents of a network: its layers, their outputs for some rows, and their weights."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import Self, SupportsIndex, overload

import numpy as np
import numpy.typing as npt

from handloom.data.conversion import convert_inputs
from handloom.data.transforms import given_rows
from handloom.errors import ModelError, unknown_name
from handloom.in_use import Part, unused
from handloom.layers import Layer
from handloom.layers.chain import Chain
from handloom.parameters import Array, NamedArrays, Parameters
from handloom.secondary import warn

CHECKED_ROWS = 16
"""The number of rows of which one with a byte above 1 shows that bytes were not scaled."""

BYTES = (
    "x has bytes, 0 to 255, and no transform: a network that was trained on scaled rows computes "
    "something else for them. Pass transform=model.transform, or x / 255 as it was trained"
)
"""The warning about bytes that are passed to a network as they are."""

WritesRows = Callable[[npt.NDArray[np.generic], Array], object]
"""``transform(rows, out)`` writes stored rows, preprocessed for a network, into flat rows."""


class NetworkContents:
    """Base class of `handloom.Sequential`: access to layers, to their outputs and weights."""

    layers: tuple[Layer, ...]
    input_shape: tuple[int, ...]
    _chain: Chain
    _parameters: Parameters | None

    @property
    def built(self) -> bool:
        """Whether the layers have weights."""
        return self._parameters is not None

    @property
    def parameters(self) -> Parameters:
        """The network's weights and gradients.

        Raises
        ------
        ModelError
            If the network is not built yet.
        """
        if self._parameters is None:
            raise ModelError("build the network first: network.build((784,), seed=0)")
        return self._parameters

    @property
    def short(self) -> str:
        """The network in a line: ``"3 layers, (784,) -> (10,), 101,770 parameters"``."""
        layers = "1 layer" if len(self) == 1 else f"{len(self)} layers"
        if self._parameters is None:
            return f"{layers}, not built"
        shape = self._chain.output_shape(self.input_shape)
        return f"{layers}, {self.input_shape} -> {shape}, {len(self.parameters):,} parameters"

    def __len__(self) -> int:
        return len(self.layers)

    def __bool__(self) -> bool:
        return True  # also without layers, as the network in front of a softmax alone

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    @overload
    def __getitem__(self, key: SupportsIndex | str) -> Layer: ...

    @overload
    def __getitem__(self, key: slice) -> tuple[Layer, ...]: ...

    def __getitem__(self, key: SupportsIndex | str | slice) -> Layer | tuple[Layer, ...]:
        """Return a layer, by index or by name, or the layers of a slice.

        Parameters
        ----------
        key : int, str or slice
            ``0`` is the first layer, ``-1`` the last one; names are those of `summary`. The layers
            of a slice are a tuple, as `layers`, and no network: a layer belongs to one network.

        Raises
        ------
        ModelError
            If there is no such layer.
        """
        if isinstance(key, slice):
            return self.layers[key]
        if isinstance(key, str):
            return self._named(key)
        if not hasattr(key, "__index__") or isinstance(key, bool):
            raise ModelError(
                f"a layer is chosen by its index, its name or a slice, got {key!r}: network[0], "
                f"network[-1], network[{self._chain.named[0][0]!r}]"
            )
        index = key.__index__()
        if not -len(self) <= index < len(self):
            raise _LayerIndexError(f"layer {index} does not exist: there are {len(self)} layers")
        return self.layers[index]

    def _named(self, name: str) -> Layer:
        known = dict(self._chain.named)
        if name not in known:
            raise ModelError(unknown_name("layer", name, known))
        return known[name]

    def named_layers(self) -> list[tuple[str, Layer]]:
        """Return the layers with their names."""
        return self._chain.named

    def activations(self, x: object, transform: WritesRows | None = None) -> NamedArrays:
        """Return the outputs of every layer for some rows, as they are in prediction.

        They are computed in evaluation mode: nothing is dropped, and normalization uses its running
        statistics. The outputs of the last layer are those of `predict`. All of them are in memory
        at once, so ``x`` should hold few rows.

        Parameters
        ----------
        x : array-like, shape (n, ...)
            Rows of the network's input: transformed rows. With a transform, raw rows.
        transform : Transform, optional
            Preprocesses raw rows for the network; ``model.transform`` is that of a trained model.

        Returns
        -------
        NamedArrays
            The outputs, shape (n, ...), by the names of the layers, as in `summary`:
            ``"0.dense"``. They are the caller's own.

        Raises
        ------
        ModelError
            If the network is not built, or the shape of a row is not ``input_shape``.
        DataError
            If ``x`` is not numeric, or values are missing.
        """
        y = self.as_rows(x, transform)
        outputs = NamedArrays()
        for name, layer in self._chain.named:
            before, y = y, layer.forward(y)
            outputs[name] = y.copy() if np.may_share_memory(y, before) else y
        return outputs

    def as_rows(self, x: object, transform: WritesRows | None = None) -> Array:
        """Return rows as the first layer takes them; arguments and errors are those above."""
        dtype, stored = self.parameters.dtype, convert_inputs(x, "x", scaled=transform is not None)
        self._check_rows(stored.rows, transform)
        rows = stored.rows[:]  # of rows on demand, an array
        if transform is None:
            return self._as_input(rows)
        prepared: Array = np.empty((len(rows), *self.input_shape), dtype)
        transform(given_rows(transform, rows), prepared.reshape(len(rows), -1))
        return prepared

    def _check_rows(self, x: Array, transform: WritesRows | None) -> None:
        """Refuse a single row, and warn of bytes, which are not scaled without a transform."""
        if transform is None and x.shape == self.input_shape:
            raise ModelError(
                f"x must hold rows of shape {self.input_shape}, got a single row: pass x[None]"
            )
        fits = transform is None and x.shape[1:] == self.input_shape
        values = fits and x.dtype == np.uint8 and not self._chain.index_columns
        if values and (x[:CHECKED_ROWS] > 1).any():
            warn(BYTES)

    def _as_input(self, x: npt.ArrayLike) -> Array:
        """Return rows in the network's dtype; refuse those of another shape."""
        rows: Array = np.asarray(x, self.parameters.dtype)
        if rows.shape[1:] != self.input_shape:
            remedy = ""
            if rows.size == prod(self.input_shape):
                remedy = f": a single row is x.reshape({(1, *self.input_shape)})"
            elif prod(rows.shape[1:]) == prod(self.input_shape):
                remedy = (
                    ": pass transform=model.transform for rows of a dataset, or "
                    f"x.reshape({(-1, *self.input_shape)})"
                )
            raise ModelError(
                f"the network was built for rows of shape {self.input_shape}, "
                f"got rows of shape {rows.shape[1:]}{remedy}"
            )
        return rows

    def get_weights(self) -> NamedArrays:
        """Return copies of all arrays by name, running statistics and frozen weights included.

        Returns
        -------
        NamedArrays
            By the names in ``parameters.weights``, in that order: ``"0.dense.weights"``.

        Raises
        ------
        ModelError
            If the network is not built.
        """
        return NamedArrays({name: own.copy() for name, own in self.parameters.weights.items()})

    def set_weights(self, weights: Mapping[str, npt.ArrayLike] | Sequence[npt.ArrayLike]) -> None:
        """Set all arrays, as `get_weights` returned them; all of them, or none after an error.

        Their memory stays, so optimizers and trainers of this network go on with it. A single array
        is set by ``network.parameters.weights["0.dense.biases"] = values``. Nothing is returned, so
        that a cell of a notebook shows no table.

        Parameters
        ----------
        weights : mapping of str to array-like, or sequence of array-like
            Every array by name, in any order; or all arrays in the order of `get_weights`. They
            are copied, and converted to the network's dtype.

        Raises
        ------
        ModelError
            If a name is unknown, an array is missing, of another shape, not of real numbers, or
            not finite in the network's dtype; if the network is not built, or a training in
            another thread uses it.
        """
        own = self.parameters.weights
        converted = {name: self._converted(name, each) for name, each in self._by_name(weights)}
        with unused(self._memory(), remedy="set weights when that one has ended"):
            for name, values in converted.items():
                own[name][...] = values

    def _by_name(
        self, weights: Mapping[str, npt.ArrayLike] | Sequence[npt.ArrayLike]
    ) -> Iterable[tuple[str, npt.ArrayLike]]:
        """Return arrays with their names, of which each is there once."""
        own = self.parameters.weights
        if isinstance(weights, list | tuple):
            if len(weights) != len(own):
                raise ModelError(
                    f"weights must hold {len(own)} arrays, in the order {', '.join(own)}; "
                    f"got {len(weights)}"
                )
            return zip(own, weights, strict=True)
        if not isinstance(weights, Mapping):
            hint = ": pass its get_weights()" if hasattr(weights, "get_weights") else ""
            raise ModelError(
                f"weights must be a mapping of names to arrays, as get_weights() returns it, or a "
                f"list of arrays in its order, got {type(weights).__name__}{hint}"
            )
        for name in weights:
            if name not in own:
                raise ModelError(unknown_name("array", name, own))
        for name, array in own.items():
            if name not in weights:
                raise ModelError(f"array {name!r} is missing, expected shape {array.shape}")
        return weights.items()

    def _converted(self, name: str, values: npt.ArrayLike) -> Array:
        """Return values for an array in the network's dtype."""
        own = self.parameters.weights[name]
        try:
            array = np.asarray(values)
        except ValueError as error:  # rows of different lengths
            raise ModelError(f"array {name!r} must have shape {own.shape}: {error}") from None
        if array.dtype.kind not in "fiu":
            raise ModelError(f"array {name!r} must hold real numbers, got dtype {array.dtype}")
        if array.shape != own.shape:
            raise ModelError(f"array {name!r} must have shape {own.shape}, got {array.shape}")
        with np.errstate(over="ignore"):
            converted: Array = array.astype(own.dtype)
        if not np.isfinite(converted).all():
            raise ModelError(f"array {name!r} must be finite in {own.dtype}, got NaN or infinity")
        return converted

    def copy_weights(self, earlier: "NetworkContents", *names: str) -> Self:
        """Copy the weights of layers from another network, as for a new last layer.

        Parameters
        ----------
        earlier : Sequential
            A built network with layers of the same names and shapes.
        names : str
            Names of layers, as in `summary`; by default all layers whose arrays have the same names
            and shapes in both networks.

        Raises
        ------
        ModelError
            If a named layer is not in both networks with arrays of the same shapes, no array is the
            same in both, a network is not built, or a training in another thread uses one.
        """
        own, others = self.parameters.weights, earlier.parameters.weights
        for name in names:
            self._named(name)
        copied: dict[str, Array] = {}
        for name, layer in self._chain.named:
            if names and name not in names:
                continue
            arrays = [f"{name}.{array}" for array in layer.weights]
            same = all(a in others and others[a].shape == own[a].shape for a in arrays)
            if not same and names:
                raise ModelError(
                    f"layer {name} must have arrays of the same shapes in both networks"
                )
            copied |= {array: others[array] for array in arrays if same}
        if not copied:
            raise ModelError("no layer has arrays of the same names and shapes in both networks")
        both = [*self._memory(), *earlier._memory()]
        with unused(both, remedy="copy weights when that one has ended"):
            for array, values in copied.items():
                own[array][...] = values
        return self

    def _memory(self) -> list[Part]:
        """Return the memory of the weights, which stands for the network where it is in use."""
        return [] if self._parameters is None else [("the network", self._parameters.values)]


class _LayerIndexError(ModelError, IndexError):
    """An index without a layer: an IndexError too, which ends a loop over indices."""
