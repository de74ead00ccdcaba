"""Networks: building, running, gradients with the penalty, prediction, configuration."""

import copy
import pickle
import threading
from collections.abc import Callable

import numpy as np
import pytest
from tests.helpers.gradients import Float64, relative_error
from tests.helpers.networks import network

from handloom import (
    BatchNorm,
    CategoricalCrossEntropy,
    Dense,
    ModelError,
    ReLU,
    Residual,
    Sequential,
    SoftmaxCrossEntropy,
    Tanh,
    build,
    check_gradients,
)
from handloom.errors import ConfigurationError
from handloom.layers import softmax as probabilities

X = np.random.default_rng(0).standard_normal((8, 6))
TARGETS = np.array([0, 1, 2, 0, 1, 2, 0, 1])


@pytest.mark.parametrize("softmax", [True, False])
def test_gradient_with_penalty_agrees_with_central_differences(softmax: bool) -> None:
    made = network(
        softmax=softmax, weights_l1=0.01, weights_l2=0.02, biases_l1=0.03, biases_l2=0.04
    )
    report = check_gradients(made, X, TARGETS, thorough=True)
    assert report.ok, report


def test_a_network_predicts_the_output_of_its_last_layer() -> None:
    with_softmax, without = network(), network(softmax=False)
    assert np.array_equal(with_softmax.predict(X), probabilities(without.predict(X)))
    assert np.array_equal(with_softmax.without_activation("softmax").predict(X), without.predict(X))
    assert without.without_activation("softmax") is without
    assert with_softmax.without_activation("identity") is with_softmax


def test_prediction_in_batches_equals_prediction_at_once() -> None:
    made = network()
    many = np.random.default_rng(2).standard_normal((2500, 6))
    alone = np.vstack([made.predict(row[None]) for row in many[:1100:100]])
    assert relative_error(made.predict(many)[:1100:100], alone) < 1e-14
    assert made.predict(many).shape == (2500, 3)


def test_threads_may_predict_at_once() -> None:
    made = network()
    many = np.random.default_rng(2).standard_normal((3000, 6))
    expected = made.predict(many)
    predictions: list[Float64] = []
    threads = [
        threading.Thread(target=lambda: predictions.append(made.predict(many)))  # type: ignore[arg-type]
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(result, expected) for result in predictions)


def test_prediction_leaves_a_training_pass_as_it_was() -> None:
    made = network()
    _, dy = CategoricalCrossEntropy()(made.forward(X, training=True), TARGETS)
    made.backward(dy)
    expected = made.parameters.gradient.copy()
    made.forward(X, training=True)
    made.predict(X[:2])
    made.backward(dy)
    assert np.array_equal(made.parameters.gradient, expected)


def test_a_replica_shares_weights_and_nothing_else() -> None:
    made = network()
    replica = made.replica()
    made.parameters.vector += 1.0
    assert np.array_equal(made.predict(X), replica.predict(X))
    replica.forward(X, training=True)
    replica.backward(np.ones((8, 3)))
    assert replica.parameters.gradient.any()
    assert not made.parameters.gradient.any()


def test_a_network_is_made_again_from_its_configuration() -> None:
    made = network(weights_l2=0.5)
    again = Sequential.from_config(made.config())
    assert again.config() == made.config()
    again.parameters.load(made.parameters.weights)
    assert np.array_equal(again.predict(X), made.predict(X))


def test_a_summary_names_layers_shapes_and_parameters() -> None:
    made = network()
    assert made.summary() == [
        ("0.dense", (5,), 35),
        ("1.relu", (5,), 0),
        ("2.dense", (3,), 18),
        ("3.softmax", (3,), 0),
    ]
    assert "53" in repr(made)


def test_bare_layers_learn_when_driven_by_hand() -> None:
    hidden, relu, output = Dense(8), ReLU(), Dense(3)
    parameters = build([hidden, relu, output], (6,), seed=0, dtype=np.float64)
    loss, losses = SoftmaxCrossEntropy(), []
    for _ in range(50):
        h = relu.forward(hidden.forward(X, training=True), training=True)
        value, dlogits = loss(output.forward(h, training=True), TARGETS)
        hidden.backward(relu.backward(output.backward(dlogits)))  # type: ignore[arg-type]
        parameters.vector -= 0.5 * parameters.gradient
        losses.append(value)
    assert losses[-1] < 0.2 * losses[0]


def test_mistakes_are_named() -> None:
    made = network()
    with pytest.raises(ModelError, match=r"rows of shape \(6,\), got rows of shape \(7,\)"):
        made.predict(np.zeros((2, 7)))
    with pytest.raises(ModelError, match="build the network first"):
        Sequential([Dense(2)]).predict(X)
    with pytest.raises(ModelError, match="at least one layer"):
        Sequential([])
    relu = ReLU()
    with pytest.raises(ModelError, match="only once"):
        Sequential([relu, Dense(2), relu])
    with pytest.raises(ModelError, match="must be flat"):
        Sequential([Dense(2)]).build((3, 3))
    with pytest.raises(ModelError, match="float32 or float64"):
        Sequential([Dense(2)]).build((3,), dtype=np.float16)
    with pytest.raises(ConfigurationError, match="whole number"):
        Sequential([Dense(2)]).build((0,))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": [{"kind": "dens", "units": 3}]}, r"unknown layer 'dens'.*Did you mean 'dense'"),
        ({"layers": [{"kind": "dense", "unit": 3}]}, "layer 'dense'.*unit"),
        ({"layers": 3}, "invalid configuration of a network"),
        ({"dtype": "float12"}, "invalid configuration of a network"),
    ],
)
def test_a_configuration_that_is_not_known_is_refused(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        Sequential.from_config({**network().config(), **change})


def test_a_layer_of_ones_own_is_known_by_the_name_it_is_given() -> None:
    class Double(ReLU):
        kind = "double"

    made = Sequential([Dense(2), Double()]).build((3,))
    with pytest.raises(ModelError, match="unknown layer 'double'"):
        Sequential.from_config(made.config())
    again = Sequential.from_config(made.config(), {"double": Double})
    assert isinstance(again.layers[1], Double)


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))],  # noqa: S301
)
def test_a_copy_of_a_network_is_whole_and_apart(copied: Callable[[Sequential], Sequential]) -> None:
    layers = [Dense(6), BatchNorm(), Residual([Dense(6), Tanh()]), Dense(3)]
    made = Sequential(layers).build((4,), seed=3, dtype=np.float64)
    x = np.random.default_rng(0).standard_normal((8, 4))
    made.forward(x, training=True)
    replica = copied(made)
    assert np.array_equal(replica.forward(x), made.forward(x))
    assert replica.config() == made.config()
    replica.parameters.vector[:] = 0.0  # its layers use its own vector only
    assert not replica.forward(x).any()
    assert made.forward(x).any()
    unbuilt = copied(Sequential([Dense(3)]))
    with pytest.raises(ModelError, match="build the network first"):
        _ = unbuilt.parameters


@pytest.mark.parametrize("method", ["forward", "backward", "predict", "replica"])
def test_a_subclass_that_overrides_a_pass_is_refused_since_training_would_ignore_it(
    method: str,
) -> None:
    mixin = type("Mixin", (), {method: lambda *_, **__: None})
    with pytest.raises(ModelError, match=f"Mine must not override {method} of Sequential"):
        type("Mine", (mixin, Sequential), {})


def test_a_subclass_may_choose_the_layers() -> None:
    class Small(Sequential):
        def __init__(self, units: int) -> None:
            super().__init__([Dense(units), ReLU()])

    assert Small(3).build((4,)).output_shape == (3,)


class Named(Sequential):
    """A network with attributes of its own, one of which cannot be copied."""

    def __init__(self, units: int) -> None:
        self.units, self.names, self.lock = units, ("a", "b"), threading.Lock()
        super().__init__([Dense(units), ReLU(), Dense(2)])


@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))],  # noqa: S301
)
def test_a_copy_of_a_subclass_keeps_its_plain_attributes(
    copied: Callable[[Named], Named], built: bool
) -> None:
    made = Named(3)
    if built:
        made.build((4,))
    replica = copied(made)
    assert type(replica) is Named
    assert (replica.units, replica.names) == (3, ("a", "b"))
    assert not hasattr(replica, "lock")
    if built:
        np.testing.assert_array_equal(replica.parameters.values, made.parameters.values)
