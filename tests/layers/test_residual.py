"""Residual blocks: two ways around that add up, and layers within that are like any others."""

from typing import Any

import numpy as np
import pytest
from tests.helpers.gradients import relative_error
from tests.helpers.images import convolved, draw

from handloom import (
    BatchNorm,
    ConfigurationError,
    Conv2D,
    Dense,
    Dropout,
    ModelError,
    ReLU,
    Residual,
    Sequential,
    Tanh,
    build,
    check_gradients,
)
from handloom.backend import Backend
from handloom.layers import Layer
from handloom.parallel.pool import SERIAL, Pool, SerialPool
from handloom.parameters import Array
from handloom.randomness import Stream, spawn
from handloom.testing import check_layer


def test_the_block_is_added_to_its_input() -> None:
    def reference(x: Array, weights: dict[str, Array]) -> Array:
        h = np.maximum(x @ weights["block.0.dense.weights"] + weights["block.0.dense.biases"], 0)
        return np.asarray(
            x + h @ weights["block.2.dense.weights"] + weights["block.2.dense.biases"]
        )

    layer = Residual([Dense(3), ReLU(), Dense(5)])
    assert check_layer(layer, draw(4, 5), reference).ok  # type: ignore[arg-type]


def test_a_shortcut_may_have_layers_of_its_own() -> None:
    def reference(x: Array, weights: dict[str, Array]) -> Array:
        block, shortcut = (
            convolved(x, weights[f"{w}.conv2d.weights"], weights[f"{w}.conv2d.biases"], 2, margins)
            for w, margins in (("block.0", (1, 1)), ("shortcut.0", (0, 0)))
        )
        return np.asarray(block + shortcut)

    layer = Residual([Conv2D(3, 3, stride=2, padding=1)], [Conv2D(3, 1, stride=2)])
    assert check_layer(layer, draw(3, 2, 5, 5), reference).ok  # type: ignore[arg-type]
    assert check_gradients(layer, draw(2, 2, 4, 4), thorough=True).ok


def test_the_name_of_a_layer_stands_for_the_layer() -> None:
    layer = Residual([Dense(3), "relu", Dense(5)], ["tanh"])
    assert repr(layer) == repr(Residual([Dense(3), ReLU(), Dense(5)], [Tanh()]))


def test_blocks_stand_within_blocks() -> None:
    layer = Residual([Dense(4), Residual([Dense(3), Dense(4)]), Dropout(0.4)])
    assert layer.stochastic
    assert check_layer(layer, draw(5, 4)).ok
    names = build([layer], (4,)).weights
    assert "0.residual.block.1.residual.block.0.dense.weights" in names


def test_arrays_are_named_for_where_they_stand() -> None:
    network = Sequential([Dense(4), Residual([Dense(2), Dense(3)], [Dense(3)])]).build((5,))
    assert list(network.parameters.weights)[2:] == [
        "1.residual.block.0.dense.weights",
        "1.residual.block.0.dense.biases",
        "1.residual.block.1.dense.weights",
        "1.residual.block.1.dense.biases",
        "1.residual.shortcut.0.dense.weights",
        "1.residual.shortcut.0.dense.biases",
    ]
    assert network.summary()[1] == ("1.residual", (3,), 4 * 2 + 2 + 2 * 3 + 3 + 4 * 3 + 3)


def test_every_stochastic_layer_within_draws_numbers_of_its_own() -> None:
    class Draws(ReLU):
        kind = "draws"
        stochastic = True

        def forward(self, x: Array, *, training: bool = False, rng: object = None) -> Array:
            self.drawn = rng.integers(1 << 62) if training else None  # type: ignore[attr-defined]
            return x

        def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
            return dy

    layers = [Draws() for _ in range(5)]
    network = Sequential([layers[0], Residual(layers[1:3], layers[3:4]), layers[4]]).build((2,))
    x, stream = draw(2, 2), Stream(7)
    network.forward(x, training=True, stream=stream)
    drawn = [layer.drawn for layer in layers]
    assert len(set(drawn)) == 5
    # those within have generators of their own, which the block's generator keys
    first, block, last = (stream.at(index).generator() for index in range(3))
    generators = [first, *spawn(block, 3), last]
    assert drawn == [rng.integers(1 << 62) for rng in generators]
    network.forward(x, training=True, stream=stream)
    assert [layer.drawn for layer in layers] == drawn


def test_inner_layers_learn_only_as_far_as_somebody_needs_it() -> None:
    layer = Residual([ReLU(), Dense(3)])
    network = Sequential([layer]).build((3,), dtype=np.float64)
    network.forward(draw(4, 3), training=True)
    network.backward(draw(4, 3, seed=1))
    assert network.parameters.gradient.any()


def test_a_backend_and_a_pool_reach_the_layers_within() -> None:
    called: list[str] = []

    class Noting(Backend):
        def version_of(self, definition: Any, pool: Pool = SERIAL) -> Any:
            def noted(*arguments: Any, **options: Any) -> Any:
                called.append(definition.__name__)
                return definition(*arguments, **options)

            return noted

    network, pool = Sequential([Residual([Dense(3), ReLU()], [Dense(3)])]).build((2,)), SerialPool()
    replica = network.replica(Noting(), pool)
    (layer,) = replica.layers
    assert isinstance(layer, Residual)
    assert all(i.pool is pool for i in (*layer.block.layers, *layer.shortcut.layers))
    x = np.ones((4, 2), np.float32)
    network.forward(x, training=True)
    assert not called  # the network itself computes as before
    replica.forward(x, training=True)
    replica.backward(np.ones((4, 3), np.float32))
    assert sorted(called) == ["column_sums", "column_sums", "relu", "relu_backward"]


def test_a_replica_shares_weights_and_nothing_else() -> None:
    network = Sequential([Residual([Dense(3), ReLU()])]).build((3,), dtype=np.float64)
    replica, x = network.replica(), draw(4, 3)
    network.parameters.vector += 1.0
    assert np.array_equal(network.forward(x), replica.forward(x))
    replica.forward(x, training=True)
    replica.backward(draw(4, 3, seed=1))
    assert replica.parameters.gradient.any()
    assert not network.parameters.gradient.any()


def test_layers_of_ones_own_are_known_within_a_block() -> None:
    class Double(ReLU):
        kind = "double"

    network = Sequential([Residual([Double()])]).build((3,))
    again = Sequential.from_config(network.config(), {"double": Double})
    assert again.config() == network.config()
    with pytest.raises(ModelError, match="unknown layer 'double'"):
        Sequential.from_config(network.config())


def test_a_block_freezes_as_a_whole() -> None:
    network = Sequential([Residual([Dense(3), BatchNorm()]), Dense(2)]).build((3,))
    x = draw(4, 3).astype(np.float32)
    before = network.predict(x)
    network.freeze("0.residual")
    assert list(network.parameters.gradients) == ["1.dense.weights", "1.dense.biases"]
    assert np.array_equal(network.predict(x), before)
    again = Sequential.from_config(network.config(), weights=network.parameters.weights)
    assert list(again.parameters.gradients) == list(network.parameters.gradients)
    assert again.config() == network.config()
    assert np.array_equal(again.predict(x), before)


def test_a_frozen_layer_within_a_block_is_left_alone() -> None:
    x, dy = draw(4, 3), draw(4, 3, seed=1)
    gradients = {}
    for frozen in (False, True):
        inner: list[Layer] = [Dense(3), Dense(3)]
        if frozen:
            inner[0].freeze()
        network = Sequential([Dense(3), Residual(inner)]).build((3,), dtype=np.float64)
        network.forward(x, training=True)
        network.backward(dy)
        gradients[frozen] = network.parameters.gradients
    assert set(gradients[False]) - set(gradients[True]) == {
        "1.residual.block.0.dense.weights",
        "1.residual.block.0.dense.biases",
    }
    assert all(
        relative_error(gradients[True][n], gradients[False][n]) < 1e-14 for n in gradients[True]
    )


def test_mistakes_are_named() -> None:
    with pytest.raises(ConfigurationError, match="at least one layer, got none"):
        Residual([])
    with pytest.raises(ConfigurationError, match="must be sequences of layers"):
        Residual("relu")
    with pytest.raises(ModelError, match=r"layer 0 must be a layer, .* got int"):
        Residual([3])  # type: ignore[list-item]
    relu = ReLU()
    with pytest.raises(ConfigurationError, match="only once"):
        Residual([relu, relu])
    with pytest.raises(ModelError, match=r"same output shape, got \(2,\) and \(3,"):
        build([Residual([Dense(2)])], (3,))
    config = Sequential([Residual([ReLU()])]).build((3,)).config()
    config["layers"][0]["blok"] = []  # type: ignore[index]
    with pytest.raises(ModelError, match=r"layer 'residual'.*blok"):
        Sequential.from_config(config)
