"""A check leaves its subject as it is, and refuses invalid arguments."""

import numpy as np
import pytest
from tests.gradcheck.helpers import TARGETS, X, network
from tests.helpers.own_layers import Drop, Rng

from handloom import (
    CategoricalCrossEntropy,
    ConfigurationError,
    DataError,
    Dense,
    MeanSquaredError,
    ModelError,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
    check_gradients,
)
from handloom.parameters import Array


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_network_is_left_as_it_is(dtype: type) -> None:
    made = network(weights_l1=0.1).build((5,), dtype=dtype)
    x: Array = X.astype(dtype)
    _, dy = CategoricalCrossEntropy()(made.forward(x, training=True), TARGETS)
    made.backward(dy)
    before = made.parameters.vector.copy(), made.parameters.gradient.copy()
    assert check_gradients(made, x, TARGETS).ok
    assert np.array_equal(x, X.astype(dtype))
    assert np.array_equal(made.parameters.vector, before[0])
    assert np.array_equal(made.parameters.gradient, before[1])
    made.backward(dy)  # the state of the training pass is unchanged
    assert np.array_equal(made.parameters.gradient, before[1])
    assert made.parameters.dtype == dtype


def test_what_is_not_built_stays_so() -> None:
    layer, made = Dense(3), network()
    check_gradients(layer, X)
    check_gradients(made, X, TARGETS)
    assert not layer.weights
    with pytest.raises(ModelError, match="build the network"):
        _ = made.parameters


def test_the_weights_of_a_built_network_are_the_ones_that_are_checked() -> None:
    made = Sequential([Dense(5)]).build((5,), dtype=np.float64, seed=7)
    made.parameters.vector *= 5.0
    loss = SoftmaxCrossEntropy()
    made.backward(loss(made.forward(X, training=True), TARGETS)[1])
    row = check_gradients(made, X, TARGETS, thorough=True).rows[0]
    norm = np.linalg.norm(made.parameters.gradients["0.dense.weights"])
    assert row.analytic == pytest.approx(norm, rel=0.1)  # at perturbed values


def test_a_network_that_is_sure_of_itself_is_not_called_wrong() -> None:
    made = Sequential([Dense(5)]).build((5,))
    made.parameters.vector[...] = 0.0
    made.parameters.weights["0.dense.biases"][...] = [50.0, 0.0, 0.0, 0.0, 0.0]
    report = check_gradients(made, X, np.zeros(6, int), thorough=True)
    assert report.ok, report
    assert {row.verdict for row in report.rows} == {"ok, tiny"}


def test_the_fast_mode_takes_a_constant_number_of_passes() -> None:
    class Counting(Dense):
        passes = 0

        def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
            type(self).passes += 1
            return super().forward(x, training=training)

    counts = []
    for units in (20, 400):
        Counting.passes = 0
        assert check_gradients(Counting(units), X).ok
        counts.append(Counting.passes)
    assert counts[0] == counts[1] < 120


def test_the_same_seed_gives_the_same_table() -> None:
    first, again, other = (str(check_gradients(Drop(), X, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_a_name_stands_for_a_loss() -> None:
    made = Sequential([Dense(5)])
    by_name, by_loss = (
        str(check_gradients(made, X, X, loss=loss))
        for loss in ("mean_squared_error", MeanSquaredError())
    )
    assert by_name == by_loss


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((ReLU(), X, TARGETS), {}, ConfigurationError, "targets must be None for a layer"),
        ((ReLU(), X), {"loss": SoftmaxCrossEntropy()}, ConfigurationError, "^loss must be None"),
        ((network(), X), {}, ConfigurationError, "targets must be given"),
        ((SoftmaxCrossEntropy(), X), {}, ConfigurationError, "targets must be given"),
        (
            (SoftmaxCrossEntropy(), X, TARGETS),
            {"loss": SoftmaxCrossEntropy()},
            ConfigurationError,
            "loss must be None if the subject is a loss",
        ),
        ((network(), X, X), {}, ConfigurationError, "continuous targets need a loss: pass loss="),
        ((network(), X, X[:, 0]), {}, ConfigurationError, r"such as MeanSquaredError\(\); classes"),
        (
            (network(), X, TARGETS),
            {"loss": "mean_square_error"},
            ConfigurationError,
            "Did you mean 'mean_squared_error'",
        ),
        (
            (network(), X, TARGETS),
            {"loss": SoftmaxCrossEntropy},
            ConfigurationError,
            r"loss must be an instance, .* pass SoftmaxCrossEntropy\(\)",
        ),
        ((network(), X, TARGETS), {"loss": 3}, ConfigurationError, "loss must be a loss such as"),
        ((ReLU, X), {}, ConfigurationError, "must be a layer, a loss or a network"),
        ((3, X), {}, ConfigurationError, "must be a layer, a loss or a network, got 3"),
        ((ReLU(), X[:0]), {}, DataError, "at least one row"),
        ((ReLU(), X[0]), {}, DataError, "at least one row"),
        ((ReLU(), X * np.nan), {}, DataError, "NaN"),
        ((ReLU(), X), {"tolerance": 0.0}, ConfigurationError, "tolerance must be"),
        ((ReLU(), X), {"seed": -1}, ConfigurationError, "seed must be"),
        ((Sequential([ReLU()]), X, TARGETS), {}, ModelError, "no weights"),
        ((network().build((4,)), X, TARGETS), {}, ModelError, r"must have rows of shape \(4,\)"),
        ((network(), X, TARGETS + 1), {}, DataError, "class indices"),
    ],
)
def test_invalid_arguments_are_refused(
    arguments: tuple[object, ...], options: dict[str, object], error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        check_gradients(*arguments, **options)  # type: ignore[arg-type]
