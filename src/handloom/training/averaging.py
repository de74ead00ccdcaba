"""An average of the weights over the last steps, to evaluate instead of the weights themselves."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Self

import numpy as np

from handloom.errors import ModelError, require_count, require_fraction
from handloom.kernels import NUMPY, Kernels, cut_for_update
from handloom.parameters import Array, Parameters, check_array


class EMA:
    """The exponential moving average of a network's weights.

    After the ``t``-th update, with ``w_s`` the weights after the ``s``-th::

        average = (1 - decay) / (1 - decay^t) * sum over s of decay^(t - s) w_s

    It is a true weighted mean, of updated weights only: where training started from has no share in
    it. What is not trained (running statistics) is averaged with the rest.

    Parameters
    ----------
    decay : float
        How fast an update is forgotten, at least 0 and below 1: the mean reaches back some
        ``1 / (1 - decay)`` steps.

    Attributes
    ----------
    updates : int
        How many weights are in the average.
    values : array, shape (size + untrained,)
        The average, laid out as `Parameters.values`; before the first update, the values.

    Raises
    ------
    ConfigurationError
        If the decay is out of range.

    References
    ----------
    Polyak, Juditsky, "Acceleration of Stochastic Approximation by Averaging", SIAM Journal on
    Control and Optimization 30, 1992, on averaging; the weights of the mean are those of Adam's.
    """

    def __init__(self, decay: float = 0.999) -> None:
        self.decay = require_fraction("decay", decay)
        self.updates = 0
        self.values: Array = np.empty(0)
        self._parameters: Parameters | None = None
        self._kernels = NUMPY
        self._pieces: list[tuple[slice, Array]] = []

    def bind(self, parameters: Parameters, kernels: Kernels = NUMPY) -> Self:
        """Take the values to average and the kernels to do it with; start with no update."""
        self._parameters, self._kernels = parameters, kernels
        self.values, self.updates = parameters.values.copy(), 0
        self._pieces = [
            (piece, np.empty(kernels.block or 0, parameters.dtype))
            for piece in cut_for_update(len(self.values))
        ]
        return self

    def update(self) -> None:
        """Take the present values into the average."""
        source = self._bound.values
        self.updates += 1
        share = (1.0 - self.decay) / (1.0 - self.decay**self.updates)
        self._kernels.share([partial(self._blend, source, share, *piece) for piece in self._pieces])

    def _blend(self, source: Array, share: float, piece: slice, scratch: Array) -> None:
        for block in self._kernels.blocks(piece):
            mean = self.values[block]
            self._kernels.blend(mean, source[block], share, self.updates, scratch[: len(mean)])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Give the network its averaged values until the end of the block."""
        values = self._bound.values
        own = values.copy()
        np.copyto(values, self.values)
        try:
            yield
        finally:
            np.copyto(values, own)

    def keep(self) -> None:
        """Give the network its averaged values for good."""
        np.copyto(self._bound.values, self.values)

    def config(self) -> dict[str, object]:
        """Return the constructor's argument."""
        return {"decay": self.decay}

    def state_dict(self) -> dict[str, Any]:
        """Return the average, and of how many updates it is."""
        return {"updates": self.updates, "values": self.values}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned.

        Raises
        ------
        ModelError
            If it is the average of another network.
        """
        given = np.asarray(state["values"])
        check_array("an average", given, self.values.shape, self.values.dtype)
        np.copyto(self.values, given)
        self.updates = require_count("updates", state["updates"], minimum=0)

    @property
    def _bound(self) -> Parameters:
        if self._parameters is None:
            raise ModelError("bind the average to parameters before an update")
        return self._parameters
