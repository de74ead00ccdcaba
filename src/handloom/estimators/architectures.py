"""The architecture protocol: the source of an estimator's network."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from handloom.network import Sequential


class Architecture(Protocol):
    """The source of an estimator's network, and of the fitted attributes that hold it.

    An architecture is independent of targets and of training.
    """

    @property
    def penalty_per_row(self) -> bool:
        """Whether the penalty of a step is divided by the total weight of its rows."""

    @property
    def fused_from(self) -> float | None:
        """The work from which ``"auto"`` is compiled code; see `handloom.backend`."""

    def build(
        self, inputs: int, outputs: int, dtype: Any, random: np.random.RandomState
    ) -> Sequential:
        """Return a new network that ends in logits.

        Raises
        ------
        ValueError
            If the parameters of the estimator are invalid.
        """

    def rebuild(self, network: Sequential, inputs: int, outputs: int) -> Sequential:
        """Return a new network with a copy of another network's weights.

        Raises
        ------
        ValueError
            If the architecture has changed, so that the weights do not fit.
        """

    def attributes(self, network: Sequential) -> dict[str, Any]:
        """Return the fitted attributes that hold a network: ``network_``, and views of it."""

    def found_in(self, attributes: Mapping[str, Any]) -> bool:
        """Return whether the fitted attributes contain a network."""

    def network_of(self, attributes: Mapping[str, Any]) -> Sequential:
        """Return the network that fitted attributes hold."""
