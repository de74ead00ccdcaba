"""A layer belongs to one network."""

import copy
import pickle

import numpy as np
import pytest

from handloom import (
    ELU,
    BatchNorm,
    Dense,
    Dropout,
    Layer,
    LayerNorm,
    LeakyReLU,
    ReLU,
    Residual,
    Sequential,
    build,
)
from handloom.errors import ModelError
from handloom.parameters import Array

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


class Gain(Layer):
    """A layer of one's own with an option, and an attribute that is none."""

    def __init__(self, gain: float = 2.0) -> None:
        super().__init__()
        self.gain, self.passes = gain, 0

    def config(self) -> dict[str, object]:
        return {"gain": self.gain}

    def forward(self, x: Array, *, training: bool = False, rng: object = None) -> Array:
        self.passes += 1
        return self.gain * x

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array:
        return self.gain * dy


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (LeakyReLU(), "slope"),
        (ELU(), "alpha"),
        (LayerNorm(), "epsilon"),
        (BatchNorm(), "epsilon"),
        (Dropout(), "rate"),
        (Dense(4), "weights_l2"),
        (Gain(), "gain"),
    ],
)
def test_an_option_of_a_built_network_cannot_be_changed_since_replicas_would_not_follow(
    layer: Layer, name: str
) -> None:
    setattr(layer, name, 0.25)
    network = Sequential([Residual([layer]), Dense(2)]).build((4,))
    config = network.config()
    setattr(layer, name, 0.25)  # the same value
    with pytest.raises(
        ModelError, match=rf"{layer.kind}: {name} cannot be changed, since training"
    ):
        setattr(layer, name, 0.5)
    assert network.config() == config
    for free in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), layer.replica()):  # noqa: S301
        setattr(free, name, 0.5)
        assert getattr(free, name) == 0.5


def test_attributes_that_are_no_options_may_be_set() -> None:
    layer, norm = Gain(), BatchNorm()
    network = Sequential([layer, norm, Dense(2)]).build((4,))
    network.predict(X)
    assert layer.passes == 1
    norm.momentum = 0.5  # the network's own layer commits the statistics
    network.freeze("2.dense").unfreeze("2.dense").build((4,))


def test_a_layer_of_a_network_without_trained_weights_belongs_to_it_too() -> None:
    layer = LeakyReLU()
    network = Sequential([Dense(2), layer]).build((4,)).freeze("0.dense")
    with pytest.raises(ModelError, match="slope cannot be changed"):
        layer.slope = 0.5
    with pytest.raises(ModelError, match=r"call network\.unfreeze"):
        network[0].trainable = True
