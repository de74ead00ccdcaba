"""Exponential moving average (EMA) of the weights, evaluated instead of the weights."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Self

import numpy as np

from handloom.arguments import as_call
from handloom.backend import NUMPY, Backend
from handloom.errors import ModelError, require_count, require_fraction
from handloom.operations import MovingAverage
from handloom.optimizers.moving_average import lerp
from handloom.parallel.pool import SERIAL, Pool
from handloom.parameters import Array, Parameters, Result, check_array


class EMA:
    """The exponential moving average of a network's weights.

    After ``T`` updates, with ``w_tau`` the weights after the update ``tau``, from 1 to ``T``::

        average = (1 - decay) / (1 - decay^T) * sum over tau of decay^(T - tau) w_tau

    It is a true weighted mean, of updated weights only: the initial weights have no share in it.
    Values that are not trained (running statistics) are averaged too.

    Parameters
    ----------
    decay : float
        The decay rate, at least 0 and below 1: the mean reaches back some ``1 / (1 - decay)``
        steps.

    Attributes
    ----------
    steps : int
        The number of optimizer steps in the average.
    bindings : int
        The number of calls of `bind`.
    values : array, shape (size + untrained,)
        The average, laid out as ``parameters.values``; before the first update, the values.

    Raises
    ------
    ConfigurationError
        If the decay is out of range.

    References
    ----------
    Polyak, Juditsky, "Acceleration of Stochastic Approximation by Averaging", SIAM Journal on
    Control and Optimization 30, 1992, on averaging, there with equal weights; here the weights are
    those of Adam's averages.
    """

    def __init__(self, decay: float = 0.999) -> None:
        self.decay = require_fraction("decay", decay)
        self.steps = self.bindings = 0
        self.values: Array = np.empty(0)
        self._parameters: Parameters | None = None
        self._pool: Pool = SERIAL
        self._blocks_by_piece: list[list[tuple[Array, ...]]] = []

    def __repr__(self) -> str:
        return as_call(self)

    def bind(self, parameters: Parameters, backend: Backend = NUMPY, pool: Pool = SERIAL) -> Self:
        """Bind the average to parameters, with no update yet; see `Optimizer.bind`."""
        self._parameters, self._pool, self._lerp = parameters, pool, backend.version_of(lerp)
        self.values, self.steps = parameters.values.copy(), 0
        self.bindings += 1
        self._blocks_by_piece = pool.blocks_by_piece(
            self.values, parameters.values, single_block=backend.compiles(lerp)
        )
        return self

    def update(self) -> None:
        """Add the current values to the average."""
        _ = self._bound
        self.steps += 1
        weight = (1.0 - self.decay) / (1.0 - self.decay**self.steps)
        self._pool.run([partial(self._move, piece, weight) for piece in self._blocks_by_piece])

    def _move(self, piece: list[tuple[Array, ...]], weight: float) -> None:
        """Move a piece of the average toward the current values."""
        for mean, values, scratch in piece:
            self._lerp(mean, values, weight, self.steps, scratch)

    def __getstate__(self) -> dict[str, object]:
        """Return the state of a copy or a pickle, which is bound to no parameters."""
        views: dict[str, object] = {"_parameters": None, "_blocks_by_piece": []}
        return {**self.__dict__, **views, "_pool": SERIAL, "_lerp": lerp}

    def as_operation(self) -> MovingAverage:
        """Return the average as a record."""
        return MovingAverage(self.decay)

    def in_place(self, call: Callable[[], Result]) -> Result:
        """Return the result of a call in which the network has its averaged values."""
        return self._bound.with_values(self.values, call)

    def copy_to_network(self) -> None:
        """Give the network its averaged values for good."""
        np.copyto(self._bound.values, self.values)

    def config(self) -> dict[str, object]:
        """Return the constructor's argument."""
        return {"decay": self.decay}

    def state_dict(self) -> dict[str, Any]:
        """Return the average, which is not copied, and its number of steps."""
        return {"steps": self.steps, "values": self.values}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load the state that `state_dict` returned.

        Raises
        ------
        ModelError
            If it is the average of another network, or an entry is missing or unknown.
        """
        if set(state) != {"steps", "values"}:
            entries = ", ".join(sorted(state)) or "nothing"
            raise ModelError(f"an average's state must hold steps, values, got {entries}")
        values = np.asarray(state["values"])
        check_array("an average", values, self.values.shape, self.values.dtype)
        np.copyto(self.values, values)
        self.steps = require_count("steps", state["steps"], minimum=0)

    @property
    def _bound(self) -> Parameters:
        if self._parameters is None:
            raise ModelError("bind the average to parameters before an update")
        return self._parameters
