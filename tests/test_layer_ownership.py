"""A layer belongs to one network."""

import copy
import pickle

import numpy as np
import pytest

from handloom import Dense, Layer, ReLU, Residual, Sequential, build
from handloom.errors import ModelError

X = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)


def layers() -> list[Layer]:
    return [Dense(4), Residual([Dense(4), ReLU()]), Dense(2)]


def test_layers_of_one_network_are_refused_by_another() -> None:
    shared = layers()
    first = Sequential(shared).build((4,), seed=0)
    expected = first.predict(X)
    with pytest.raises(ModelError, match=r"layer 0\.dense belongs to another network already"):
        Sequential(shared).build((4,), seed=1)
    with pytest.raises(ModelError, match=r"layer 0\.dense belongs to another network already"):
        build(shared, (4,))
    assert np.array_equal(first.predict(X), expected)


def test_a_shared_layer_is_found_inside_a_block_and_without_weights() -> None:
    inner, relu = Dense(4), ReLU()
    kept = Sequential([inner, relu]).build((4,))
    with pytest.raises(ModelError, match=r"layer 0\.residual\.block\.0\.dense belongs to another"):
        Sequential([Residual([inner])]).build((4,))
    with pytest.raises(ModelError, match=r"layer 1\.relu belongs to another network"):
        Sequential([Dense(4), relu]).build((4,))
    assert kept.built


def test_a_layer_inside_a_block_and_outside_it_is_refused() -> None:
    twice = Dense(4)
    with pytest.raises(ModelError, match=r"only once, got 1\.residual\.block\.0\.dense twice"):
        Sequential([twice, Residual([twice])]).build((4,))


def test_a_network_may_be_built_again_and_its_layers_copied() -> None:
    shared = layers()
    first = Sequential(shared).build((4,), seed=0)
    first.build((4,), seed=1)
    second = Sequential(copy.deepcopy(shared)).build((4,), seed=2)
    third = Sequential(pickle.loads(pickle.dumps(shared))).build((4,), seed=2)  # noqa: S301
    assert np.array_equal(second.predict(X), third.predict(X))
    assert not np.array_equal(first.predict(X), second.predict(X))


def test_layers_of_a_network_that_is_gone_are_free() -> None:
    shared = layers()
    Sequential(shared).build((4,), seed=0)
    assert Sequential(shared).build((4,), seed=0).built
