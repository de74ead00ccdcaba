"""The contents of a network: its layers, their outputs for some rows, its weights, in and out."""

import threading
from functools import partial
from typing import Any

import numpy as np
import pytest

from handloom import (
    Adam,
    BatchNorm,
    Callback,
    Dense,
    Dropout,
    ModelError,
    ReLU,
    Sequential,
    Trainer,
    moons,
)
from handloom.data.transforms import Scale
from handloom.walkthroughs import walkthrough


def network(seed: int = 0) -> Sequential:
    layers = [Dense(4), BatchNorm(), ReLU(), Dropout(0.5), Dense(2)]
    return Sequential(layers).build((3,), seed=seed)


X = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)


def test_layers_are_reached_by_index_name_and_slice() -> None:
    made = network()
    assert len(made) == 5
    assert list(made) == list(made.layers)
    assert made[0] is made.layers[0]
    assert made[-1] is made["4.dense"] is made.layers[4]
    assert made[np.int64(2)] is made.layers[2]
    assert made[1:3] == made.layers[1:3]
    assert made[0] in made


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (5, "layer 5 does not exist: there are 5 layers"),
        (-6, "layer -6 does not exist"),
        ("4.dens", "unknown layer '4.dens'; .* Did you mean '4.dense'"),
        (1.0, r"index, its name or a slice, got 1.0: network\[0\]"),
        (True, "got True"),
    ],
)
def test_a_layer_that_is_not_there_is_named(key: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        network()[key]


def test_an_index_beyond_the_last_layer_is_an_index_error_too() -> None:
    with pytest.raises(IndexError):
        network()[5]


def test_activations_are_the_outputs_of_every_layer_in_evaluation() -> None:
    made = network()
    outputs = made.activations(X)
    assert list(outputs) == [name for name, _ in made.named_layers()]
    x = X
    for name, layer in made.named_layers():
        x = layer.forward(x)
        assert np.array_equal(outputs[name], x)
    assert np.array_equal(outputs["4.dense"], made.predict(X))
    assert np.array_equal(outputs["3.dropout"], outputs["2.relu"])  # nothing is dropped


def test_activations_are_the_callers_own() -> None:
    made, x = network(), X.copy()
    outputs = made.activations(x)
    outputs["2.relu"][...] = -1.0
    assert (outputs["3.dropout"] >= 0.0).all()
    assert np.array_equal(x, X)


def test_the_table_of_activations_shows_names_and_shapes() -> None:
    assert repr(network().activations(X)).splitlines() == [
        "array           shape               dtype",
        "0.dense         (5, 4)              float32",
        "1.batch_norm    (5, 4)              float32",
        "2.relu          (5, 4)              float32",
        "3.dropout       (5, 4)              float32",
        "4.dense         (5, 2)              float32",
    ]


def test_the_table_shows_the_values_of_small_arrays() -> None:
    made = Sequential([Dense(2)]).build((2,), dtype=np.float64)
    made.set_weights([[[1.0, 0.0], [0.0, 1 / 3]], [0.0, -0.0]])
    assert repr(made.activations([[1.0, 2.0]])).splitlines() == [
        "array           shape               dtype     values",
        "0.dense         (1, 2)              float64   [[1, 0.6667]]",
    ]


def test_bytes_without_a_transform_get_a_warning() -> None:
    made = Sequential([Dense(2)]).build((3,))
    rows = np.array([[0, 128, 255], [1, 0, 0]], np.uint8)
    for call in (made.activations, made.predict, partial(walkthrough, made, y=[0, 1])):
        with pytest.warns(
            UserWarning, match=r"x has bytes.*Pass transform=model\.transform"
        ) as seen:
            call(rows)
        assert seen[0].filename == __file__
    made.activations(rows > 0)  # 0 and 1
    made.activations((rows > 0).astype(np.uint8))
    made.activations(rows.astype(np.float32))


def test_rows_of_another_shape_and_the_same_size_get_the_way_out() -> None:
    made = Sequential([Dense(2)]).build((12,))
    images = np.zeros((5, 3, 4), np.uint8)
    remedy = r"pass transform=model\.transform for rows of a dataset, or x\.reshape\(\(-1, 12\)\)"
    with pytest.raises(ModelError, match=remedy):
        made.predict(images)
    with pytest.raises(ModelError, match=r"a single row is x\.reshape\(\(1, 12\)\)"):
        made.activations(images[0])


def test_activations_of_raw_rows_need_the_transform() -> None:
    made = Sequential([Dense(4), ReLU(), Dense(2)]).build((12,))
    raw = np.random.default_rng(0).integers(0, 256, (6, 3, 4), dtype=np.uint8)
    with pytest.raises(ModelError, match=r"rows of shape \(12,\), got rows of shape \(3, 4\)"):
        made.activations(raw)
    outputs = made.activations(raw, Scale())
    assert np.array_equal(outputs["2.dense"], made.predict(raw, Scale()))


def test_a_single_row_and_a_network_that_is_not_built_are_refused() -> None:
    with pytest.raises(ModelError, match=r"got a single row: pass x\[None\]"):
        network().activations(X[0])
    with pytest.raises(ModelError, match="build the network first"):
        Sequential([Dense(2)]).activations(X)
    with pytest.raises(ModelError, match="build the network first"):
        Sequential([Dense(2)]).get_weights()


def test_weights_are_copies_with_running_statistics() -> None:
    made = network()
    weights = made.get_weights()
    assert list(weights) == list(made.parameters.weights)
    assert any("1.batch_norm" in name for name in weights)
    before = made.parameters.values.copy()
    for array in weights.values():
        array[...] = 7.0
    assert np.array_equal(made.parameters.values, before)


@pytest.mark.parametrize("as_list", [False, True])
def test_weights_of_one_network_make_another_the_same(as_list: bool) -> None:
    one, other = network(0), network(1)
    vector, weights = other.parameters.vector, one.get_weights()
    passed = list(weights.values()) if as_list else dict(reversed(weights.items()))
    other.set_weights(passed)
    assert other.parameters.vector is vector
    assert np.array_equal(other.parameters.values, one.parameters.values)
    assert np.array_equal(other.predict(X), one.predict(X))
    weights["0.dense.weights"][...] = 0.0
    assert other.parameters.weights["0.dense.weights"].any()


def test_whole_numbers_and_wider_floats_become_the_networks_dtype() -> None:
    made = Sequential([Dense(2)]).build((3,))
    made.set_weights({"0.dense.weights": [[1, 2], [3, 4], [5, 6]], "0.dense.biases": np.ones(2)})
    assert made.parameters.vector.dtype == np.float32
    assert made.predict(np.ones((1, 3))).tolist() == [[10.0, 13.0]]


BAD: list[tuple[Any, str]] = [
    ({"0.dense.weight": np.ones((3, 2))}, "Did you mean '0.dense.weights'"),
    ({"0.dense.weights": np.ones((3, 2))}, r"'0.dense.biases' is missing, expected shape \(2,\)"),
    ([np.ones((3, 2))], "must hold 2 arrays, in the order 0.dense.weights, 0.dense.biases; got 1"),
    ([np.ones((3, 2)), np.ones(3)], r"'0.dense.biases' must have shape \(2,\), got \(3,\)"),
    ([np.ones((3, 2)), [1.0, np.nan]], "'0.dense.biases' must be finite in float32"),
    ([np.ones((3, 2)), [1.0, 1e300]], "'0.dense.biases' must be finite in float32"),
    ([np.ones((3, 2)), [1.0, 1j]], "must hold real numbers, got dtype complex128"),
    ([np.ones((3, 2)), [True, False]], "must hold real numbers, got dtype bool"),
    ([np.ones((3, 2)), [[1.0], [1.0, 2.0]]], r"'0.dense.biases' must have shape \(2,\)"),
    (np.ones(8), "a mapping of names to arrays, .* got ndarray"),
    (Sequential([Dense(2)]).build((3,)), r"got Sequential: pass its get_weights\(\)"),
]


@pytest.mark.parametrize(("weights", "message"), BAD)
def test_wrong_weights_are_refused_and_nothing_is_set(weights: Any, message: str) -> None:
    made = Sequential([Dense(2)]).build((3,))
    before = made.parameters.values.copy()
    with pytest.raises(ModelError, match=message):
        made.set_weights(weights)
    assert np.array_equal(made.parameters.values, before)


def test_weights_are_not_set_under_a_training_in_another_thread() -> None:
    made = Sequential([Dense(2)]).build((2,))
    errors: list[str] = []

    def set_them() -> None:
        try:
            made.set_weights(made.get_weights())
        except ModelError as error:
            errors.append(str(error))

    class FromAnotherThread(Callback):
        def on_epoch_end(self, **_: Any) -> None:
            thread = threading.Thread(target=set_them)
            thread.start()
            thread.join()

    trainer = Trainer(made, Adam(), 0.1, epochs=1, callbacks=[FromAnotherThread()])
    trainer.fit(moons(20).train)
    assert len(errors) == 1
    assert "set weights when that one has ended" in errors[0]


def test_training_goes_on_with_weights_that_were_set() -> None:
    made = Sequential([Dense(2)]).build((2,))
    data, start = moons(20).train, made.get_weights()
    Trainer(made, Adam(), 0.1, epochs=1).fit(data)
    trained = made.parameters.values.copy()
    made.set_weights(start)
    Trainer(made, Adam(), 0.1, epochs=1).fit(data)
    assert np.array_equal(made.parameters.values, trained)
