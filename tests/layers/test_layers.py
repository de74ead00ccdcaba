"""The contract of every layer, against a reference; and promises of single layers."""

import numpy as np
import pytest
from tests.layers.cases import CASES, Case

from handloom import Dense, ModelError, ReLU, Softmax, build, check_gradients
from handloom.errors import ConfigurationError
from handloom.layers import LAYERS
from handloom.testing import check_layer


@pytest.fixture(params=sorted(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def test_every_layer_keeps_the_contract(case: Case) -> None:
    assert check_layer(case.make(), case.x, case.reference).ok


def test_every_gradient_is_right_in_each_entry(case: Case) -> None:
    report = check_gradients(case.make(), case.x, thorough=True)
    assert report.ok, report


def test_no_layer_is_forgotten() -> None:
    assert set(CASES) == set(LAYERS)


def test_backward_without_a_training_pass_is_refused(case: Case) -> None:
    layer = case.make()
    build([layer], case.x.shape[1:], dtype=np.float64)
    y = layer.forward(case.x)
    with pytest.raises(ModelError, match="training=True"):
        layer.backward(y)


def test_a_replica_shares_no_memory_of_a_training_pass(case: Case) -> None:
    layer = case.make()
    build([layer], case.x.shape[1:], dtype=np.float64)
    before = vars(layer.replica())
    layer.forward(case.x, training=True, rng=np.random.default_rng(0))
    after, own = vars(layer.replica()), vars(layer)
    assert after.keys() == before.keys()
    assert not [name for name in after if after[name] is own.get(name) is not before[name]]


def test_a_layer_that_is_bound_anew_has_no_memory_of_a_training_pass(case: Case) -> None:
    layer = case.make()
    build([layer], case.x.shape[1:], dtype=np.float64)
    names = vars(layer).keys() - {"_saved"}
    layer.forward(case.x, training=True, rng=np.random.default_rng(0))
    layer.bind(layer.weights, layer.gradients)
    assert layer._saved is None
    assert vars(layer).keys() - {"_saved"} == names


def test_dense_is_x_times_w_plus_b() -> None:
    dense = Dense(2)
    build([dense], (3,), dtype=np.float64)
    dense.weights["weights"][...] = [[1, 2], [3, 4], [5, 6]]
    dense.weights["biases"][...] = [10, 20]
    assert dense.forward(np.array([[1.0, 0.0, -1.0]])).tolist() == [[6.0, 16.0]]


def test_relu_cuts_at_zero_and_lets_nan_through() -> None:
    y = ReLU().forward(np.array([[-1.0, 0.0, 2.0, np.nan]]))
    assert y[0, :3].tolist() == [0.0, 0.0, 2.0]
    assert np.isnan(y[0, 3])


def test_relu_has_slope_zero_at_zero() -> None:
    relu = ReLU()
    relu.forward(np.zeros((1, 2)), training=True)
    assert relu.backward(np.ones((1, 2))).tolist() == [[0.0, 0.0]]  # type: ignore[union-attr]


def test_softmax_rows_sum_to_one_however_large_the_logits() -> None:
    y = Softmax().forward(np.array([[1e30, 0.0, -1e30], [1.0, 1.0, 1.0]]))
    assert np.allclose(y.sum(axis=1), 1.0)
    assert np.allclose(y, [[1.0, 0.0, 0.0], [1 / 3] * 3])


@pytest.mark.parametrize("units", [0, -3, 2.5, "8", True, None])
def test_dense_refuses_sizes_that_mean_nothing(units: object) -> None:
    with pytest.raises(ConfigurationError, match="units must be a whole number"):
        Dense(units)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["weights_l1", "weights_l2", "biases_l1", "biases_l2"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_dense_refuses_strengths_that_mean_nothing(name: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Dense(3, **{name: value})  # type: ignore[arg-type]


def test_dense_refuses_rows_of_another_width() -> None:
    dense = Dense(2)
    build([dense], (3,))
    with pytest.raises(ModelError, match="3 columns"):
        dense.forward(np.zeros((1, 4), np.float32))


def test_dense_without_weights_says_so() -> None:
    with pytest.raises(ModelError, match="build"):
        Dense(2).forward(np.zeros((1, 4), np.float32))
