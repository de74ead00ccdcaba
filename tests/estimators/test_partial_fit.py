"""partial_fit: one epoch of a training that goes on from call to call."""

import warnings

import numpy as np
import pytest
from tests.estimators.helpers import (
    Broken,
    Rates,
    classes,
    classifier,
    column,
    continuous,
    labels,
    weights_of,
)

from handloom import BestWeights, EarlyStopping, MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = classes(3)


def test_so_many_partial_fits_are_so_many_epochs() -> None:
    whole = classifier(batch_size=32, dropout=0.2).fit(X, y)
    parts = classifier(batch_size=32, dropout=0.2)
    for _ in range(8):
        parts.partial_fit(X, y, classes=[0, 1, 2])
    assert np.array_equal(weights_of(whole), weights_of(parts))
    assert whole.loss_curve_ == parts.loss_curve_
    assert (whole.t_, whole.n_iter_, parts.t_, parts.n_iter_) == (960, 8, 960, 1)


def test_partial_fit_meets_classes_that_were_announced() -> None:
    made = classifier()
    made.partial_fit(X[y == 0], y[y == 0], classes=[0, 1, 2])
    for _ in range(200):
        made.partial_fit(X[y > 0], y[y > 0])
    assert set(made.predict(X[y > 0])) == {1, 2}
    with pytest.raises(ValueError, match=r"not in `self.classes_`"):
        made.partial_fit(X[:2], [0, 7])


def test_partial_fit_stops_early_by_rows_of_its_own() -> None:
    held = classes(3, 60, seed=1)
    made = classifier(early_stopping=True, n_iter_no_change=2, tol=0.02, learning_rate_init=0.02)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(40):
            made.partial_fit(X, y, classes=[0, 1, 2], X_val=held[0], y_val=held[1])
    assert "best weights were restored; another partial_fit counts" in str(said[-1].message)
    best = made.best_validation_score_
    assert len(column(made.validation_scores_)) == 40
    assert best == max(column(made.validation_scores_))
    assert made.score(*held) == best  # the best weights are back once there was no gain
    with pytest.raises(ValueError, match="without X_val and y_val"):
        classifier(early_stopping=True).partial_fit(X, y, classes=[0, 1, 2])


def test_partial_fit_refuses_what_chooses_among_epochs() -> None:
    for callback in (BestWeights("loss"), EarlyStopping("loss")):
        made = classifier(callbacks=[callback])
        with pytest.raises(ValueError, match="partial_fit runs a single one"):
            made.partial_fit(X, y, classes=[0, 1, 2])


def test_labels_are_zeros_and_ones_in_every_call() -> None:
    rows, targets = labels()
    with pytest.raises(ValueError, match="X_val, y_val: Unknown label type"):
        classifier().fit(rows, targets, X_val=rows, y_val=np.full(targets.shape, 0.3))
    made = classifier().partial_fit(rows, targets, classes=range(targets.shape[1]))
    with pytest.raises(ValueError, match="Unknown label type"):
        made.partial_fit(rows, np.full(targets.shape, 0.3))


def test_a_first_partial_fit_that_is_refused_can_be_made_again() -> None:
    rows, targets = classes()
    known = np.unique(targets)
    made = MLPClassifier((4,), random_state=0)
    with pytest.raises(ValueError, match=r"not in `self\.classes_`"):
        made.partial_fit(rows, targets, classes=known[:-1])
    for _ in range(2):
        with pytest.raises(ValueError, match="Unknown label type"):
            made.partial_fit(rows, targets, classes=[0.5, 1.5, 2.5])
    made.partial_fit(rows, targets, classes=known)
    np.testing.assert_array_equal(made.classes_, known)


def test_partial_fit_refuses_to_restore_the_best_of_one_epoch() -> None:
    rows, targets = continuous()
    with pytest.raises(ValueError, match=r"'restore_best'.*partial_fit"):
        MLPRegressor(restore_best=True).partial_fit(rows, targets)


def test_a_partial_fit_that_breaks_leaves_no_trace() -> None:
    rows, targets = classes()
    whole, broken = (MLPClassifier((4,), random_state=0, batch_size=20) for _ in range(2))
    for made in (whole, broken):
        made.partial_fit(rows, targets, classes=[0, 1, 2])
    with pytest.raises(RuntimeError, match="of the caller's own"):
        broken.set_params(callbacks=[Broken()]).partial_fit(rows, targets)
    broken.set_params(callbacks=None)
    for made in (whole, broken):
        made.partial_fit(rows, targets)
    assert np.array_equal(weights_of(whole), weights_of(broken))


def test_a_partial_fit_that_watches_another_figure_begins_to_wait_anew() -> None:
    made = classifier(solver="sgd", learning_rate="adaptive", n_iter_no_change=2, tol=0.0)
    made.set_params(early_stopping=True, learning_rate_init=0.05)
    for _ in range(3):
        made.partial_fit(X[30:], y[30:], classes=[0, 1, 2], X_val=X[:30], y_val=y[:30])
    made.set_params(early_stopping=False)
    seen = Rates()
    made.set_params(callbacks=[seen])
    for _ in range(10):
        made.partial_fit(X, y)
    assert min(seen.rates) == max(seen.rates)  # a score is no loss that could not be reached
