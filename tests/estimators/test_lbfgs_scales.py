"""`solver="lbfgs"` fits targets of any size, in float32 as in float64, or warns."""

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as TheirClassifier, MLPRegressor as TheirRegressor

from handloom import MLPClassifier, MLPRegressor, NetworkRegressor
from handloom.estimators.lbfgs import minimize
from handloom.layers import Dense
from handloom.network import Sequential
from handloom.training.objective import Measurement

X = np.random.default_rng(0).normal(size=(300, 5))
SIGNAL = np.sin(X[:, 0]) + X[:, 1]
OPTIONS: dict[str, Any] = {"solver": "lbfgs", "random_state": 0, "max_iter": 300}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("center", "spread"), [(0.0, 1.0), (0.0, 1e4), (1e4, 1e3), (1e8, 1e7), (0.0, 1e12)]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.slow
def test_large_targets_are_fitted_as_well_as_in_scikit_learn(
    dtype: Any, center: float, spread: float
) -> None:
    y = center + spread * SIGNAL
    theirs = TheirRegressor(hidden_layer_sizes=(20,), **OPTIONS).fit(X, y).score(X, y)
    ours = MLPRegressor(hidden_layer_sizes=(20,), **OPTIONS).fit(X.astype(dtype), y.astype(dtype))
    assert theirs > 0.98  # float64
    assert ours.coefs_[0].dtype == dtype
    assert ours.score(X.astype(dtype), y) == pytest.approx(theirs, abs=0.005)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tiny_targets_end_where_the_gradient_is_below_tol_as_in_scikit_learn(dtype: Any) -> None:
    y = 1e-8 * SIGNAL
    theirs = TheirRegressor(hidden_layer_sizes=(20,), **OPTIONS).fit(X, y)
    ours = MLPRegressor(hidden_layer_sizes=(20,), **OPTIONS)
    with pytest.warns(ConvergenceWarning, match="scale the targets"):
        ours.fit(X.astype(dtype), y.astype(dtype))
    assert ours.n_iter_ == theirs.n_iter_ < 300
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=0.01)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_classes_are_found_in_unscaled_rows_as_in_scikit_learn(dtype: Any) -> None:
    classes = np.digitize(SIGNAL, [-1.0, 0.0, 1.0])
    rows = 1e3 * X
    theirs = TheirClassifier((20,), **OPTIONS).fit(rows, classes).score(rows, classes)
    rows = rows.astype(dtype)
    ours = MLPClassifier((20,), **OPTIONS).fit(rows, classes).score(rows, classes)
    assert ours >= theirs - 0.02


def test_a_fit_that_finds_no_way_down_warns() -> None:
    y = 1e18 * SIGNAL
    with pytest.warns(ConvergenceWarning, match="lbfgs failed to converge after 0 iteration"):
        made = MLPRegressor(hidden_layer_sizes=(20,), **OPTIONS).fit(X, y)
    assert made.score(X, y) < 0.1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_another_fit_from_the_minimum_does_not_warn(dtype: Any) -> None:
    y = (1e8 + 1e7 * SIGNAL).astype(dtype)
    made = MLPRegressor(hidden_layer_sizes=(20,), warm_start=True, **OPTIONS)
    for _ in range(3):  # each goes on until the loss no longer falls
        loss = made.fit(X.astype(dtype), y).loss_
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = made.fit(X.astype(dtype), y)
    assert again.n_iter_ < OPTIONS["max_iter"]
    assert again.loss_ <= loss


@pytest.mark.parametrize(("option", "value"), [("max_iter", 3), ("max_fun", 5)])
def test_a_limit_that_ends_a_fit_is_named(option: str, value: int) -> None:
    made = MLPRegressor(hidden_layer_sizes=(20,), **OPTIONS | {option: value})
    with pytest.warns(ConvergenceWarning, match=rf"Increase {option} \(now {value}\)"):
        made.fit(X, SIGNAL)
    assert made.n_iter_ <= value


def test_a_search_that_stops_far_from_a_minimum_says_so() -> None:
    parameters = Sequential([Dense(1)]).build((3,), dtype=np.float64, seed=0).parameters

    def measure() -> Measurement:  # in float32, where no small step changes a weight
        distance = 1e14 - parameters.vector.astype(np.float32)
        parameters.gradient[...] = -distance
        return Measurement(float(distance @ distance) / 2.0, 0.0, 0, 1, 1.0)

    options: dict[str, Any] = {"max_iter": 50, "max_fun": 1000, "tol": 1e-4, "verbose": False}
    minimum = minimize(measure, parameters, interrupted=lambda: False, **options)
    assert minimum.loss > 1e27
    assert minimum.failure is not None
    assert "gradient of up to 1e+14, expected at most tol=0.0001" in minimum.failure


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_frozen_layers_of_a_float32_network_keep_their_bits() -> None:
    built = Sequential([Dense(8), Dense(1)]).build((5,), seed=0).freeze("0.dense")
    before = built.parameters.weights["0.dense.weights"].copy()
    made = NetworkRegressor(lambda _: built, **OPTIONS)
    made.fit(X.astype(np.float32), SIGNAL.astype(np.float32))
    weights = made.network_.parameters.weights
    assert weights["1.dense.weights"].dtype == np.float32
    np.testing.assert_array_equal(weights["0.dense.weights"], before)
    assert made.score(X.astype(np.float32), SIGNAL) > 0.5
