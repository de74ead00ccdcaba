"""What a user sees of layers of their own, and of layers that they change."""

import numpy as np
import pytest

from handloom import SGD, Dataset, Dense, ReLU, Residual, Sequential, Trainer
from handloom.errors import ModelError

X = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
DATA = Dataset(X, (X[:, 0] > 0).astype(int))


def network() -> Sequential:
    return Sequential([Dense(5), ReLU(), Dense(2)]).build((4,), seed=0)


def weights_of(made: Sequential) -> np.ndarray:
    return made.parameters.weights["0.dense.weights"].copy()


def test_a_layer_of_a_built_network_is_not_frozen_by_itself() -> None:
    made = network()
    with pytest.raises(ModelError, match=r'call network\.freeze\("0\.dense"\)'):
        made.layers[0].freeze()
    with pytest.raises(ModelError, match=r'call network\.freeze\("2\.dense"\)'):
        made.layers[2].trainable = False
    assert made.layers[0].trainable
    made.freeze("0.dense")
    with pytest.raises(ModelError, match=r'call network\.unfreeze\("0\.dense"\)'):
        made.layers[0].trainable = True


def test_a_frozen_layer_is_trained_again_from_its_values_after_unfreeze() -> None:
    made = network().freeze("0.dense")
    before = weights_of(made)
    Trainer(made, SGD(), 0.1, epochs=2).fit(DATA)
    assert np.array_equal(weights_of(made), before)
    made.unfreeze("0.dense")
    assert np.array_equal(weights_of(made), before)
    Trainer(made, SGD(), 0.1, epochs=2).fit(DATA)
    assert not np.array_equal(weights_of(made), before)
    with pytest.raises(ModelError, match="unknown layer"):
        made.unfreeze("1.dense")


def test_a_residual_block_is_frozen_and_trained_again_as_a_whole() -> None:
    inner = Dense(4)
    made = Sequential([Residual([inner, ReLU()]), Dense(2)]).build((4,)).freeze("0.residual")
    assert len(made.parameters) == 10
    with pytest.raises(ModelError, match=r'call network\.unfreeze\("0\.residual"\)'):
        inner.trainable = True
    assert len(made.unfreeze("0.residual").parameters) == 30
