"""Arrays that a user assigns: they become the weights of the network, or are refused."""

import copy
import pickle

import numpy as np
import pytest

from handloom import SGD, Dataset, Dense, ReLU, Residual, Sequential, Trainer
from handloom.errors import ModelError

X = np.random.default_rng(0).standard_normal((40, 4)).astype(np.float32)
DATA = Dataset(X, np.arange(40) % 3, tuple("abc"))


def network() -> Sequential:
    layers = [Dense(4), Residual([Dense(4), ReLU()]), Dense(3)]
    return Sequential(layers).build((4,), seed=0)


def test_weights_assigned_to_a_layer_are_those_that_train_and_predict() -> None:
    made, new = network(), np.ones((4, 4), np.float32)
    made.layers[0].weights["weights"] = new  # type: ignore[index]
    assert np.array_equal(made.parameters.weights["0.dense.weights"], new)
    Trainer(made, SGD(), 0.1, epochs=2, batch_size=10).fit(DATA)
    assert np.array_equal(
        made.layers[0].weights["weights"], made.parameters.weights["0.dense.weights"]
    )
    assert not np.array_equal(made.layers[0].weights["weights"], new)
    assert np.array_equal(new, np.ones((4, 4)))


def test_weights_assigned_by_name_or_as_a_vector_are_copied_in() -> None:
    made, other = network(), network()
    other.parameters.vector += 1.0
    for name, array in other.parameters.weights.items():
        made.parameters.weights[name] = array
    assert np.array_equal(made.predict(X), other.predict(X))
    made.parameters.vector = np.zeros(len(made.parameters))
    assert not made.predict(X).any()
    made.parameters.values = other.parameters.values
    assert np.array_equal(made.predict(X), other.predict(X))
    assert made.parameters.vector is not other.parameters.vector


def test_arrays_of_another_shape_or_name_are_refused() -> None:
    made = network()
    with pytest.raises(ModelError, match=r"'weights' must have shape \(4, 4\), got shape \(3, 4\)"):
        made.layers[0].weights["weights"] = np.ones((3, 4))  # type: ignore[index]
    with pytest.raises(ModelError, match=r"unknown array 'weight'.* Did you mean 'weights'"):
        made.layers[0].weights["weight"] = np.ones((4, 4))  # type: ignore[index]
    with pytest.raises(ModelError, match="vector must have shape"):
        made.parameters.vector = np.ones(3)


def test_copies_of_a_network_have_arrays_of_their_own() -> None:
    made = network()
    for again in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):  # noqa: S301
        again.layers[0].weights["weights"] = np.zeros((4, 4))  # type: ignore[index]
        assert not again.parameters.weights["0.dense.weights"].any()
    assert made.parameters.weights["0.dense.weights"].any()
