"""Sequential: a network of layers that share one vector of weights."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from handloom.arguments import BY_POSITION, ChecksArguments
from handloom.backend import NUMPY, Backend
from handloom.data.conversion import convert_inputs
from handloom.data.row_reader import RowReader
from handloom.data.transforms import given_rows
from handloom.elsewhere import NETWORK, AdvisesOnNames, refuse_call
from handloom.errors import ModelError, require_known, unknown_name
from handloom.in_use import in_use
from handloom.layers import Layer
from handloom.layers.building import build_chain, check_channels, shape_of
from handloom.layers.chain import Chain, coupled_rows
from handloom.layers.configuration import layers_from_config
from handloom.layers.names import as_layers
from handloom.markup import render, table
from handloom.network_contents import NetworkContents, WritesRows
from handloom.operations import LayerOperation
from handloom.parallel.partition import prediction_rows
from handloom.parallel.pool import SERIAL, Pool
from handloom.parameters import Array, Parameters
from handloom.randomness import Source
from handloom.text import printable

DTYPES = ("float32", "float64")

BUILT_AGAIN = (
    "it cannot be frozen or built again during the training: do it between two trainings, and make "
    "a new trainer"
)
"""The remedy in the error about a network whose arrays would be replaced during a training."""


class Sequential(NetworkContents, ChecksArguments, AdvisesOnNames):
    """A sequential network: each layer takes the output of the one before it.

    It may end in logits or in an output activation, `Softmax` or `Sigmoid`. If the loss applies
    this activation itself, training leaves the layer out; any other last layer stays. A
    `handloom.Model` knows the loss, and predicts probabilities in both cases.

    Parameters
    ----------
    layers : sequence of Layer or str
        At least one, each used once. The name of an activation function, such as ``"relu"``, stands
        for its layer.

    Attributes
    ----------
    largest_activation : int
        The number of entries of the largest activation of one row, the input included; 0 before
        `build`.
    has_images : bool
        Whether any activation of a row, the input included, is an image, of shape (c, y, x).
    output_activation : str or None
        ``"softmax"`` or ``"sigmoid"`` if the network ends in it, else None.
    fewest_rows : int
        The fewest rows of a training pass; see `handloom.Layer.fewest_rows`.
    multiplications : int
        Those of a forward pass of one row; see `handloom.Layer.multiplications`. 0 before `build`.

    Raises
    ------
    ModelError
        If there is no layer, an entry is no layer, or a layer is used twice.
    """

    _elsewhere: ClassVar[Mapping[str, str]] = NETWORK
    _argument_advice: ClassVar[Mapping[str, str]] = {
        BY_POSITION: "Its layers are one list: Sequential([Dense(32), ReLU(), Dense(10)])"
    }

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuse a subclass that replaces a pass: training runs replicas, which are `Sequential`.

        Raises
        ------
        ModelError
            Naming the method.
        """
        super().__init_subclass__(**options)
        for method in ("forward", "backward", "predict", "replica"):
            if getattr(cls, method) is not getattr(Sequential, method):
                raise ModelError(
                    f"{cls.__name__} must not override {method} of Sequential, since training runs "
                    f"its layers without that: write a layer with this forward and backward, and "
                    f"put it into Sequential([...])"
                )

    def __init__(self, layers: Sequence[Layer | str]) -> None:
        layers = as_layers(layers)
        if not layers:
            raise ModelError("layers must hold at least one layer, got none")
        self._set_layers(layers)

    if not TYPE_CHECKING:  # a type checker knows that it is not called

        def __call__(self, *_: object, **__: object) -> None:
            """Refuse a call; see `predict` and `forward`."""
            refuse_call(self)

    def _set_layers(self, layers: Sequence[Layer]) -> None:
        """Set the layers of a network that is not built, possibly none."""
        self.layers = tuple(layers)
        if len({id(layer) for layer in self.layers}) < len(self.layers):
            raise ModelError("each layer must be used only once, got one twice")
        self._chain = Chain(self.layers)
        # of the class itself: a subclass may override forward
        last = vars(type(self.layers[-1])) if self.layers else {}
        self.output_activation: str | None = last.get("output_activation")
        self._parameters: Parameters | None = None
        self.input_shape: tuple[int, ...] = ()
        self.output_shape: tuple[int, ...] = ()
        self.largest_activation, self.has_images, self.fewest_rows = 0, False, 1
        self.multiplications = 0
        self.stochastic = any(layer.stochastic for layer in self.layers)

    def build(
        self,
        input_shape: int | Iterable[int],
        *,
        seed: int = 0,
        dtype: npt.DTypeLike = np.float32,
        weights: Mapping[str, Array] | None = None,
    ) -> Self:
        """Allocate and initialize the weights of the layers; see `handloom.build`.

        A network that a training uses is refused, by a `ModelError`.
        """
        with in_use(self._memory(), remedy=BUILT_AGAIN):
            return self._build(input_shape, seed, dtype, weights)

    def _build(
        self,
        input_shape: int | Iterable[int],
        seed: int,
        dtype: npt.DTypeLike,
        weights: Mapping[str, Array] | None,
    ) -> Self:
        shape = shape_of(input_shape)
        check_channels(self._chain, shape)
        self._parameters = build_chain(
            self._chain, shape, seed, dtype, weights, earlier=self._parameters
        )
        self._set_shapes(shape)
        return self

    def _set_shapes(self, input_shape: tuple[int, ...]) -> None:
        self.input_shape = shape = input_shape
        shapes = [shape]
        for layer in self.layers:
            shape = layer.output_shape(shape)
            shapes.append(shape)
        self.largest_activation = max(prod(shape) for shape in shapes)
        self.has_images = any(len(shape) == 3 for shape in shapes)
        self.output_shape = shape
        self.fewest_rows = self._chain.fewest_rows(input_shape)
        self.multiplications = self._chain.multiplications(input_shape)

    @property
    def index_columns(self) -> tuple[int, ...]:
        """The index columns of an input row; see `handloom.Layer.index_columns`."""
        return self._chain.index_columns

    def __getstate__(self) -> dict[str, object]:
        """Return the state of a copy or a pickle, in which the weights are stored once.

        Attributes of a subclass are in it if they are plain values: others may refer to layers of
        this network, or cannot be copied.
        """
        layers = copy.deepcopy(self.layers)  # a layer is bound to one network
        Chain(layers).bind({}, {})  # the arrays are below, once
        known = vars(Sequential(layers))
        own = {
            name: value
            for name, value in vars(self).items()
            if name not in known and _is_plain(value)
        }
        state: dict[str, object] = {"layers": layers, "own": own}
        if self._parameters is None:
            return state
        parameters = self._parameters
        return {
            **state,
            "input_shape": self.input_shape,
            "dtype": str(parameters.dtype),
            "weights": dict(parameters.weights),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        Sequential.__init__(self, state.pop("layers"))
        vars(self).update(state.pop("own"))
        if state:
            self.build(**state)

    def replica(
        self, backend: Backend = NUMPY, pool: Pool = SERIAL, *, share_gradient: bool = False
    ) -> "Sequential":
        """Return a network that shares these weights and has its own caches and buffers.

        Parameters
        ----------
        backend : Backend
            The backend of its layers.
        pool : Pool
            The pool that runs the pieces of their large products.
        share_gradient : bool
            Whether it writes its gradients to this network's memory, or to its own.
        """
        parameters = self.parameters.replica(share_gradient=share_gradient)
        replica = self._with(self._chain.replica(backend, pool).layers, parameters)
        replica._chain.bind(parameters.weights, parameters.gradients)
        return replica

    def without_activation(self, name: str) -> "Sequential":
        """Return the network without its output activation, if the loss applies that itself.

        Parameters
        ----------
        name : str
            The output activation of the loss, such as ``"softmax"``; ``"identity"`` for none.

        Returns
        -------
        Sequential
            If the last layer is this activation, a network of the layers before it, which shares
            layers and weights; otherwise this network. Before a softmax alone there is no layer,
            and the network returns its input.

        Raises
        ------
        ModelError
            If the last layer is another output activation, or an activation is in front of layers
            that keep its values, so that two would be applied.
        """
        if name == "identity":
            return self
        end = len(self.layers) - (self.output_activation == name)
        for layer in reversed(self.layers[:end]):
            applied = vars(type(layer)).get("output_activation")
            if applied and layer is not self.layers[-1]:
                raise ModelError(
                    f"{applied} must be the last layer, since the loss applies {name} to the "
                    f"network's output and two activations would be applied: remove the layers "
                    f"after {applied}, or {applied} itself"
                )
            if not vars(type(layer)).get("keeps_values"):
                break
        if self.output_activation is None:
            return self
        if self.output_activation != name:
            raise ModelError(
                f"the network ends in {self.output_activation}, and the loss applies {name} to its "
                f"output: remove the last layer, or choose a loss for outputs of "
                f"{self.output_activation}"
            )
        return self._with(self.layers[:-1], self.parameters)

    def _with(self, layers: Sequence[Layer], parameters: Parameters) -> "Sequential":
        """Return a network of bound layers, possibly none, that take the same input."""
        network = Sequential.__new__(Sequential)
        network._set_layers(layers)
        network._parameters = parameters
        network._set_shapes(self.input_shape)
        return network

    def operations(self) -> list[LayerOperation] | None:
        """Return the computations of the layers as records, or None if any layer has no record.

        A frozen layer has none. Neither does one whose own class does not define ``as_operation``:
        a subclass does not inherit the record.
        """
        return self._chain.operations(self.parameters.offsets())

    def freeze(self, *names: str) -> Self:
        """Freeze layers: their arrays are no longer trained; see `handloom.Layer.freeze`.

        Arrays move to new memory, so an optimizer or a trainer of this network must be made again.
        `unfreeze` is the way back.

        Parameters
        ----------
        names : str
            Names of layers, as in `summary`: ``"0.conv2d"``.

        Raises
        ------
        ModelError
            If a layer is unknown, the network is not built, or a training uses it.
        """
        return self._set_trainable(names, trainable=False)

    def unfreeze(self, *names: str) -> Self:
        """Train the arrays of frozen layers again, from their present values.

        Arrays move to new memory, so an optimizer or a trainer of this network must be made again.

        Parameters
        ----------
        names : str
            Names of layers, as in `summary`: ``"0.conv2d"``. A layer that is not frozen stays as it
            is.

        Raises
        ------
        ModelError
            If a layer is unknown, the network is not built, or a training uses it.
        """
        return self._set_trainable(names, trainable=True)

    def _set_trainable(self, names: Sequence[str], *, trainable: bool) -> Self:
        old, known = self.parameters, dict(self._chain.named)
        for name in names:
            if name not in known:
                raise ModelError(unknown_name("layer", name, known))
        with in_use(self._memory(), remedy=BUILT_AGAIN):
            for name in names:
                known[name].set_trainable(trainable)
            return self._build(self.input_shape, 0, old.dtype, old.weights)

    @property
    def coupled_rows(self) -> int | None:
        """The number of consecutive rows of a batch that must be in one shard; None for all.

        See `handloom.layers.chain.coupled_rows`.
        """
        return coupled_rows(self.layers)

    def take_statistics(self) -> dict[str, Array]:
        """Return the sums that training passes collected for running statistics, and reset them."""
        return self._chain.take_statistics()

    def commit_statistics(self, collected: Sequence[Mapping[str, Array]] | None = None) -> None:
        """Update running statistics, once a step.

        Without this call the statistics that inference uses do not change.

        Parameters
        ----------
        collected : sequence of mapping, optional
            The result of `take_statistics` of each replica, in lane order. They are added in this
            order. By default there is one, that of this network.
        """
        if not self._chain.keeps_statistics:
            return
        sums: dict[str, Array] = {}
        for each in [self.take_statistics()] if collected is None else collected:
            for name, array in each.items():
                sums[name] = sums[name] + array if name in sums else array
        self._chain.commit_statistics(sums)

    def forward(self, x: Array, *, training: bool = False, stream: Source | None = None) -> Array:
        """Run the layers.

        Parameters
        ----------
        x : array, shape (n, ...)
            Rows, which are converted to the network's dtype.
        training : bool
            Keep the arrays that `backward` needs.
        stream : Stream or StepStream, optional
            The random stream of stochastic layers in training; each draws from its own substream.

        Returns
        -------
        array, shape (n, k)

        Raises
        ------
        ModelError
            If the network is not built, or the shape of a row is not ``input_shape``.
        """
        x = self._as_input(x)

        def draw(index: int) -> np.random.Generator | None:
            return None if stream is None else stream.at(index).generator()

        return self._chain.forward(x, training=training, draw=draw)

    def backward(self, dy: Array) -> None:
        """Write the gradient of every weight.

        Parameters
        ----------
        dy : array, shape (n, k)
            The gradient of the loss with respect to the output of the last training pass.
        """
        self._chain.backward(dy, need_dx=False)

    def predict(self, x: object, transform: WritesRows | None = None, *, skip: int = 0) -> Array:
        """Return the output of the last layer for each row, shape (n, k), batch by batch.

        The output of a network that ends in logits is logits; `handloom.Model.predict` applies the
        output activation of the loss to them. This method is thread-safe. It never changes a
        training of this network in another thread, but may see weights in the middle of an update.
        BLAS keeps its number of threads, on which the last bits may depend.

        Parameters
        ----------
        x : array-like, shape (n, ...)
            Rows of the network's input or, with a transform, of the transform's input. The names of
            columns are not compared, as `handloom.Model.predict` does.
        transform : Transform, optional
            Preprocesses each batch for the network.
        skip : int
            The number of layers, from the first, that do not run because the transform has already
            computed them.

        Raises
        ------
        ModelError
            If the network is not built, or the shape of a row is not ``input_shape``.
        DataError
            If ``x`` is not numeric, or values are missing.
        """
        dtype = self.parameters.dtype
        x = convert_inputs(x, "x", scaled=transform is not None).rows
        self._check_rows(x, transform)
        rows_at_once = prediction_rows(self.largest_activation)
        if len(x) <= rows_at_once and transform is None:
            return self.forward(x[:])  # of rows on demand, an array
        size = min(len(x), rows_at_once)
        # a replica's buffers serve every batch, and no other thread sees them
        network = self.replica() if len(x) > size else self
        shape = Chain(self.layers[:skip]).output_shape(self.input_shape)
        prepared: Array = np.empty((size if transform else 0, *shape), dtype)
        out: Array = np.empty((len(x), *self.output_shape), dtype)
        read = RowReader(x).rows if len(x) > size else x.__getitem__
        for start in range(0, len(x), rows_at_once):
            rows = slice(start, start + rows_at_once)
            batch = read(rows)
            if transform:
                filled = prepared[: len(out[rows])]
                transform(given_rows(transform, batch), filled.reshape(len(filled), -1))
                batch = filled
            out[rows] = network._after(skip, batch) if skip else network.forward(batch)
        return out

    def _after(self, skip: int, x: Array) -> Array:
        """Run the layers after the first ``skip`` of them."""
        return Chain(self.layers[skip:]).forward(x, training=False, draw=lambda _: None)

    def summary(self) -> list[tuple[str, tuple[int, ...], int]]:
        """Return for each layer its name, the shape of an output row, its number of parameters.

        Raises
        ------
        ModelError
            If the network is not built.
        """
        _ = self.parameters  # refuses a network that is not built
        rows, shape = [], self.input_shape
        for name, layer in self._chain.named:
            size = sum(spec.size for spec in layer.declare(shape).values() if spec.trained)
            shape = layer.output_shape(shape)
            rows.append((name, shape, size))
        return rows

    def __repr__(self) -> str:
        if self._parameters is None:
            kinds = ", ".join(layer.kind for layer in self.layers)
            return printable(f"Sequential({kinds}; not built)")
        lines = [f"{'layer':<16}{'output shape':<16}{'parameters':>12}"]
        lines += [
            f"{name:<16}{shape!s:<16}{size:>12,}"
            for name, shape, size in [("input", self.input_shape, 0), *self.summary()]
        ]
        lines.append(f"{'total':<32}{len(self.parameters):>12,}")
        if untrained := len(self.parameters.values) - len(self.parameters):
            lines.append(f"{'not trained':<32}{untrained:>12,}")
        return "\n".join(map(printable, lines))

    def _repr_html_(self) -> str:
        """Return the layers as a table, as a notebook shows them."""
        if self._parameters is None:
            kinds = [[str(index), layer.kind] for index, layer in enumerate(self.layers)]
            return render(table(["layer", "kind"], kinds, "Sequential, not built"))
        itemsize, total = self._parameters.dtype.itemsize, len(self._parameters)
        rows = [
            [name, str(shape), f"{count:,}", f"{count * itemsize:,}"]
            for name, shape, count in [("input", self.input_shape, 0), *self.summary()]
        ]
        rows.append(["total", "", f"{total:,}", f"{total * itemsize:,}"])
        if rest := len(self._parameters.values) - total:
            rows.append(["not trained", "", f"{rest:,}", f"{rest * itemsize:,}"])
        head = ["layer", "output shape", "parameters", "bytes"]
        return render(table(head, rows, f"Sequential, {self._parameters.dtype}"))

    def config(self) -> dict[str, object]:
        """Return the configuration of this network, without its weights; see `from_config`.

        Raises
        ------
        ConfigurationError
            If a layer cannot be made again from its configuration.
        """
        return {
            "layers": self._chain.config(),
            "input_shape": list(self.input_shape),
            "dtype": str(self.parameters.dtype),
        }

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, object],
        layers: Mapping[str, type[Layer]] | None = None,
        *,
        weights: Mapping[str, Array] | None = None,
    ) -> "Sequential":
        """Build a network from its configuration, as `config` returned it.

        Parameters
        ----------
        config : mapping
            As `config` returns it. Layers are chosen by name from `handloom.layers.LAYERS`.
        layers : mapping of str to Layer class, optional
            Custom layers by name, in addition.
        weights : mapping of str to array, optional
            As in `build`. Their shapes are compared with the configuration before memory is
            allocated, so that a malicious file cannot cause a huge allocation. Without weights,
            memory is allocated for any configuration.

        Raises
        ------
        ModelError
            If a layer or an option is unknown, an entry is missing, or the weights do not match.
        ConfigurationError
            If an option is invalid, or an entry is unknown.
        """
        try:
            entries = [dict(entry) for entry in config["layers"]]  # type: ignore[attr-defined]
            input_shape: tuple[int, ...] = tuple(config["input_shape"])  # type: ignore[arg-type]
            dtype = str(config["dtype"])
            if dtype not in DTYPES:
                raise ValueError(unknown_name("dtype", dtype, DTYPES))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"invalid configuration of a network: {error!r}") from None
        for name in config:
            require_known("entry of a network", name, ("layers", "input_shape", "dtype"))
        return cls(layers_from_config(entries, layers)).build(
            input_shape, dtype=dtype, weights=weights
        )


def _is_plain(value: object) -> bool:
    """Return whether a value is a number, a text, None, or a tuple of such values."""
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | complex | str | bytes)
