"""Architectures: new networks, and networks rebuilt with the weights of another."""

from typing import Any

import numpy as np
import pytest

from handloom import Dense, ModelError, ReLU, Sequential
from handloom.estimators.architectures import Architecture
from handloom.estimators.factory_architecture import FactoryArchitecture
from handloom.estimators.perceptron import PerceptronArchitecture

PERCEPTRON = PerceptronArchitecture((4,), "tanh", 0.0, alpha=0.1, l1=0.0)
FACTORY = FactoryArchitecture(lambda outputs: Sequential([Dense(4), ReLU(), Dense(outputs)]))
BOTH = pytest.mark.parametrize("architecture", [PERCEPTRON, FACTORY], ids=["mlp", "factory"])


def built(architecture: Architecture) -> Sequential:
    return architecture.build(3, 2, np.float32, np.random.RandomState(0))


@BOTH
def test_a_network_is_built_from_inputs_to_outputs(architecture: Architecture) -> None:
    network = built(architecture)
    assert (network.input_shape, network.output_shape) == ((3,), (2,))
    assert network.parameters.dtype == np.float32
    np.testing.assert_array_equal(network.parameters.vector, built(architecture).parameters.vector)


@BOTH
def test_a_rebuilt_network_has_the_weights_in_memory_of_its_own(architecture: Any) -> None:
    network = built(architecture)
    other = architecture.rebuild(network, 3, 2)
    np.testing.assert_array_equal(other.parameters.vector, network.parameters.vector)
    assert not np.shares_memory(other.parameters.vector, network.parameters.vector)


@BOTH
def test_attributes_hold_the_network(architecture: Architecture) -> None:
    network = built(architecture)
    attributes = architecture.attributes(network)
    assert architecture.found_in(attributes)
    assert not architecture.found_in({})
    assert architecture.network_of(attributes) is network


def test_arrays_in_place_of_views_make_another_network() -> None:
    network = built(PERCEPTRON)
    attributes = PERCEPTRON.attributes(network)
    assert np.shares_memory(attributes["coefs_"][0], network.parameters.vector)
    attributes["coefs_"][0] = 2.0 * attributes["coefs_"][0]
    other = PERCEPTRON.network_of(attributes)
    assert other is not network
    np.testing.assert_array_equal(
        other.parameters.weights["0.dense.weights"], attributes["coefs_"][0]
    )
    with pytest.raises(ModelError, match="must give 3 layers of weights"):
        PerceptronArchitecture((4, 4), "tanh", 0.0, alpha=0.1, l1=0.0).network_of(attributes)
