"""The architecture of the multilayer perceptron, from scikit-learn's parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import is_
from typing import Any, ClassVar

import numpy as np

from handloom.errors import ModelError
from handloom.estimators.translate import (
    by_name,
    draw_weights,
    hidden_sizes,
    layers_of,
    one_per_layer,
)
from handloom.layers import Embedding
from handloom.network import Sequential
from handloom.parameters import Array


@dataclass(frozen=True)
class PerceptronArchitecture:
    """The architecture of a multilayer perceptron.

    It implements `handloom.estimators.architectures.Architecture`.

    ``coefs_`` and ``intercepts_`` are views of the network's memory. If a caller has assigned other
    arrays, `network_of` returns a network of those.

    Parameters
    ----------
    hidden_layer_sizes, activation, dropout, alpha, l1
        As in `handloom.MLPClassifier`; checked when a network is built.
    embedded : mapping of int to int
        The columns of indices, each with the number of its categories. If there are any, the first
        layer is an `handloom.Embedding`; its vectors have no penalty.
    """

    hidden_layer_sizes: int | Sequence[int]
    activation: str | Sequence[str]
    dropout: float | Sequence[float]
    alpha: float
    l1: float
    embedded: Mapping[int, int] = field(default_factory=dict)

    penalty_per_row: ClassVar[bool] = True  # as alpha is defined
    fused_from: ClassVar[float | None] = 0.0  # for loading pays in later fits

    def build(
        self, inputs: int, outputs: int, dtype: Any, random: np.random.RandomState
    ) -> Sequential:
        """Return a network with scikit-learn's initial weights.

        Raises
        ------
        ValueError
            If layer sizes, activations or dropout rates are invalid.
        """
        hidden = hidden_sizes(self.hidden_layer_sizes)
        activations = self._activations(len(hidden))
        embedding, width = None, inputs
        if self.embedded:
            seed = int(random.randint(2**31 - 1))
            embedding = Sequential([Embedding(self.embedded)]).build(inputs, dtype=dtype, seed=seed)
            (width,) = embedding.output_shape
        fallback = self.activation if isinstance(self.activation, str) else "identity"
        last = activations[-1:] or [fallback]  # the last layer is drawn like the one before it
        drawn = draw_weights([width, *hidden, outputs], [*activations, *last], dtype, random)
        return self._network(*drawn, embedding)

    def rebuild(self, network: Sequential, inputs: int, outputs: int) -> Sequential:
        """Return a network of the current parameters with the weights of another network.

        Raises
        ------
        ModelError
            If ``hidden_layer_sizes`` now gives other layers.
        """
        coefs, intercepts = _arrays(network)
        fitted, now = [len(each) for each in intercepts[:-1]], hidden_sizes(self.hidden_layer_sizes)
        if now != fitted:
            raise ModelError(
                f"hidden_layer_sizes must be {tuple(fitted)}, as in the fit that is continued "
                f"(warm_start=True, or partial_fit), got {tuple(now)}: fit a new estimator, or "
                "set warm_start=False"
            )
        return self._network(coefs, intercepts, network)

    def attributes(self, network: Sequential) -> dict[str, Any]:
        """Return ``network_``, ``coefs_``, ``intercepts_`` and ``n_layers_``."""
        coefs, intercepts = _arrays(network)
        return {
            "network_": network,
            "coefs_": coefs,
            "intercepts_": intercepts,
            "n_layers_": len(coefs) + 1,
        }

    def found_in(self, attributes: Mapping[str, Any]) -> bool:
        """Return whether the fitted attributes contain ``coefs_``."""
        return "coefs_" in attributes

    def network_of(self, attributes: Mapping[str, Any]) -> Sequential:
        """Return ``network_``, or a new network if ``network_`` does not own ``coefs_``.

        Raises
        ------
        ModelError
            If the number of arrays differs from the number of layers.
        """
        network: Sequential | None = attributes.get("network_")
        coefs, intercepts = attributes["coefs_"], attributes["intercepts_"]
        if network is not None:
            own = _arrays(network)
            if _same(coefs, own[0]) and _same(intercepts, own[1]):
                return network
        return self._network(coefs, intercepts, network)

    def _network(
        self, coefs: list[Array], intercepts: list[Array], earlier: Sequential | None
    ) -> Sequential:
        """Return a network of these arrays, with the embedding of an earlier one if it has any."""
        hidden = hidden_sizes(self.hidden_layer_sizes)
        if len(coefs) != len(hidden) + 1:
            raise ModelError(
                f"coefs_ must give {len(hidden) + 1} layers of weights for "
                f"hidden_layer_sizes={tuple(hidden)}, got {len(coefs)}"
            )
        sizes = tuple(np.shape(array)[1] for array in coefs[:-1])
        if sizes != tuple(hidden):
            raise ModelError(
                f"coefs_ must give hidden layers of {tuple(hidden)} units, as "
                f"hidden_layer_sizes does, got {sizes}"
            )
        dtype = np.asarray(coefs[0]).dtype
        layers = layers_of(
            hidden,
            self._activations(len(hidden)),
            one_per_layer("dropout", self.dropout, len(hidden)),
            np.shape(coefs[-1])[1],
            alpha=self.alpha,
            l1=self.l1,
        )
        inputs, tables = len(coefs[0]), dict[str, Array]()
        if self.embedded and earlier is not None:
            inputs, tables = earlier.input_shape[0], _tables(earlier)
            layers.insert(0, Embedding(self.embedded))
        weights = {**tables, **by_name(layers, coefs, intercepts, dtype)}
        return Sequential(layers).build(inputs, dtype=dtype, weights=weights)

    def _activations(self, layers: int) -> list[str]:
        return one_per_layer("activation", self.activation, layers)


def _arrays(network: Sequential) -> tuple[list[Array], list[Array]]:
    """Return a network's weights and its biases, layer by layer."""
    named = network.parameters.weights
    return (
        [array for name, array in named.items() if name.endswith(".weights")],
        [array for name, array in named.items() if name.endswith(".biases")],
    )


def _tables(network: Sequential) -> dict[str, Array]:
    """Return the tables of vectors of a network that begins with an embedding."""
    named = network.parameters.weights
    return {name: array for name, array in named.items() if name.startswith("0.embedding.")}


def _same(arrays: Sequence[Array], others: Sequence[Array]) -> bool:
    """Whether two sequences hold the same objects."""
    return len(arrays) == len(others) and all(map(is_, arrays, others))
