"""What every optimizer is: a rule that updates the flat vector of weights in place."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Self

import numpy as np

from handloom.errors import ModelError, require_count, require_number
from handloom.kernels import NUMPY, Kernels, cut_for_update
from handloom.parameters import Array, Parameters, check_array


@dataclass(frozen=True)
class Block:
    """A run of weights that is updated at a time, as views into the vectors.

    Attributes
    ----------
    w, dw : array, shape (m,)
        The weights and their gradients.
    state : dict of str to array, shape (m,)
        What the rule remembers of each.
    scratch : array, shape (m,)
        For numbers in between; empty where the kernels need none.
    """

    w: Array
    dw: Array
    state: Mapping[str, Array]
    scratch: Array


class Optimizer(ABC):
    """An update rule and its state.

    With a decay ``c``, each step at rate ``r`` first shrinks the weights, ``w <- w - r c w``,
    whatever the gradient is and however many rows it came from. What decays are matrices and
    kernels; biases, scales and shifts do not.

    Parameters
    ----------
    weight_decay : float
        The decay ``c``, at least 0.

    Attributes
    ----------
    steps : int
        How many updates have been made.
    state : dict of str to array, shape (size,)
        What the rule remembers of each weight.
    """

    kind: ClassVar[str]
    moments: tuple[str, ...] = ()

    def __init__(self, *, weight_decay: float = 0.0) -> None:
        self.weight_decay = require_number("weight_decay", weight_decay, minimum=0.0)
        self.steps = 0
        self.state: dict[str, Array] = {}
        self._decaying: list[Array] = []
        self._parameters: Parameters | None = None
        self.kernels = NUMPY
        self._pieces: list[list[Block]] = []

    def bind(self, parameters: Parameters, kernels: Kernels = NUMPY) -> Self:
        """Take the vectors to update and the kernels to do it with; start from a state of zeros."""
        self._parameters, self.kernels = parameters, kernels
        self.state = {name: np.zeros_like(parameters.vector) for name in self.moments}
        self._pieces = [
            self._blocks(parameters, piece) for piece in cut_for_update(len(parameters))
        ]
        places = parameters.places()
        self._decaying = [
            parameters.vector[place][piece]
            for name, place in places.items()
            if self.weight_decay and parameters.specs[name].is_matrix
            for piece in cut_for_update(place.stop - place.start)
        ]
        self.steps = 0
        return self

    def __getstate__(self) -> dict[str, object]:
        """Return what a copy or a pickle holds: its views would be of nobody's weights."""
        return {**self.__dict__, "_parameters": None, "_decaying": [], "_pieces": []}

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
        left = 1.0 - learning_rate * self.weight_decay
        self.kernels.share([partial(np.multiply, w, left, out=w) for w in self._decaying])
        self.kernels.share(
            [partial(self._update_piece, piece, learning_rate) for piece in self._pieces]
        )

    def _blocks(self, parameters: Parameters, piece: slice) -> list[Block]:
        """Cut a piece of the weights into the blocks that one thread updates, one by one."""
        scratch = np.empty(self.kernels.block or 0, parameters.dtype)
        return [
            Block(
                parameters.vector[block],
                parameters.gradient[block],
                {name: moment[block] for name, moment in self.state.items()},
                scratch[: block.stop - block.start],
            )
            for block in self.kernels.blocks(piece)
        ]

    def _update_piece(self, blocks: list[Block], rate: float) -> None:
        for block in blocks:
            self._update(block.w, block.dw, block.state, rate, block.scratch)

    @abstractmethod
    def _update(
        self, w: Array, dw: Array, state: Mapping[str, Array], rate: float, scratch: Array
    ) -> None:
        """Update one block of weights and state in place; ``dw`` is not written to."""

    @abstractmethod
    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""

    def state_dict(self) -> dict[str, object]:
        """Return copies of everything that the rule remembers, the number of steps included."""
        return {"steps": self.steps, **{name: value.copy() for name, value in self.state.items()}}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Take over what `state_dict` returned.

        Raises
        ------
        ModelError
            If something is missing, unknown or of another shape or dtype.
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
