"""The multilayer perceptron: the network that scikit-learn's parameters describe."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from handloom.backend import fused_is_installed
from handloom.errors import ModelError
from handloom.estimators.base import NetworkEstimator
from handloom.estimators.translate import (
    by_name,
    draw_weights,
    hidden_sizes,
    layers_of,
    one_per_layer,
)
from handloom.network import Sequential
from handloom.parameters import Array


class MultilayerPerceptron(NetworkEstimator):
    """An estimator whose network is a multilayer perceptron.

    Its weights are what ``coefs_`` and ``intercepts_`` hold: they are views of the network's
    memory, and other arrays put in their place are taken over before they are used.
    """

    _penalty_per_row: ClassVar[bool] = True  # as alpha is defined

    coefs_: list[Array]
    intercepts_: list[Array]

    def _has_network(self) -> bool:
        return hasattr(self, "coefs_")

    def _backend_to_use(self) -> str:
        """Return the quickest backend: perceptrons are fitted by the hundred, in searches."""
        if self.backend == "auto":
            return "fused" if fused_is_installed() else "numpy"
        return self.backend

    def _network_to_fit(
        self, inputs: int, dtype: Any, random: np.random.RandomState, *, going_on: bool
    ) -> Sequential:
        if going_on:
            return self._network_of_attributes()
        hidden = hidden_sizes(self.hidden_layer_sizes)
        activations = self._activations(len(hidden))
        widths = [inputs, *hidden, self._outputs()]
        named = self.activation if isinstance(self.activation, str) else "identity"
        last = activations[-1:] or [named]  # the last layer goes with the one before it
        return self._network(*draw_weights(widths, [*activations, *last], dtype, random), hidden)

    def _network_of_attributes(self) -> Sequential:
        """Return a network with the weights of ``coefs_`` and ``intercepts_``.

        Raises
        ------
        ModelError
            If they have not the shapes that the parameters ask for.
        """
        return self._network(self.coefs_, self.intercepts_, hidden_sizes(self.hidden_layer_sizes))

    def _network(
        self, coefs: list[Array], intercepts: list[Array], hidden: list[int]
    ) -> Sequential:
        if len(coefs) != len(hidden) + 1:
            raise ModelError(
                f"hidden_layer_sizes={tuple(hidden)} asks for {len(hidden) + 1} layers of weights, "
                f"and the fit to go on from has {len(coefs)}"
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
        weights = by_name(layers, coefs, intercepts, dtype)
        return Sequential(layers).build((len(coefs[0]),), dtype=dtype, weights=weights)

    def _activations(self, layers: int) -> list[str]:
        return one_per_layer("activation", self.activation, layers)

    def _network_in_use(self) -> Sequential:
        network = self.__dict__.get("network_")
        if network is None or not self._shows(network):
            network = self._network_of_attributes()
            self._show(network)
        return network

    def _adopt(self, network: Sequential, *, iterations: int) -> None:
        super()._adopt(network, iterations=iterations)
        self._show(network)
        self.n_layers_ = len(self.coefs_) + 1

    def _show(self, network: Sequential) -> None:
        self.network_ = network
        self.coefs_, self.intercepts_ = _arrays(network)

    def _shows(self, network: Sequential) -> bool:
        """Whether the attributes still are the network's own arrays."""
        coefs, intercepts = _arrays(network)
        shown, own = [*self.coefs_, *self.intercepts_], [*coefs, *intercepts]
        return len(shown) == len(own) and all(a is b for a, b in zip(shown, own, strict=True))

    def __getstate__(self) -> dict[str, Any]:
        """Return everything but ``coefs_`` and ``intercepts_``, whose arrays the network holds."""
        state: dict[str, Any] = dict(super().__getstate__())
        if "network_" in state:
            state["network_"] = self._network_in_use()
            del state["coefs_"], state["intercepts_"]
        return state

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        super().__setstate__(dict(state))
        if "network_" in state:
            self._show(self.network_)


def _arrays(network: Sequential) -> tuple[list[Array], list[Array]]:
    """Return a network's weights and its biases, layer by layer."""
    named = network.parameters.weights
    return (
        [array for name, array in named.items() if name.endswith(".weights")],
        [array for name, array in named.items() if name.endswith(".biases")],
    )
