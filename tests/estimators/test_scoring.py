"""Scoring of held-out rows by any scorer, and the time that a fit may take."""

import time
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import (
    balanced_accuracy_score,
    f1_score,
    make_scorer,
    mean_absolute_error,
    roc_auc_score,
)
from sklearn.model_selection import GridSearchCV
from tests.estimators.helpers import classes, classifier, column, continuous, labels, regressor

from handloom import ConfigurationError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = continuous()
HELD, GOALS = continuous(rows=50, seed=1)


def test_the_default_scores_are_unchanged() -> None:
    rows, y = classes(3)
    made = classifier(early_stopping=True).fit(rows, y)
    named = classifier(early_stopping=True, scoring="accuracy").fit(rows, y)
    assert named.validation_scores_ == pytest.approx(column(made.validation_scores_))
    made = regressor(early_stopping=True).fit(X, Y)
    named = regressor(early_stopping=True, scoring="r2").fit(X, Y)
    assert named.validation_scores_ == pytest.approx(column(made.validation_scores_))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
def test_each_epoch_is_scored_with_the_network_in_training(dtype: Any, form: Any) -> None:
    rows, y = classes(2)
    rows, names = rows.astype(dtype), np.array(["no", "yes"])[y]
    made = classifier(scoring="roc_auc", max_iter=4, label_smoothing=0.1)
    held = form(1.01 * rows)
    made.fit(form(rows), names, X_val=held, y_val=names)
    assert len(column(made.validation_scores_)) == 4
    own = roc_auc_score(names, made.predict_proba(held)[:, 1])
    assert column(made.validation_scores_)[-1] == pytest.approx(own)
    assert len(set(column(made.validation_scores_))) > 1


def test_a_score_of_an_error_rises_as_it_falls() -> None:
    made = regressor(early_stopping=True, scoring="neg_mean_absolute_error", max_iter=30)
    made.fit(X, Y, X_val=HELD, y_val=GOALS)
    best = -mean_absolute_error(GOALS, made.predict(HELD))  # the weights of the best score
    assert made.best_validation_score_ == pytest.approx(best)
    assert made.best_validation_score_ == max(column(made.validation_scores_))


def test_a_function_gets_an_estimator_rows_and_targets() -> None:
    pandas = pytest.importorskip("pandas")
    rows, y = classes(3)
    table = pandas.DataFrame(rows, columns=list("abcde"))
    seen: list[Any] = []

    def score(estimator: Any, X: Any, y: Any) -> float:
        seen.append((estimator.classes_.tolist(), X.shape, set(y)))
        return float(balanced_accuracy_score(y, estimator.predict(X)))

    made = classifier(early_stopping=True, scoring=score, max_iter=2).fit(table, y)
    assert seen == 2 * [([0, 1, 2], (12, 5), {0, 1, 2})]
    assert clone(made).scoring is score


def test_an_unknown_score_is_answered_with_the_nearest() -> None:
    estimator = regressor(scoring="neg_mean_abs_error", early_stopping=True)
    with pytest.raises(ValueError, match="Did you mean 'neg_mean_absolute_error'"):
        estimator.fit(np.ones((30, 2)), np.arange(30.0))


def test_sets_of_labels_are_scored() -> None:
    rows, sets = labels()
    made = classifier(scoring="f1_macro", max_iter=2).fit(rows, sets, X_val=rows + 0.01, y_val=sets)
    expected = f1_score(sets, made.predict(rows + 0.01), average="macro")
    assert column(made.validation_scores_)[-1] == pytest.approx(expected)


def test_weights_reach_the_scorer() -> None:
    seen: list[Any] = []

    def score(estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        seen.append(sample_weight)
        return 0.0

    weights = np.linspace(1, 2, len(Y))
    made = regressor(early_stopping=True, scoring=score, max_iter=1, random_state=0)
    made.fit(X, Y, sample_weight=weights)
    assert len(seen[0]) == 12
    assert set(seen[0]) <= set(weights)
    made.fit(X, Y)
    assert seen[-1] is None


def test_it_is_searched_with_the_other_parameters() -> None:
    grid = {"scoring": ["neg_max_error", None], "max_time": [9.0, None]}
    search = GridSearchCV(regressor(early_stopping=True), grid, cv=2, error_score="raise")
    assert np.isfinite(search.fit(X, Y).best_score_)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scoring": "r2"}, "'scoring' has no effect without validation data"),
        ({"scoring": "mae", "early_stopping": True}, "'scoring' parameter of MLPRegressor must be"),
        ({"scoring": "r2", "solver": "lbfgs", "early_stopping": True}, "'scoring' has no effect"),
        ({"scoring": lambda *_: "good", "early_stopping": True}, "must be a number, got 'good'"),
        ({"max_time": 0}, "'max_time' parameter of MLPRegressor must be"),
    ],
)
def test_what_has_no_effect_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        regressor(**options).fit(X, Y)


def test_a_diverging_network_has_no_score() -> None:
    made = regressor(solver="sgd", learning_rate_init=1e6, scoring="r2", on_divergence="warn")
    with pytest.warns(ConvergenceWarning, match="non-finite"):
        made.fit(X, 1e6 * Y, X_val=HELD, y_val=1e6 * GOALS)


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}])
def test_a_fit_ends_in_time(options: dict[str, Any]) -> None:
    made = regressor(max_time=0.3, max_iter=10**7, max_fun=10**8, tol=0.0,
                     n_iter_no_change=np.inf, **options)  # fmt: skip
    begun = time.perf_counter()
    with pytest.warns(ConvergenceWarning, match=r"Maximum time \(max_time=0.3 s\) reached after"):
        made.fit(X, Y + np.random.default_rng(0).standard_normal(len(Y)))
    assert time.perf_counter() - begun < 20
    assert np.isfinite(made.predict(X)).all()


def test_a_search_ends_after_the_iteration_that_exceeds_its_time() -> None:
    made = regressor(max_time=1e-9, solver="lbfgs")
    with pytest.warns(ConvergenceWarning, match="reached after 1 iteration and"):
        made.fit(X, Y)
    assert made.n_iter_ == 1


def test_a_time_of_less_than_an_epoch_leaves_a_fitted_estimator() -> None:
    made = regressor(max_time=1e-9, early_stopping=True, batch_size=10)
    with pytest.warns(ConvergenceWarning, match="reached after 0 epochs"):
        made.fit(X, Y)
    assert made.n_iter_ == 0
    assert made.loss_curve_ == []
    assert made.predict(X).shape == (120,)


def test_a_part_of_a_fit_has_no_limit() -> None:
    with pytest.raises(ValueError, match="'max_time' must be None in partial_fit"):
        regressor(max_time=3.0).partial_fit(X, Y)


@pytest.mark.parametrize("options", [{"class_weight": "balanced"}, {}])
def test_a_function_without_weights_is_refused_before_a_fit_of_weighted_rows(options: Any) -> None:
    rows, y = classes(2)
    seen: list[Any] = []

    def score(estimator: Any, X: Any, y: Any) -> float:
        seen.append(X)
        return 0.0

    made = classifier(early_stopping=True, scoring=score, **options)
    weights = None if options else np.linspace(1, 2, len(y))
    with pytest.raises(ConfigurationError, match="'scoring' must take sample_weight where rows"):
        made.fit(rows, y, sample_weight=weights)
    assert not seen


def exactness(y: Any, predicted: Any) -> float:
    return float((y == predicted).mean())


@pytest.mark.parametrize("scoring", [make_scorer(exactness), "neg_max_error"])
def test_a_metric_without_weights_is_refused_before_a_fit_of_weighted_rows(scoring: Any) -> None:
    made = regressor(early_stopping=True, scoring=scoring, max_iter=2)
    with pytest.raises(ConfigurationError, match="'scoring' must take sample_weight where rows"):
        made.fit(X, Y, sample_weight=np.linspace(1, 2, len(Y)))
    assert len(column(made.fit(X, Y).validation_scores_)) == 2
