"""Networks: layers in a row that share one vector of weights."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from handloom.errors import ModelError, require_count, unknown_name
from handloom.kernels import NUMPY, Kernels
from handloom.layers import LAYERS, Layer, Softmax, softmax
from handloom.parameters import Array, Parameters
from handloom.randomness import Stream

PREDICTION_ROWS = 1024

# transform(rows, out) writes stored rows, made ready for a network, into a buffer
Transform = Callable[[npt.NDArray[np.generic], Array], object]


def build(
    layers: Sequence[Layer],
    input_shape: tuple[int, ...],
    *,
    seed: int = 0,
    dtype: npt.DTypeLike = np.float32,
) -> Parameters:
    """Give layers their weights: declare, allocate one vector, bind views, initialize.

    Parameters
    ----------
    layers : sequence of Layer
        In the order in which data passes through them; afterwards each can be driven by hand.
    input_shape : tuple of int
        The shape of one input row.
    seed : int
        What the starting values are drawn from.
    dtype : float32 or float64
        The type of weights and gradients.

    Returns
    -------
    handloom.parameters.Parameters
        With arrays named ``"0.dense.weights"``, for an optimizer to be bound to.

    Raises
    ------
    ModelError
        If a layer cannot take what the one before it returns.
    """
    specs = {}
    shape = input_shape
    for prefix, layer in _named(layers):
        specs.update({f"{prefix}.{name}": spec for name, spec in layer.declare(shape).items()})
        shape = layer.output_shape(shape)
    parameters = Parameters(specs, dtype)
    _bind(layers, parameters)
    parameters.initialize(Stream(seed))
    return parameters


def _named(layers: Iterable[Layer]) -> list[tuple[str, Layer]]:
    return [(f"{place}.{layer.kind}", layer) for place, layer in enumerate(layers)]


def _bind(layers: Sequence[Layer], parameters: Parameters) -> None:
    for prefix, layer in _named(layers):
        own = [name for name in parameters.specs if name.startswith(f"{prefix}.")]
        layer.bind(
            {name.removeprefix(f"{prefix}."): parameters.weights[name] for name in own},
            {name.removeprefix(f"{prefix}."): parameters.gradients[name] for name in own},
        )


class Sequential:
    """A network of layers, each of which takes what the one before it returns.

    It may end in logits or in a softmax. Training takes the logits either way, and prediction
    gives probabilities either way.

    Parameters
    ----------
    layers : sequence of Layer
        At least one, each of them once.

    Raises
    ------
    ModelError
        If there is no layer, or one stands twice.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = tuple(layers)
        if not self.layers:
            raise ModelError("a network needs at least one layer")
        if len({id(layer) for layer in self.layers}) < len(self.layers):
            raise ModelError("a layer may stand in a network only once")
        ends_in_softmax = isinstance(self.layers[-1], Softmax) and len(self.layers) > 1
        self._to_logits = self.layers[:-1] if ends_in_softmax else self.layers
        self._parameters: Parameters | None = None
        self.input_shape: tuple[int, ...] = ()
        self.output_shape: tuple[int, ...] = ()
        self._first_trained = 0
        self.stochastic = any(layer.stochastic for layer in self.layers)

    def build(
        self, input_shape: tuple[int, ...], *, seed: int = 0, dtype: npt.DTypeLike = np.float32
    ) -> Self:
        """Give the layers their weights; see `handloom.build`."""
        shape = tuple(require_count("a size in input_shape", size) for size in input_shape)
        self._parameters = build(self.layers, shape, seed=seed, dtype=dtype)
        self._settle(shape)
        return self

    def _settle(self, input_shape: tuple[int, ...]) -> None:
        self.input_shape, self.output_shape = input_shape, input_shape
        for layer in self.layers:
            self.output_shape = layer.output_shape(self.output_shape)
        trained = [place for place, layer in enumerate(self.layers) if layer.weights]
        self._first_trained = trained[0] if trained else len(self.layers)

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

    def replica(self, kernels: Kernels = NUMPY, *, share_gradient: bool = False) -> "Sequential":
        """Return a network with these weights and with caches and buffers of its own.

        Parameters
        ----------
        kernels : Kernels
            Whose inner loops its layers use.
        share_gradient : bool
            Whether it writes its gradients to this network's memory, or to its own.
        """
        twin = Sequential([layer.replica().using(kernels) for layer in self.layers])
        twin._parameters = self.parameters.replica(share_gradient=share_gradient)
        _bind(twin.layers, twin._parameters)
        twin._settle(self.input_shape)
        return twin

    def logits(self, x: Array, *, training: bool = False, stream: Stream | None = None) -> Array:
        """Run the layers up to the logits.

        Parameters
        ----------
        x : array, shape (n, *input_shape)
            Rows of the network's dtype.
        training : bool
            Keep what `backward` needs.
        stream : Stream, optional
            Where stochastic layers draw from in training, each from a place of its own below it.

        Returns
        -------
        array, shape (n, k)

        Raises
        ------
        ModelError
            If the network is not built, or a row has not the shape it was built for.
        """
        dtype = self.parameters.dtype
        if x.shape[1:] != self.input_shape:
            raise ModelError(
                f"the network was built for rows of shape {self.input_shape}, "
                f"got rows of shape {x.shape[1:]}"
            )
        x = np.asarray(x, dtype)
        for place, layer in enumerate(self._to_logits):
            draws = training and layer.stochastic
            rng = stream.at(place).generator() if draws and stream else None
            x = layer.forward(x, training=training, rng=rng)
        return x

    def backward(self, dlogits: Array) -> None:
        """Write the gradient of every weight.

        Parameters
        ----------
        dlogits : array, shape (n, k)
            The gradient of the loss with respect to the logits of the last training pass.
        """
        dy: Array | None = dlogits
        for place in range(len(self._to_logits) - 1, self._first_trained - 1, -1):
            need_dx = place > self._first_trained
            dy = self._to_logits[place].backward(dy, need_dx=need_dx)  # type: ignore[arg-type]

    def predict(self, x: Array) -> Array:
        """Return the probabilities of each class for each row, shape (n, k), batch by batch.

        Safe to call from several threads at once.

        Raises
        ------
        ModelError
            If the network is not built, or a row has not the shape it was built for.
        """
        logits = self.predict_logits(x)
        return softmax(logits, out=logits)

    def predict_logits(
        self, x: npt.NDArray[np.generic], transform: Transform | None = None
    ) -> Array:
        """Return the logits of each row, shape (n, k), batch by batch; see `predict`.

        Parameters
        ----------
        x : array, shape (n, ...)
            Rows of the network's input or, given a transform, of whatever that takes.
        transform : Transform, optional
            Prepares each batch for the network.
        """
        if len(x) <= PREDICTION_ROWS and transform is None:
            return self.logits(x)  # type: ignore[arg-type]
        dtype, size = self.parameters.dtype, min(len(x), PREDICTION_ROWS)
        # a replica's buffers serve every batch, and no other thread sees them
        runner = self.replica() if len(x) > size else self
        prepared: Array = np.empty((size if transform else 0, *self.input_shape), dtype)
        out: Array = np.empty((len(x), *self.output_shape), dtype)
        for start in range(0, len(x), PREDICTION_ROWS):
            rows = slice(start, start + PREDICTION_ROWS)
            batch = x[rows]
            if transform:
                transform(batch, prepared[: len(batch)])
                batch = prepared[: len(batch)]
            out[rows] = runner.logits(batch)  # type: ignore[arg-type]
        return out

    def predict_classes(self, x: Array) -> npt.NDArray[np.int64]:
        """Return the most probable class of each row, shape (n,)."""
        return np.asarray(self.predict_logits(x).argmax(axis=1))

    def summary(self) -> list[tuple[str, tuple[int, ...], int]]:
        """Return a row for each layer: its name, the shape of an output row, its parameters."""
        rows, shape = [], self.input_shape
        for name, layer in _named(self.layers):
            size = sum(spec.size for spec in layer.declare(shape).values())
            shape = layer.output_shape(shape)
            rows.append((name, shape, size))
        return rows

    def __repr__(self) -> str:
        if self._parameters is None:
            return f"Sequential({', '.join(layer.kind for layer in self.layers)}; not built)"
        lines = [f"{'layer':<16}{'output shape':<16}{'parameters':>12}"]
        lines += [
            f"{name:<16}{shape!s:<16}{size:>12,}"
            for name, shape, size in [("input", self.input_shape, 0), *self.summary()]
        ]
        lines.append(f"{'total':<32}{len(self.parameters):>12,}")
        return "\n".join(lines)

    def config(self) -> dict[str, object]:
        """Return what `from_config` needs to make this network again, without its weights."""
        return {
            "layers": [{"kind": layer.kind, **layer.config()} for layer in self.layers],
            "input_shape": list(self.input_shape),
            "dtype": str(self.parameters.dtype),
        }

    @classmethod
    def from_config(
        cls, config: Mapping[str, object], layers: Mapping[str, type[Layer]] | None = None
    ) -> "Sequential":
        """Build a network from what `config` returned.

        Parameters
        ----------
        config : mapping
            As `config` returns it. It chooses layers by name from a closed list.
        layers : mapping of str to Layer class, optional
            Layers of your own, to add to that list.

        Raises
        ------
        ModelError
            If a layer or an option is unknown, or something is missing.
        """
        known = {**LAYERS, **(layers or {})}
        try:
            entries = [dict(entry) for entry in config["layers"]]  # type: ignore[attr-defined]
            input_shape = tuple(int(size) for size in config["input_shape"])  # type: ignore[attr-defined]
            dtype = np.dtype(str(config["dtype"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"not the configuration of a network: {error!r}") from None
        made = []
        for entry in entries:
            kind = str(entry.pop("kind", None))
            if kind not in known:
                raise ModelError(unknown_name("layer", kind, known))
            try:
                made.append(known[kind](**entry))
            except TypeError as error:
                raise ModelError(f"layer {kind!r}: {error}") from None
        return cls(made).build(input_shape, dtype=dtype)
