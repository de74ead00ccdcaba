"""Rows to validate on are given or held out, and checked before a fit changes anything."""

from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from tests.estimators.helpers import (
    classes,
    classifier,
    column,
    continuous,
    plain_network,
    regressor,
    weights_of,
)

from handloom import MLPClassifier, MLPRegressor, NetworkClassifier
from handloom.estimators.convergence import RecordScore

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = classes(3)


def test_rows_to_validate_on_can_be_given() -> None:
    rows, targets = classes(3, 60, seed=1)
    made = classifier().fit(X, y, X_val=rows, y_val=targets)
    assert len(column(made.validation_loss_curve_)) == len(column(made.validation_scores_)) == 8
    own = -np.log(made.predict_proba(rows)[np.arange(60), targets]).mean()
    assert column(made.validation_loss_curve_)[-1] == pytest.approx(own)
    assert column(made.validation_scores_)[-1] == made.score(rows, targets)
    assert np.array_equal(weights_of(made), weights_of(classifier().fit(X, y)))
    with pytest.raises(ValueError, match="both be given or both be None"):
        classifier().fit(X, y, X_val=rows)


def test_restore_best_ends_with_the_best_epoch() -> None:
    rows, targets = continuous(rows=60, seed=1)
    options = {"learning_rate_init": 0.3, "max_iter": 30, "batch_size": 20}
    made = regressor(restore_best=True, **options)
    made.fit(*continuous(), X_val=rows, y_val=targets)
    errors = (made.predict(rows) - targets) ** 2 / 2
    assert errors.mean() == pytest.approx(min(column(made.validation_loss_curve_)))
    assert min(column(made.validation_loss_curve_)) < column(made.validation_loss_curve_)[-1]


def test_early_stopping_restores_by_score_with_restore_best_too() -> None:
    rows, targets = continuous(rows=60, seed=1)
    options = {"learning_rate_init": 0.3, "max_iter": 30, "early_stopping": True}
    by_score, both = regressor(**options), regressor(restore_best=True, **options)
    for made in (by_score, both):
        made.fit(*continuous(), X_val=rows, y_val=targets)
    assert np.array_equal(weights_of(both), weights_of(by_score))


def test_a_refused_fit_changes_nothing() -> None:
    rows, targets = classes()
    made = MLPClassifier(max_iter=3, random_state=0)
    with pytest.raises(ValueError, match="X_val, y_val: X has 1 features"):
        made.fit(rows, targets, X_val=rows[:, :1], y_val=targets)
    with pytest.raises(NotFittedError):
        made.predict(rows)
    made.fit(rows, targets)
    before = made.predict_proba(rows)
    with pytest.raises(ValueError, match="X_val, y_val"):
        made.fit(rows[:, :2], np.arange(len(rows)) % 7, X_val=rows, y_val=targets)
    np.testing.assert_array_equal(made.predict_proba(rows), before)
    assert len(made.classes_) == before.shape[1]


def test_two_classes_are_held_out_in_proportion_by_any_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, _ = classes()
    rare = (np.arange(len(rows)) < len(rows) // 20).astype(int)
    held_out: list[set[int]] = []

    class Watched(RecordScore):
        def __init__(self, task: Any, held: Any, scorer: Any) -> None:
            super().__init__(task, held, scorer)
            held_out.append(set(held.targets.tolist()))

    monkeypatch.setattr("handloom.estimators.fitting.RecordScore", Watched)
    for seed in range(5):
        made = NetworkClassifier(plain_network, early_stopping=True, max_iter=1, random_state=seed)
        made.fit(rows, rare)
    assert held_out == 5 * [{0, 1}]


def test_one_row_measures_nothing() -> None:
    rows, targets = classes()
    with pytest.raises(ValueError, match="X_val, y_val: must hold at least 2 rows"):
        MLPClassifier().fit(rows, targets, X_val=rows[:1], y_val=targets[:1])


def test_the_number_of_targets_is_checked() -> None:
    rows, targets = continuous()
    twice = np.column_stack([targets, targets])
    made = MLPRegressor(max_iter=2, random_state=0)
    with pytest.raises(ValueError, match=r"X_val, y_val: y must have 1 target a row, .* got 2"):
        made.fit(rows, targets, X_val=rows, y_val=twice)
    made.partial_fit(rows, targets)
    with pytest.raises(
        ValueError, match="y must have 1 target a row, as in the previous fit, got 2"
    ):
        made.partial_fit(rows, twice)


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}])
def test_the_score_of_a_single_class_is_that_of_its_predictions(options: Any) -> None:
    rows, alone = X[:40], ["a"] * 40
    held_out = classifier(early_stopping=True, **options).fit(rows, alone)
    assert set(column(held_out.validation_scores_)) == {1.0}
    made = classifier(**options).fit(rows, alone, X_val=X[40:], y_val=["a"] * 80)
    assert made.best_validation_score_ == made.score(X[40:], ["a"] * 80) == 1.0
    assert set(column(made.validation_scores_)) == {1.0}
