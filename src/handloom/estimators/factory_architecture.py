"""The architecture of `NetworkClassifier` and `NetworkRegressor`: a caller's factory."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from handloom.errors import ModelError
from handloom.layers import Embedding
from handloom.network import Sequential


@dataclass(frozen=True)
class FactoryArchitecture:
    """The architecture of a caller's factory.

    It implements `handloom.estimators.architectures.Architecture`.

    Penalties are those of the network's layers.

    Parameters
    ----------
    factory : callable
        ``factory(outputs)`` returns a `handloom.Sequential`, which may be built already.
    embedded : mapping of int to int
        The columns of indices, each with the number of its categories. If there are any, an
        `handloom.Embedding` is put before the layers of the network, which must not be built.
    """

    factory: Callable[[int], Sequential]
    embedded: Mapping[int, int] = field(default_factory=dict)

    penalty_per_row: ClassVar[bool] = False
    fused_from: ClassVar[float | None] = None

    def build(
        self, inputs: int, outputs: int, dtype: Any, random: np.random.RandomState
    ) -> Sequential:
        """Return a copy of the factory's network, built.

        Raises
        ------
        ModelError
            If it is not a network from ``inputs`` to ``outputs``.
        """
        network = self._new_network(outputs)
        if not network.built:
            network.build((inputs,), dtype=dtype, seed=int(random.randint(2**31 - 1)))
        return _checked(network, inputs, outputs)

    def rebuild(self, network: Sequential, inputs: int, outputs: int) -> Sequential:
        """Return a new network of the factory with the weights of another network.

        Raises
        ------
        ModelError
            If the factory returns another architecture now.
        """
        parameters = network.parameters
        rebuilt = self._new_network(outputs)
        rebuilt.build((inputs,), dtype=parameters.dtype, weights=dict(parameters.weights))
        return _checked(rebuilt, inputs, outputs)

    def attributes(self, network: Sequential) -> dict[str, Any]:
        """Return ``network_``."""
        return {"network_": network}

    def found_in(self, attributes: Mapping[str, Any]) -> bool:
        """Return whether the fitted attributes contain ``network_``."""
        return "network_" in attributes

    def network_of(self, attributes: Mapping[str, Any]) -> Sequential:
        """Return ``network_``."""
        network: Sequential = attributes["network_"]
        return network

    def _new_network(self, outputs: int) -> Sequential:
        """Call the factory and copy its network, as it may return the same object twice."""
        if isinstance(self.factory, Sequential):
            raise ModelError(
                "network_factory must be a function that returns a network, got a network: define "
                "network(outputs), which makes and returns it, and pass that function"
            )
        network = self.factory(outputs)
        if not isinstance(network, Sequential):
            raise ModelError(f"network_factory must return a handloom.Sequential, got {network!r}")
        network = deepcopy(network)
        if not self.embedded:
            return network
        if network.built:
            raise ModelError(
                "network_factory must return a network that is not built with "
                "categorical_encoding='embed', since an Embedding is put before its layers; or "
                "set 'one-hot'"
            )
        return Sequential([Embedding(self.embedded), *network.layers])


def _checked(network: Sequential, inputs: int, outputs: int) -> Sequential:
    shapes = network.input_shape, network.output_shape
    if shapes != ((inputs,), (outputs,)):
        raise ModelError(
            f"network_factory({outputs}) must return a network from ({inputs},) to "
            f"({outputs},), got one from {shapes[0]} to {shapes[1]}"
        )
    return network
