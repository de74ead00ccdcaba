"""Layer: the base class of all layers, with declared arrays, a forward and a backward pass."""

from __future__ import annotations  # numpy.random is loaded when it is used

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cache
from inspect import signature
from math import prod
from typing import Any, ClassVar, Self
from weakref import ref

import numpy as np
import numpy.typing as npt

from handloom.arguments import ChecksArguments
from handloom.backend import NUMPY, Backend
from handloom.elsewhere import LAYER, AdvisesOnNames
from handloom.errors import ModelError
from handloom.operations import LayerOperation
from handloom.parallel.pool import SERIAL, Pool
from handloom.parameters import Array, NamedArrays, Parameters, ParameterSpec


class Layer(ChecksArguments, AdvisesOnNames, ABC):
    """Base class of all layers, ``y = f(x; weights)``.

    A layer is used in three stages. *Declare*: `declare` returns the arrays that it trains, and
    `output_shape` the shape of its output. *Bind*: `bind` sets its views into a network's weights
    and gradients. *Run*: `forward` computes ``y`` and, in training, keeps the arrays that
    `backward` needs; `backward` takes ``dy``, the gradient of the loss with respect to ``y``,
    writes the gradients of the layer's arrays and returns ``dx``.

    Training runs replicas of a layer, which share its weights. So a layer of your own keeps arrays
    for `backward` by `_save_for_backward`, which replicas do not share, and writes results into
    memory from `_buffer`, which replicas reuse. The arguments of the constructor are options, which
    cannot be changed once the network is built: replicas would not follow.

    Attributes
    ----------
    kind : str
        The layer's name in summaries, in the names of arrays and in files. By default the name of
        the class in lower case; a subclass does not inherit it.
    stochastic : bool
        Whether a training pass draws random numbers; only then is a generator passed to it.
    couples_rows : bool
        Whether a row's output depends on the other rows of a training pass.
    ghost_batch : int or None
        For a layer that couples rows: the number of rows of a group; None for all rows.
    trainable : bool
        Whether its arrays are trained; see `freeze`. It can be set until the network is built.
    keeps_statistics : bool
        Whether there are running statistics to commit.
    takes_images : bool
        Whether input rows must be images (c, y, x).
    output_activation : str or None
        The name of the activation that this layer applies, if a loss may apply it itself, in one
        step from the logits. A subclass does not inherit it, because it may override `forward`.
    index_columns : tuple of int
        The columns of a flat input row that hold indices: whole numbers, in which the output is
        not differentiable. `handloom.check_gradients` leaves them as they are.
    keeps_values : bool
        Whether probabilities in its input are probabilities in its output, so that an output
        activation in front of it is one of the network. A subclass does not inherit it.
    pool : Pool
        The pool that runs the pieces of this layer's large products.
    weights : mapping of str to array
        All arrays that `declare` names, running statistics included; empty before `bind`.
    gradients : mapping of str to array
        The gradients of the trained arrays, by the same names, which `backward` overwrites.
    """

    _elsewhere: ClassVar[Mapping[str, str]] = LAYER
    _argument_advice: ClassVar[Mapping[str, str]] = {
        "activation": "An activation is a layer of its own: Dense(10), ReLU()",
        **dict.fromkeys(
            ("in_features", "in_channels", "input_dim", "input_shape"),
            "The shape of its input comes from network.build(input_shape)",
        ),
    }
    kind: ClassVar[str]
    stochastic: ClassVar[bool] = False
    couples_rows: ClassVar[bool] = False
    takes_images: ClassVar[bool] = False
    output_activation: ClassVar[str | None] = None
    keeps_values: ClassVar[bool] = False
    _followed: ClassVar[frozenset[str]] = frozenset()  # the options that a training follows
    ghost_batch: int | None = None
    index_columns: tuple[int, ...] = ()
    pool: Pool = SERIAL
    _trainable: bool = True
    _name: str = ""  # in the network that it belongs to
    _network: ref[Parameters] | None = None  # a copy of a layer belongs to no network

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "kind" not in vars(cls):
            cls.kind = cls.__name__.lower()

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute; refuse another value of an option in a network that is built."""
        # quick for replicas, which set attributes in every pass and belong to no network
        if self._network is not None and name in _options_of(type(self)) and self._is_built:
            self._require_same(name, value)
        object.__setattr__(self, name, value)

    def _require_same(self, name: str, value: Any) -> None:
        """Refuse another value of an option than the present one."""
        if not np.array_equal(vars(self).get(name), value):  # type: ignore[arg-type]
            raise ModelError(
                f"{self.kind}: {name} cannot be changed, since training runs copies of the layer: "
                f"make new layers, and build them with weights=network.parameters.weights"
            )

    def __init__(self) -> None:
        self.set_backend(NUMPY)
        self.weights: Mapping[str, Array] = NamedArrays()
        self.gradients: Mapping[str, Array] = NamedArrays()
        self._buffers: dict[str, npt.NDArray[np.generic]] | None = None
        self._saved: tuple[Any, ...] | None = None

    def declare(self, input_shape: tuple[int, ...]) -> dict[str, ParameterSpec]:
        """Return the specs of this layer's arrays, from the shape of one input row.

        They include arrays that are not trained (``trained=False``), such as running statistics.
        """
        return {}

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of one output row, from the shape of one input row."""
        return input_shape

    def fewest_rows(self, input_shape: tuple[int, ...]) -> int:
        """Return the fewest rows of a training pass, from the shape of one input row.

        Rows of an epoch that are left over and are fewer join the batch before them.
        """
        return 2 if self.couples_rows else 1

    def multiplications(self, input_shape: tuple[int, ...]) -> int:
        """Return the multiplications of `forward` for one row in which its arrays take part.

        By default each entry of a matrix takes part once; without a matrix each output value is
        multiplied once. A layer whose entries take part more often, as those of a convolution do,
        overrides this method: the backend ``"auto"`` and the reports depend on it.
        """
        specs = self.declare(input_shape).values()
        matrices = sum(spec.size for spec in specs if spec.is_matrix)
        return matrices or (prod(self.output_shape(input_shape)) if specs else 0)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments as JSON-serializable values."""
        return {}

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, object],
        make: Callable[[object], Layer],  # noqa: ARG003 - for layers that contain layers
    ) -> Self:
        """Make a layer from its configuration, as `config` returned it.

        Parameters
        ----------
        config : mapping
            As `config` returned it.
        make : callable
            Makes a layer inside of this one from its configuration.
        """
        return cls(**config)

    @abstractmethod
    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        """Compute this layer's output.

        Parameters
        ----------
        x : array, shape (n, ...)
            The input, never written to.
        training : bool
            Keep the arrays that `backward` needs. Without it the layer does not change, so several
            threads may run it at once.
        rng : Generator, optional
            The random generator of a stochastic layer.
        """

    @abstractmethod
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Write the gradients of this layer's arrays and return the gradient of its input.

        Parameters
        ----------
        dy : array, shape of the last training output
            The gradient of the loss with respect to that output, never written to.
        need_dx : bool
            Whether ``dx`` is needed.

        Returns
        -------
        dx : array, shape of the last training input, or None if it is not needed
        """

    def claim(self, name: str, parameters: Parameters, earlier: Parameters | None = None) -> None:
        """Make this layer belong to a network, as long as that exists.

        Parameters
        ----------
        name : str
            The layer's name in the network.
        parameters : Parameters
            Those of the network.
        earlier : Parameters, optional
            Those of the same network's earlier build.

        Raises
        ------
        ModelError
            If it belongs to another network, or to this one under another name.
        """
        owner = self._network and self._network()
        if owner is parameters:
            raise ModelError(f"each layer must be used only once, got {name} twice")
        if owner is not None and owner is not earlier:
            raise ModelError(
                f"layer {name} belongs to another network already: make new layers for every "
                "network, or copy them with copy.deepcopy(layers). Copies get new weights when "
                "they are built; network.copy_weights(earlier) carries the weights of layers over"
            )
        self._network, self._name = ref(parameters), name

    @property
    def _is_built(self) -> bool:
        """Whether the layer belongs to a network that exists, so that it is built."""
        return self._network is not None and self._network() is not None

    def __getstate__(self) -> dict[str, object]:
        """Return the state of a copy or a pickle, which belongs to no network."""
        return {name: value for name, value in vars(self).items() if name != "_network"}

    def bind(self, weights: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """Set this layer's arrays to views into a network's vectors.

        The gradients of a frozen layer are unused memory. Arrays kept by an earlier pass are
        dropped.
        """
        self.weights, self.gradients = weights, gradients
        self._saved = None

    def freeze(self) -> Self:
        """Freeze this layer: its arrays are no longer trained. Return the layer.

        They get no gradient, no penalty and no optimizer state. `handloom.Sequential.freeze` and
        `handloom.Sequential.unfreeze` are for layers of a network that is already built.

        Raises
        ------
        ModelError
            If the layer belongs to a network that is already built.
        """
        self.trainable = False
        return self

    @property
    def trainable(self) -> bool:
        """Whether its arrays are trained."""
        return self._trainable

    @trainable.setter
    def trainable(self, trainable: bool) -> None:
        if trainable != self._trainable and self._is_built:
            verb = "unfreeze" if trainable else "freeze"
            outermost = ".".join(self._name.split(".")[:2])
            raise ModelError(
                f"layer {self._name} belongs to a network that is already built: call "
                f'network.{verb}("{outermost}"), and make the trainer after it'
            )
        self.set_trainable(trainable)

    def set_trainable(self, trainable: bool) -> None:
        """Set whether its arrays are trained, without a check; `handloom.build` must follow."""
        self._trainable = trainable

    @property
    def learns(self) -> bool:
        """Whether any array of this layer is trained."""
        return self.trainable and bool(self.gradients)

    def set_backend(self, backend: Backend) -> None:
        """Store ``backend.version_of(function)`` for every definition that this layer calls.

        The constructor calls it with `handloom.backend.NUMPY`, `replica` with another backend. A
        method that overrides it need not call this one, which does nothing.
        """

    def as_operation(self, offsets: Mapping[str, int]) -> LayerOperation | None:
        """Return a description of this layer's computation, or None if there is no record for it.

        `handloom.operations.operation_of` calls it only if the layer's own class defines it: a
        subclass may override `forward`.

        Parameters
        ----------
        offsets : mapping of str to int
            The start of each of the layer's arrays in `handloom.parameters.Parameters.values`.
        """
        return None

    @property
    def keeps_statistics(self) -> bool:
        """Whether there are running statistics to commit."""
        return type(self).commit_statistics is not Layer.commit_statistics

    def take_statistics(self) -> dict[str, Array]:
        """Return the sums that training passes collected for running statistics, and reset them.

        The sums of several lanes are added by name, in lane order, before they are committed.
        """
        return {}

    def commit_statistics(self, sums: Mapping[str, Array]) -> None:
        """Update running statistics, once a step, from the sums of `take_statistics`."""

    def replica(self, backend: Backend = NUMPY, pool: Pool = SERIAL) -> Self:
        """Return a copy for a lane: not bound, with output buffers reused from call to call.

        Parameters
        ----------
        backend : Backend
            The backend of the copy.
        pool : Pool
            The pool that runs the pieces of its large products.
        """
        replica = copy.copy(self)
        replica.set_backend(backend)
        return replica._emptied(pool)

    def _emptied(self, pool: Pool) -> Self:
        """Drop the arrays and buffers that this copy shares with the original; return the copy."""
        self.weights, self.gradients, self.pool = {}, {}, pool
        self._saved, self._buffers = None, {}
        return self

    def _buffer(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """Return memory for a result: reused from call to call in a replica, else a new array.

        A layer of your own writes its results there, with NumPy's ``out``::

            y = self._buffer("y", (len(x), self.units), x.dtype)

        Images, shape (n, c, y, x), have their channels last in memory (NHWC), so that the entries
        that a convolution adds up are contiguous.

        Parameters
        ----------
        name : str
            The name of the result in this layer. Results that are in use at the same time, as ``y``
            and ``dx``, need different names.
        shape : tuple of int
            The shape, rows first.
        dtype : dtype
            The dtype of the result, usually that of the weights or of ``x``.

        Returns
        -------
        array
            Not initialized.
        """
        if len(shape) == 4:
            n, c, y, x = shape
            return self._memory(name, (n, y, x, c), dtype).transpose(0, 3, 1, 2)
        return self._memory(name, shape, dtype)

    def _memory(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """Return a C-contiguous buffer."""
        if self._buffers is None:
            return np.empty(shape, dtype)
        buffer = self._buffers.get(name)
        if (
            buffer is None
            or len(buffer) < shape[0]
            or buffer.shape[1:] != shape[1:]
            or buffer.dtype != dtype
        ):
            buffer = self._buffers[name] = np.empty(shape, dtype)
        return buffer[: shape[0]]  # type: ignore[return-value]

    def _save_for_backward(self, array: Array, training: bool, *others: Any) -> None:
        """Save an array, and others, for `backward`, if ``training`` is True.

        `_saved_array` returns the array, `_saved_arrays` all of them. Use it instead of attributes
        of your own: a replica drops the saved arrays, and so does `bind`, so that `backward` never
        runs on the rows of another network. Only references are kept.
        """
        if training:
            self._saved = (array, *others)

    def _saved_array(self) -> Array:
        """Return the array that the last training pass saved; of several, the first.

        Raises
        ------
        ModelError
            If there was no training pass.
        """
        array: Array = self._saved_arrays()[0]
        return array

    def _saved_arrays(self) -> tuple[Any, ...]:
        """Return all that the last training pass saved, in the order of `_save_for_backward`.

        Raises
        ------
        ModelError
            If there was no training pass.
        """
        if self._saved is None:
            raise ModelError(
                f"{self.kind}: backward needs a forward pass with training=True before it"
            )
        # a layer of the user's own may have assigned an array itself
        return self._saved if isinstance(self._saved, tuple) else (self._saved,)


@cache
def _options_of(kind: type[Layer]) -> frozenset[str]:
    """Return the names of a layer's options: the arguments of its constructors, as attributes."""
    constructors = [vars(base)["__init__"] for base in kind.__mro__ if "__init__" in vars(base)]
    names = {name for each in constructors for name in signature(each).parameters}
    return frozenset(names - {"self", "weights", "gradients"} - kind._followed)
