"""Parity with scikit-learn: the same seed gives the same weights, to rounding."""

import warnings
from typing import Any

import numpy as np
import pytest
import sklearn.neural_network
from tests.estimators.helpers import classes, continuous, labels

import handloom

PROBLEMS = {
    "two classes": ("MLPClassifier", classes(2)),
    "three classes": ("MLPClassifier", classes(3)),
    "labels": ("MLPClassifier", labels()),
    "one target": ("MLPRegressor", continuous()),
    "two targets": ("MLPRegressor", continuous(2)),
}
WAYS: dict[str, dict[str, Any]] = {
    "adam": {},
    "batches": {"batch_size": 37, "shuffle": False, "activation": "tanh"},
    "no momentum": {"solver": "sgd", "momentum": 0},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "nesterov": {"solver": "sgd", "alpha": 0.1},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5},
    "early stopping": {"early_stopping": True, "learning_rate_init": 0.01, "n_iter_no_change": 3},
    # a line search near a kink makes much of a rounding, so this one is smooth
    "lbfgs": {"solver": "lbfgs", "alpha": 0.1, "max_iter": 6, "activation": "tanh"},
    "logistic": {"activation": "logistic", "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
    "identity": {"activation": "identity", "hidden_layer_sizes": (4,), "tol": 1e-2},
}


def both(kind: str, X: Any, y: Any, sample_weight: Any = None, **options: Any) -> tuple[Any, Any]:
    options = {"random_state": 3, "max_iter": 30, "hidden_layer_sizes": (8, 6), **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = getattr(sklearn.neural_network, kind)(**options).fit(X, y, sample_weight)
        ours = getattr(handloom, kind)(**options).fit(X, y, sample_weight)
    return theirs, ours


def assert_same(theirs: Any, ours: Any) -> None:
    assert (ours.n_iter_, ours.t_, ours.n_layers_) == (theirs.n_iter_, theirs.t_, theirs.n_layers_)
    assert (ours.out_activation_, ours.n_outputs_) == (theirs.out_activation_, theirs.n_outputs_)
    for name in ("coefs_", "intercepts_"):
        for mine, other in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            assert mine.dtype == other.dtype
            np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-11)


# with several outputs their line search evaluates another loss than the one of the gradient
BOTH = [(a, b) for a in PROBLEMS for b in WAYS if (a, b) != ("two targets", "lbfgs")]


@pytest.mark.parametrize(("problem", "way"), BOTH)
def test_the_same_seed_gives_the_same_weights(problem: str, way: str) -> None:
    kind, (X, y) = PROBLEMS[problem]
    theirs, ours = both(kind, X, y, **WAYS[way])
    assert_same(theirs, ours)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-8)
    if problem != "two targets":  # whose loss is not the one of their gradient
        assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-9)
    if kind == "MLPClassifier":
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-8)
    if way == "early stopping":
        np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, rtol=1e-8)
        assert ours.best_validation_score_ == pytest.approx(theirs.best_validation_score_)
        assert ours.best_loss_ is None


@pytest.mark.parametrize("way", ["adam", "early stopping", "lbfgs"])
def test_sample_weights_count_as_theirs_do(way: str) -> None:
    X, y = classes(2)
    weights = np.random.default_rng(1).uniform(0.1, 3.0, len(X))
    theirs, ours = both("MLPClassifier", X, y, weights, **WAYS[way])
    assert_same(theirs, ours)


def test_the_adaptive_rate_falls_as_theirs_does() -> None:
    X, y = classes(2)
    options = {"solver": "sgd", "learning_rate": "adaptive", "tol": 1e-2, "max_iter": 100}
    theirs, ours = both(
        "MLPClassifier", X, y, learning_rate_init=0.1, n_iter_no_change=2, **options
    )
    assert_same(theirs, ours)
    assert ours.n_iter_ < 100


def test_poisson_is_theirs() -> None:
    X, y = continuous()
    theirs, ours = both("MLPRegressor", X, np.exp(y), loss="poisson")
    assert_same(theirs, ours)
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-9)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-9)


@pytest.mark.parametrize("hidden", [(), (4,)])
def test_layers_of_sigmoids_start_as_theirs_do(hidden: tuple[int, ...]) -> None:
    X, y = classes(3)
    theirs, ours = both("MLPClassifier", X, y, hidden_layer_sizes=hidden, activation="logistic")
    assert_same(theirs, ours)


def test_weights_put_there_by_hand_predict() -> None:
    X, y = continuous()
    theirs, _ = both("MLPRegressor", X, y)
    ours = handloom.MLPRegressor(hidden_layer_sizes=(8, 6))
    ours.coefs_, ours.intercepts_ = theirs.coefs_, theirs.intercepts_
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-9)


def test_float32_stays_float32() -> None:
    X, y = classes(3)
    theirs, ours = both("MLPClassifier", X.astype(np.float32), y)
    assert {array.dtype for array in ours.coefs_} == {np.dtype(np.float32)}
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)


def test_partial_fit_goes_the_same_way() -> None:
    X, y = classes(3)
    theirs = sklearn.neural_network.MLPClassifier((8,), random_state=3)
    ours = handloom.MLPClassifier((8,), random_state=3)
    for estimator in (theirs, ours):
        for _ in range(5):
            estimator.partial_fit(X, y, classes=[0, 1, 2])
    for mine, other in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-11)
    assert ours.t_ == theirs.t_
    assert len(ours.loss_curve_) == len(theirs.loss_curve_)


def test_every_parameter_and_default_of_theirs_is_there() -> None:
    for kind in ("MLPClassifier", "MLPRegressor"):
        theirs = getattr(sklearn.neural_network, kind)().get_params()
        ours = getattr(handloom, kind)().get_params()
        assert theirs.items() <= ours.items()
