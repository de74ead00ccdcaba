"""Losses of the estimators, by name and by object; quantiles that never cross."""

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import d2_pinball_score, mean_pinball_loss, r2_score
from sklearn.model_selection import GridSearchCV
from tests.estimators.helpers import (
    classes,
    classifier,
    column,
    continuous,
    labels,
    plain_network,
    regressor,
)

from handloom import (
    BinaryCrossEntropy,
    Huber,
    MeanAbsoluteError,
    MLPRegressor,
    NetworkClassifier,
    NetworkRegressor,
    Pinball,
    SoftmaxCrossEntropy,
)
from handloom.losses import RowLoss
from handloom.losses.outputs import OutputLoss
from handloom.parameters import Array

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = continuous(rows=200)
HELD, GOALS = continuous(rows=50, seed=1)
QUANTILES = (0.1, 0.5, 0.9)


class LogCosh(OutputLoss):
    """A loss of the caller's own."""

    def row_losses(self, predictions: Array, targets: Any, gradient: Array) -> Array:
        errors = predictions - targets
        np.tanh(errors, out=gradient)
        gradient *= 1.0 / errors.shape[1]
        return np.asarray(np.log(np.cosh(errors)).mean(axis=1, dtype=np.float64))


NAMED: dict[str, RowLoss] = {
    "absolute_error": MeanAbsoluteError(),
    "huber": Huber(),
    "quantile": Pinball(0.8),
}


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("name", NAMED)
def test_a_name_is_the_loss_of_that_name(name: str, solver: str) -> None:
    options: dict[str, Any] = {"quantile": 0.8} if name == "quantile" else {}
    named = regressor(loss=name, solver=solver, **options).fit(X, Y)
    by_object = regressor(loss=NAMED[name], solver=solver).fit(X, Y)
    assert np.array_equal(named.predict(X), by_object.predict(X))
    assert named.loss_ == by_object.loss_
    plain = regressor(solver=solver).fit(X, Y)
    assert not np.array_equal(named.predict(X), plain.predict(X))


def test_the_absolute_error_ignores_outliers() -> None:
    y = Y.copy()
    y[:10] += 1e3
    options = {"max_iter": 100, "learning_rate_init": 0.02}
    robust = regressor(loss="absolute_error", **options).fit(X, y)
    plain = regressor(**options).fit(X, y)
    errors = [np.median(np.abs(each.predict(X) - Y)) for each in (robust, plain)]
    assert errors[0] < errors[1] / 2


def test_an_own_loss_of_any_kind_is_taken() -> None:
    made = regressor(loss=LogCosh(), max_iter=300, tol=0).fit(X, Y)
    assert made.score(X, Y) == pytest.approx(r2_score(Y, made.predict(X)))
    assert made.score(X, Y) > 0.8
    assert regressor(loss=LogCosh()).fit(X, np.stack([Y, -Y], axis=1)).predict(X).shape == (200, 2)


@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_quantiles_have_a_column_each_and_never_cross(backend: str) -> None:
    made = regressor(loss="quantile", quantile=QUANTILES, backend=backend, learning_rate_init=0.02)
    for epochs in (1, 200):  # crossing outputs at the beginning
        made.set_params(max_iter=epochs).fit(X, Y)
        predicted = made.predict(X)
        assert predicted.shape == (200, 3)
        assert (np.diff(predicted, axis=1) >= 0).all()
    np.testing.assert_allclose((Y[:, None] <= predicted).mean(axis=0), QUANTILES, atol=0.12)
    assert made.n_outputs_ == 3
    assert made.loss_curve_[-1] == pytest.approx(
        np.mean([mean_pinball_loss(Y, predicted[:, j], alpha=q) for j, q in enumerate(QUANTILES)]),
        rel=0.2,
    )
    expected = np.mean(
        [d2_pinball_score(Y, predicted[:, j], alpha=q) for j, q in enumerate(QUANTILES)]
    )
    assert made.score(X, Y) == pytest.approx(expected)
    model = made.to_model()
    np.testing.assert_allclose(model.predict(X), predicted)
    assert model.class_names == ("0, quantile 0.1", "0, quantile 0.5", "0, quantile 0.9")


def test_a_quantile_is_scored_as_one() -> None:
    made = regressor(loss="quantile", quantile=0.9, early_stopping=True, max_iter=30).fit(X, Y)
    assert made.predict(X).shape == (200,)
    weights = np.linspace(1, 2, 200)
    expected = d2_pinball_score(Y, made.predict(X), alpha=0.9, sample_weight=weights)
    assert made.score(X, Y, weights) == pytest.approx(expected)
    scored = regressor(loss="quantile", quantile=0.9, max_iter=3).fit(X, Y, X_val=HELD, y_val=GOALS)
    last = d2_pinball_score(GOALS, scored.predict(HELD), alpha=0.9)
    assert column(scored.validation_scores_)[-1] == pytest.approx(last)


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "quantile", "quantile": [0.1, 0.9]},
        {"loss": Huber(2.0)},
        {"loss": LogCosh()},
        {"loss": "absolute_error", "max_time": 9.0},
    ],
)
def test_they_can_be_cloned_pickled_and_continued(options: dict[str, Any]) -> None:
    made = clone(regressor(**options))
    assert type(made.get_params()["loss"]) is type(options["loss"])
    made.fit(X, Y)
    loaded = pickle.loads(pickle.dumps(made))  # noqa: S301
    assert np.array_equal(loaded.predict(X), made.predict(X))
    assert np.array_equal(clone(made).fit(X, Y).predict(X), made.predict(X))
    for each in (made, loaded):
        each.partial_fit(X, Y) if "max_time" not in options else each.fit(X, Y)
    assert np.array_equal(loaded.predict(X), made.predict(X))


def test_a_grid_of_losses_is_searched() -> None:
    grid = {"loss": ["squared_error", "huber", Huber(0.1)], "max_iter": [2, 20]}
    search = GridSearchCV(regressor(), grid, cv=2, error_score="raise").fit(X, Y)
    assert len(search.cv_results_["params"]) == 6
    assert search.best_params_["max_iter"] == 20


def test_any_network_learns_quantiles() -> None:
    made = NetworkRegressor(plain_network, loss="quantile", quantile=QUANTILES, max_iter=3)
    assert made.fit(X, Y).predict(X).shape == (200, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "quantile"}, "'quantile' must be a number .* got quantile=None"),
        ({"quantile": 0.5}, "None with any other loss, got quantile=0.5 and loss='squared_error'"),
        ({"loss": Pinball(0.3), "quantile": 0.5}, "None with any other loss"),
        ({"loss": "quantile", "quantile": 1.5}, "'quantile' parameter of MLPRegressor must be"),
        ({"loss": "quantile", "quantile": [0.9, 0.1]}, "several in ascending order"),
        ({"loss": "quantile", "quantile": ["a"]}, "quantile must be above 0 and below 1, got 'a'"),
        ({"loss": "hubert"}, "'loss' must be one of .*, got 'hubert'. Did you mean 'huber'"),
        ({"loss": Huber}, r"got the class Huber: pass Huber\(\)"),
        ({"loss": None}, "'loss' must be one of .*'squared_error'.*, or a loss object, got None"),
        ({"loss": BinaryCrossEntropy()}, "continuous targets, got BinaryCrossEntropy: use a class"),
    ],
)
def test_losses_that_mean_nothing_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLPRegressor(max_iter=2, **options).fit(X, Y)


def test_several_quantiles_are_of_one_target() -> None:
    made = regressor(loss="quantile", quantile=QUANTILES)
    with pytest.raises(ValueError, match="takes one continuous target a row, got 2"):
        made.fit(X, np.stack([Y, Y], axis=1))
    made.set_params(warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match=r"must give 3 outputs, .* got 2"):
        made.set_params(quantile=[0.1, 0.9]).fit(X, Y)
    assert made.predict(X).shape == (200, 3)


def test_a_classifier_takes_a_loss_object() -> None:
    rows, y = classes(3)
    smoothed = classifier(loss=SoftmaxCrossEntropy(0.1)).fit(rows, y)
    by_option = classifier(label_smoothing=0.1).fit(rows, y)
    assert np.array_equal(smoothed.predict_proba(rows), by_option.predict_proba(rows))
    several, sets = labels()
    own, plain = (
        made.fit(several, sets).predict_proba(several)
        for made in (classifier(loss=BinaryCrossEntropy()), classifier())
    )
    assert own.shape == (120, 3)
    assert np.array_equal(own, plain)
    two = NetworkClassifier(plain_network, loss=SoftmaxCrossEntropy(), max_iter=2)
    assert two.fit(rows, y == 0).predict_proba(rows).shape == (120, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": BinaryCrossEntropy()}, "must be 'softmax', .* got 'logistic' of BinaryCross"),
        ({"loss": SoftmaxCrossEntropy}, r"pass SoftmaxCrossEntropy\(\)"),
        ({"loss": "huber"}, "must be None, for the cross-entropy, or a loss object, got 'huber'"),
        ({"loss": 3}, "must be None, for the cross-entropy, or a loss object, got 3"),
        (
            {"loss": SoftmaxCrossEntropy(), "label_smoothing": 0.1},
            "'label_smoothing' must be 0 with a loss object, got 0.1",
        ),
    ],
)
def test_other_losses_of_a_classifier_are_refused(options: dict[str, Any], message: str) -> None:
    rows, y = classes(3)
    with pytest.raises(ValueError, match=message):
        classifier(**options).fit(rows, y)


def test_a_poor_fit_is_compared_with_the_quantile_of_all_rows() -> None:
    made = regressor(loss="quantile", quantile=0.9, tol=9.0, n_iter_no_change=1, max_iter=9)
    with pytest.warns(UserWarning, match=r"worse than predicting the same quantile .* D\^2 = -"):
        made.fit(X, Y + 100.0)
