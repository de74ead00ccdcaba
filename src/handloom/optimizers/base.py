"""Base class of optimizers, which update the flat vector of weights in place, block by block."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np

from handloom.arguments import BY_POSITION, ChecksArguments
from handloom.backend import NUMPY, Backend
from handloom.elsewhere import OPTIMIZER, AdvisesOnNames
from handloom.errors import (
    ConfigurationError,
    HandloomError,
    ModelError,
    require_count,
    require_number,
)
from handloom.operations import Update
from handloom.optimizers.proximal import proximal_step
from handloom.parallel.pool import SERIAL, Pool
from handloom.parameters import Array, Parameters, check_array


@dataclass(frozen=True)
class Block:
    """Consecutive weights that one call of `Optimizer.update` updates, as views into the vectors.

    Attributes
    ----------
    w, dw : array, shape (m,)
        The weights and their gradients.
    state : dict of str to array, shape (m,)
        The optimizer's state of these weights.
    scratch : array, shape (m,)
        Memory for intermediate results; empty if the compiled step function needs none.
    """

    w: Array
    dw: Array
    state: Mapping[str, Array]
    scratch: Array


class Optimizer(ChecksArguments, AdvisesOnNames, ABC):
    """Base class of optimizers: an update rule for the weights, and its state.

    A subclass names its state vectors in ``state_names`` and has two methods: `update` changes a
    block of weights in place, and `config` returns the constructor's arguments. This class
    allocates the state, cuts the vectors into blocks, which the threads of a pool update, applies
    weight decay in `step`, and saves and loads the state.

    With weight decay, each step at learning rate ``r`` first shrinks the weights,
    ``w <- w - r decay w``, independently of the gradient and the batch size (decoupled weight
    decay). Matrices and kernels decay; biases, scales, shifts and embeddings do not.

    With a ``proximal_l1`` above 0, each step ends with the proximal step of an L1 penalty on the
    same arrays, `handloom.optimizers.proximal.proximal_step`: weights within ``r proximal_l1``
    of 0 become 0, the others move toward 0 by it. The loss and its gradient do not contain it.

    The optimizers of this library take keyword arguments only. The learning rate is none of them:
    it is an argument of `handloom.Trainer`.
    A subclass with a compiled version returns its NumPy function as `step_definition`, and calls
    ``self._step_function`` in `update`. Without a gradient, entries of the state shrink until they
    are subnormal numbers, which are slow: see `handloom.optimizers.moving_average.flush_to_zero`.

    Parameters
    ----------
    weight_decay : float
        The decay, at least 0.
    proximal_l1 : float
        The strength of the proximal step, at least 0.

    Attributes
    ----------
    kind : str
        The optimizer's name in files.
    state_names : tuple of str
        The names of its state vectors.
    steps : int
        The number of updates made.
    bindings : int
        The number of calls of `bind`: of trainings that have used the optimizer.
    state : dict of str to array, shape (size,)
        The state vectors, which start as zeros.
    """

    _elsewhere: ClassVar[Mapping[str, str]] = OPTIMIZER
    _argument_advice: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(
            (BY_POSITION, "lr", "learning_rate", "rate"),
            "The learning rate is an argument of Trainer",
        ),
        "decay": "The decay of the learning rate is a schedule, an argument of Trainer: "
        "InverseTimeDecay(1e-3, decay=1e-4); that of the weights is weight_decay",
    }
    kind: ClassVar[str]
    state_names: tuple[str, ...] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not hasattr(cls, "kind"):
            cls.kind = cls.__name__.lower()

    def __init__(self, *, weight_decay: float = 0.0, proximal_l1: float = 0.0) -> None:
        self.weight_decay = require_number("weight_decay", weight_decay, minimum=0.0)
        self.proximal_l1 = require_number("proximal_l1", proximal_l1, minimum=0.0)
        self.steps = self.bindings = 0
        self.state: dict[str, Array] = {}
        self._decaying: list[Array] = []
        self._proximal_pieces: list[list[tuple[Array, ...]]] = []
        self._parameters: Parameters | None = None
        self._pool: Pool = SERIAL
        self._blocks_by_piece: list[list[Block]] = []
        self._step_function: Callable[..., None] = _raise_not_bound
        self._proximal_step: Callable[..., None] = proximal_step

    @property
    def step_definition(self) -> Callable[..., None] | None:
        """The NumPy function of one step, such as `adam_step`; None if `update` calls none.

        `bind` stores it, or its compiled version, as ``self._step_function``, which `update` calls.
        """
        return None

    def bind(self, parameters: Parameters, backend: Backend = NUMPY, pool: Pool = SERIAL) -> Self:
        """Bind the optimizer to weights and gradients, and set its state to zeros.

        Parameters
        ----------
        parameters : Parameters
            Weights and gradient.
        backend : Backend
            The source of the compiled version of `step_definition`.
        pool : Pool
            The pool whose threads update pieces of the weights.
        """
        self.bindings += 1
        self._parameters, self._pool = parameters, pool
        self.state = {name: np.zeros_like(parameters.vector) for name in self.state_names}
        function = self.step_definition
        # If a subclass overrides only `update`, that may need small blocks and scratch memory.
        same_class = _defining(type(self), "update") is _defining(type(self), "step_definition")
        self._single_block = function is not None and same_class and backend.compiles(function)
        self._blocks_by_piece = self._cut_into_blocks(parameters, slice(0, len(parameters)))
        if function is not None:
            # either the threads of the pool update pieces, or they run the parts of a compiled step
            self._step_function = backend.version_of(
                function, pool if len(self._blocks_by_piece) == 1 else SERIAL
            )
        self._decaying = [
            w
            for name, span in parameters.slices().items()
            if parameters.specs[name].is_matrix
            for ((w, _),) in pool.blocks_by_piece(parameters.vector[span], single_block=True)
        ]
        if self.proximal_l1:  # otherwise nothing need be compiled
            self._proximal_step = backend.version_of(proximal_step)
        self._proximal_pieces = [
            piece
            for name, span in parameters.slices().items()
            if parameters.specs[name].is_matrix
            for piece in pool.blocks_by_piece(parameters.vector[span])
        ]
        self.steps = 0
        return self

    def __getstate__(self) -> dict[str, object]:
        """Return the state of a copy or a pickle, without views into the weights: not bound."""
        pieces = ("_decaying", "_proximal_pieces", "_blocks_by_piece")
        views: dict[str, object] = {"_parameters": None, **{name: [] for name in pieces}}
        functions = {"_step_function": _raise_not_bound, "_proximal_step": proximal_step}
        return {**self.__dict__, **views, "_pool": SERIAL, **functions}

    def step(self, learning_rate: float) -> None:
        """Decay the weights, update them once by `update`, then make the proximal step.

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
        if self.weight_decay:
            shrink = 1.0 - learning_rate * self.weight_decay  # w <- w - r decay w
            self._pool.run([partial(np.multiply, w, shrink, out=w) for w in self._decaying])
        self._update_all(learning_rate)
        if self.proximal_l1:
            threshold = learning_rate * self.proximal_l1
            self._pool.run(
                [partial(self._shrink_piece, piece, threshold) for piece in self._proximal_pieces]
            )

    def _update_all(self, learning_rate: float) -> None:
        """Update all weights, which have decayed."""
        self._pool.run(
            [partial(self._update_piece, piece, learning_rate) for piece in self._blocks_by_piece]
        )

    def _shrink_piece(self, piece: list[tuple[Array, ...]], threshold: float) -> None:
        for w, scratch in piece:
            self._proximal_step(w, threshold, scratch)

    def _cut_into_blocks(self, parameters: Parameters, span: slice) -> list[list[Block]]:
        """Cut a span of the weights into pieces, and those into blocks."""
        vectors = parameters.vector, parameters.gradient, *self.state.values()
        pieces = self._pool.blocks_by_piece(
            *(vector[span] for vector in vectors), single_block=self._single_block
        )
        return [
            [
                Block(w, dw, dict(zip(self.state, state, strict=True)), scratch)
                for w, dw, *state, scratch in piece
            ]
            for piece in pieces
        ]

    def _update_piece(self, piece: list[Block], rate: float) -> None:
        try:
            for block in piece:
                self.update(block.w, block.dw, block.state, rate, block.scratch)
        except ValueError as error:
            if isinstance(error, HandloomError):
                raise
            raise ModelError(
                f"update of {type(self).__name__} failed: {error}. It is called with blocks of "
                f"weights, of different sizes: name vectors of the size of the weights in "
                f"state_names, and use state[name], not attributes"
            ) from error

    @abstractmethod
    def update(
        self, w: Array, dw: Array, state: Mapping[str, Array], rate: float, scratch: Array
    ) -> None:
        """Update one block of weights and state in place; the decay is already applied.

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
            Memory for intermediate results. It is empty only if the class that defines `update`
            also defines `step_definition`, and that runs compiled.
        """

    def as_operation(self) -> Update | None:
        """Return the update as a record, or None if there is none."""
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
            If an entry is missing, unknown or of another shape or dtype, or the number of steps is
            none. The state does not change.
        """
        expected = {"steps", *self.state}
        if set(state) != expected:
            raise ModelError(
                f"{self.kind}: the state must hold {', '.join(sorted(expected))}, "
                f"got {', '.join(sorted(state))}"
            )
        try:
            steps = require_count("steps", state["steps"], minimum=0)
        except ConfigurationError as error:
            raise ModelError(f"{self.kind}: {error}") from None
        for name, own in self.state.items():
            check_array(f"{self.kind}: {name}", np.asarray(state[name]), own.shape, own.dtype)
        for name, own in self.state.items():
            own[...] = np.asarray(state[name])
        self.steps = steps


def _defining(class_: type, name: str) -> type:
    """Return the class that defines an attribute of a class."""
    return next(base for base in class_.__mro__ if name in vars(base))


def _raise_not_bound(*_: object) -> None:
    """Raise an error: the ``_step_function`` of an optimizer that is not bound."""
    raise ModelError("bind the optimizer to parameters before a step")
