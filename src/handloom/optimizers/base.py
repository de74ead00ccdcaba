"""Base class of optimizers, which update the flat vector of weights in place, block by block."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np

from handloom.backend import NUMPY, Backend
from handloom.errors import ModelError, require_count, require_number
from handloom.operations import Update
from handloom.parallel.pool import SERIAL, Pool
from handloom.parameters import Array, Parameters, check_array


@dataclass(frozen=True)
class Block:
    """A contiguous block of weights that is updated at a time, as views into the vectors.

    Attributes
    ----------
    w, dw : array, shape (m,)
        The weights and their gradients.
    state : dict of str to array, shape (m,)
        The optimizer's state of these weights.
    scratch : array, shape (m,)
        Memory for intermediate results; empty where the backend needs none.
    """

    w: Array
    dw: Array
    state: Mapping[str, Array]
    scratch: Array


class Optimizer(ABC):
    """Base class of optimizers: the state, and an update of the weights at each step.

    A subclass names its state vectors in ``moments`` and has two methods: `update` changes a block
    of weights in place, and `config` returns the constructor's arguments. This class allocates the
    state, cuts the vectors into blocks, lets the lanes of a pool share them, applies weight decay,
    and saves and loads the state.

    With a weight decay ``c``, each step at learning rate ``r`` first shrinks the weights,
    ``w <- w - r c w``, independently of the gradient and the batch size (decoupled weight decay).
    Matrices and kernels decay; biases, scales and shifts do not.

    The optimizers of this library take keyword arguments only. The learning rate is none of them:
    it is an argument of `handloom.Trainer`.

    Parameters
    ----------
    weight_decay : float
        The decay ``c``, at least 0.

    Attributes
    ----------
    kind : str
        The optimizer's name in files.
    moments : tuple of str
        The names of its state vectors.
    steps : int
        The number of updates made.
    state : dict of str to array, shape (size,)
        The state vectors, which start as zeros.
    """

    kind: ClassVar[str]
    moments: tuple[str, ...] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not hasattr(cls, "kind"):
            cls.kind = cls.__name__.lower()

    def __new__(cls, *arguments: object, **options: object) -> Self:
        """Refuse positional arguments and unknown ones, a learning rate above all.

        Raises
        ------
        TypeError
            Naming the arguments that the constructor takes, if they are keyword arguments only.
        """
        taken = [*inspect.signature(cls.__init__).parameters.values()][1:]
        names = [each.name for each in taken if each.kind is each.KEYWORD_ONLY]
        unknown = [*map(repr, arguments), *(name for name in options if name not in names)]
        if unknown and 0 < len(names) == len(taken):
            raise TypeError(
                f"{cls.__name__} takes keyword arguments only: {', '.join(names)}; "
                f"got {', '.join(unknown)}. The learning rate is an argument of Trainer"
            )
        return super().__new__(cls)

    def __init__(self, *, weight_decay: float = 0.0) -> None:
        self.weight_decay = require_number("weight_decay", weight_decay, minimum=0.0)
        self.steps = 0
        self.state: dict[str, Array] = {}
        self._decaying: list[Array] = []
        self._parameters: Parameters | None = None
        self._pool: Pool = SERIAL
        self._pieces: list[list[Block]] = []
        self._bound_step: Callable[..., None] = _unbound

    @property
    def definition(self) -> Callable[..., None] | None:
        """The function that `update` calls as ``self._bound_step``, or None if there is none."""
        return None

    def bind(self, parameters: Parameters, backend: Backend = NUMPY, pool: Pool = SERIAL) -> Self:
        """Bind the optimizer to weights and gradients, and set its state to zeros.

        Parameters
        ----------
        parameters : Parameters
            Weights and gradient.
        backend : Backend
            The source of compiled versions of `definition`.
        pool : Pool
            The pool whose lanes share the update.
        """
        self._parameters, self._pool = parameters, pool
        self.state = {name: np.zeros_like(parameters.vector) for name in self.moments}
        function = self.definition
        # the update of a subclass may need blocks that fit the cache, and scratch memory
        own = _defining(type(self), "update") is _defining(type(self), "definition")
        self._whole = function is not None and own and backend.compiles(function)
        self._pieces = self._cut(parameters, slice(0, len(parameters)))
        if function is not None:
            self._bound_step = backend.fetch(function, pool if len(self._pieces) == 1 else SERIAL)
        self._decaying = [
            w
            for name, span in parameters.slices().items()
            if self.weight_decay and parameters.specs[name].is_matrix
            for ((w, _),) in pool.cut(parameters.vector[span], whole=True)
        ]
        self.steps = 0
        return self

    def is_bound_elsewhere(self, parameters: Parameters) -> bool:
        """Return whether the optimizer is bound to other weights; a copy is not bound at all."""
        return self._parameters is not None and self._parameters is not parameters

    def __getstate__(self) -> dict[str, object]:
        """Return the state of a copy or a pickle, without views into the weights: not bound."""
        views: dict[str, object] = {"_parameters": None, "_decaying": [], "_pieces": []}
        return {**self.__dict__, **views, "_pool": SERIAL, "_bound_step": _unbound}

    def step(self, learning_rate: float) -> None:
        """Update the weights once, from the gradients.

        Parameters
        ----------
        learning_rate : float
            The rate of this step.

        Raises
        ------
        ModelError
            If the optimizer is not bound.
        """
        if self._parameters is None:
            raise ModelError(f"{self.kind}: bind the optimizer to parameters before a step")
        self.steps += 1
        if self._decaying:
            left = 1.0 - learning_rate * self.weight_decay
            self._pool.run([partial(np.multiply, w, left, out=w) for w in self._decaying])
        self._pool.run(
            [partial(self._update_piece, piece, learning_rate) for piece in self._pieces]
        )

    def _cut(self, parameters: Parameters, span: slice) -> list[list[Block]]:
        """Cut a span of the weights into pieces for lanes, and those into blocks."""
        vectors = parameters.vector, parameters.gradient, *self.state.values()
        pieces = self._pool.cut(*(vector[span] for vector in vectors), whole=self._whole)
        return [
            [
                Block(w, dw, dict(zip(self.state, state, strict=True)), scratch)
                for w, dw, *state, scratch in piece
            ]
            for piece in pieces
        ]

    def _update_piece(self, piece: list[Block], rate: float) -> None:
        for block in piece:
            self.update(block.w, block.dw, block.state, rate, block.scratch)

    @abstractmethod
    def update(
        self, w: Array, dw: Array, state: Mapping[str, Array], rate: float, scratch: Array
    ) -> None:
        """Update one block of weights and state in place.

        Blocks may be updated by several threads at once, in any order.

        Parameters
        ----------
        w, dw : array, shape (m,)
            Some of the weights, and their gradient, which is never written to.
        state : mapping of str to array, shape (m,)
            Their entries of the state vectors.
        rate : float
            The learning rate of this step; ``self.steps`` is its number, counted from 1.
        scratch : array, shape (m,)
            Memory for intermediate results. It is empty only for a class with its own `definition`
            that is compiled and needs none.
        """

    def as_operation(self) -> Update | None:
        """Return the update as a record, or None if there is no record for it."""
        return None

    @abstractmethod
    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""

    def state_dict(self) -> dict[str, object]:
        """Return copies of the state vectors, and the number of steps."""
        return {"steps": self.steps, **{name: value.copy() for name, value in self.state.items()}}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Load the state that `state_dict` returned.

        Raises
        ------
        ModelError
            If an entry is missing, unknown or of another shape or dtype.
        """
        expected = {"steps", *self.state}
        if set(state) != expected:
            raise ModelError(
                f"{self.kind}: the state must hold {', '.join(sorted(expected))}, "
                f"got {', '.join(sorted(state))}"
            )
        for name, own in self.state.items():
            check_array(f"{self.kind}: {name}", np.asarray(state[name]), own.shape, own.dtype)
        for name, own in self.state.items():
            own[...] = np.asarray(state[name])
        self.steps = require_count("steps", state["steps"], minimum=0)


def _defining(kind: type, name: str) -> type:
    """Return the class that defines an attribute of a class."""
    return next(base for base in kind.__mro__ if name in vars(base))


def _unbound(*_: object) -> None:
    """Raise an error: the ``_bound_step`` of an optimizer that is not bound."""
    raise ModelError("bind the optimizer to parameters before a step")
