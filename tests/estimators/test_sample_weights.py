"""A weight is how often a row counts; the weight of a class is that of its rows."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from tests.estimators.helpers import classes, classifier, continuous, labels, regressor, weights_of

from handloom import MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = classes(3)


def doubled(array: Any) -> Any:
    return np.concatenate([array[:30], array[:30], array[30:90]])


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_weight_two_is_the_row_twice_and_weight_zero_its_absence(solver: str) -> None:
    weights = np.repeat([2.0, 1.0, 0.0], [30, 60, 30])
    for make, (rows, targets) in ((classifier, classes(3)), (regressor, continuous())):
        options = {"solver": solver, "alpha": 0.5, "max_iter": 10}
        weighted = make(**options).fit(rows, targets, weights)
        repeated = make(**options).fit(doubled(rows), doubled(targets))
        np.testing.assert_allclose(weights_of(weighted), weights_of(repeated), rtol=1e-7, atol=1e-9)
        assert weighted.loss_ == pytest.approx(repeated.loss_, rel=1e-9)


def test_rows_of_weight_zero_may_hold_anything() -> None:
    rows, targets = continuous()
    rows[:10], targets[:10] = 1e300, 1e300
    weights = np.repeat([0.0, 1.0], [10, 110])
    without = regressor(batch_size=32).fit(rows[10:], targets[10:])
    assert np.array_equal(
        weights_of(regressor(batch_size=32).fit(rows, targets, weights)), weights_of(without)
    )
    with pytest.raises(ValueError, match="weight"):
        regressor().fit(rows, targets, np.zeros(120))
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        regressor().fit(rows, targets, -weights)


def test_class_weights_weigh_the_rows_of_a_class() -> None:
    by_class = classifier(class_weight={0: 2.0, 2: 0.5}).fit(X, y)
    by_row = classifier().fit(X, y, np.array([2.0, 1.0, 0.5])[y])
    assert np.array_equal(weights_of(by_class), weights_of(by_row))
    few = np.flatnonzero((y > 0) | (np.arange(120) < 30))  # 10 rows of class 0, 40 of the others
    balanced = classifier(class_weight="balanced").fit(X[few], y[few])
    by_row = classifier().fit(X[few], y[few], (90 / 3 / np.array([10, 40, 40]))[y[few]])
    np.testing.assert_allclose(weights_of(balanced), weights_of(by_row), rtol=1e-9)


def test_validation_rows_have_the_class_weights_of_the_training_rows() -> None:
    few = np.flatnonzero((y > 0) | (np.arange(120) < 30))
    options = {"class_weight": "balanced", "max_iter": 5, "restore_best": True}
    balanced = classifier(**options).fit(X[few], y[few], X_val=X, y_val=y)
    weights = (90 / 3 / np.array([10, 40, 40]))[y]
    chosen = balanced.predict_proba(X)[np.arange(120), y]
    best = np.average(-np.log(chosen), weights=weights)
    losses, scores = map(np.array, (balanced.validation_loss_curve_, balanced.validation_scores_))
    assert losses.min() == pytest.approx(best, rel=1e-6)
    score = np.average(balanced.predict(X) == y, weights=weights)
    assert scores[losses.argmin()] == pytest.approx(score)


def test_validation_rows_that_weigh_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="X_val, y_val: class_weight must give at least one row"):
        classifier(class_weight={1: 0.0}).fit(X, y, X_val=X[y == 1], y_val=y[y == 1])


def test_class_weights_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="class_weight names classes"):
        classifier(class_weight={0: 1.0, 7: 2.0}).fit(X, y)
    with pytest.raises(ValueError, match="several labels"):
        classifier(class_weight="balanced").fit(*labels())
    with pytest.raises(ValueError, match="does not see all rows"):
        classifier(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])


def test_targets_of_rows_that_weigh_nothing_may_be_anything() -> None:
    rows, targets = continuous()
    counts, weights = np.abs(targets), np.ones(len(rows))
    counts[0], weights[0] = -1.0, 0.0
    made = MLPRegressor("poisson", (4,), max_iter=2, random_state=0)
    made.fit(rows, counts, weights)
    np.testing.assert_array_equal(
        clone(made).fit(rows[1:], counts[1:]).predict(rows), made.predict(rows)
    )
