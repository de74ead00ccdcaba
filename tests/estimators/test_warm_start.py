"""A warm start goes on with weights and optimizer, and begins patience and best metrics anew."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from tests.estimators.helpers import (
    Broken,
    Rates,
    classes,
    classifier,
    column,
    continuous,
    plain_network,
    regressor,
    weights_of,
)

from handloom import Callback, Dense, MLPClassifier, ModelError, NetworkClassifier, ReLU, Sequential
from handloom.training import TrainingState

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = classes(3)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_warm_start_goes_on_with_the_state_of_the_optimizer(solver: str) -> None:
    whole = classifier(solver=solver, batch_size=32, shuffle=False).fit(X, y)
    parts = classifier(solver=solver, batch_size=32, shuffle=False, max_iter=4, warm_start=True)
    parts.fit(X, y).fit(X, y)
    assert np.array_equal(weights_of(whole), weights_of(parts))
    assert (parts.n_iter_, parts.t_, len(parts.loss_curve_)) == (4, 960, 8)


class BatchLosses(Callback):
    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_step_end(self, *, state: TrainingState, measured: Any) -> None:
        self.losses.append(measured.loss)


def test_a_warm_start_shuffles_in_another_order() -> None:
    def two_fits() -> list[list[float]]:
        made = classifier(learning_rate_init=1e-30, batch_size=32, max_iter=1, warm_start=True)
        watches = [BatchLosses(), BatchLosses()]
        for watch in watches:
            made.set_params(callbacks=[watch]).fit(X, y)
        return [watch.losses for watch in watches]

    first, second = two_fits()
    assert first != second
    assert np.mean(first[:3]) != np.mean(second[:3])  # other rows, not only other batches
    assert two_fits() == [first, second]  # by the seed


def test_a_warm_start_begins_patience_and_best_figures_anew() -> None:
    made = classifier(max_iter=60, learning_rate_init=0.05, warm_start=True, n_iter_no_change=3)
    made.fit(X, y)
    best = made.best_loss_
    hard = np.roll(y, 1)  # other targets: the loss that there was is out of reach
    made.fit(X, hard)
    assert made.n_iter_ > 4  # it does not end for want of a gain on the old best
    assert best is not None
    assert made.best_loss_ == min(column(made.loss_curve_)[-made.n_iter_ :]) > best
    held = classes(3, 60, seed=1)
    stopping = classifier(max_iter=30, early_stopping=True, warm_start=True)
    stopping.fit(X, y, X_val=held[0], y_val=held[1])
    stopping.fit(X, hard, X_val=held[0], y_val=np.roll(held[1], 1))
    assert stopping.best_validation_score_ == max(
        column(stopping.validation_scores_)[-stopping.n_iter_ :]
    )


def test_without_warm_start_everything_begins_anew() -> None:
    made = classifier(batch_size=32)
    once = weights_of(made.fit(X, y))
    assert np.array_equal(once, weights_of(made.fit(X, y)))
    assert (made.t_, len(made.loss_curve_)) == (960, 8)


def test_another_number_of_layers_is_refused_where_a_fit_goes_on() -> None:
    made = classifier(warm_start=True).fit(X, y).set_params(hidden_layer_sizes=(8, 8))
    with pytest.raises(ModelError, match=r"hidden_layer_sizes must be \(8,\).* got \(8, 8\)"):
        made.fit(X, y)


def test_other_sizes_of_layers_are_refused_where_a_fit_goes_on() -> None:
    made = classifier(hidden_layer_sizes=(8,), warm_start=True).fit(X, y)
    made.set_params(hidden_layer_sizes=(9,))
    with pytest.raises(ModelError, match=r"hidden_layer_sizes must be \(8,\), .*got \(9,\)"):
        made.fit(X, y)


@pytest.mark.parametrize("made", [MLPClassifier((8,)), NetworkClassifier(plain_network)])
def test_a_warm_start_that_a_callback_breaks_leaves_the_model_too(made: Any) -> None:
    rows, targets = classes()
    made = clone(made).set_params(max_iter=3, random_state=0, warm_start=True)
    made.fit(rows, targets)
    before, losses = made.predict_proba(rows), list(made.loss_curve_)
    with pytest.raises(RuntimeError, match="of the caller's own"):
        made.set_params(callbacks=[Broken()]).fit(rows, targets)
    np.testing.assert_array_equal(made.predict_proba(rows), before)
    assert made.loss_curve_ == losses
    made.set_params(callbacks=None).fit(rows, targets)
    assert len(made.loss_curve_) == 6


def wider_network(outputs: int) -> Sequential:
    return Sequential([Dense(9), ReLU(), Dense(outputs)])


def test_a_changed_factory_is_refused_where_a_fit_goes_on() -> None:
    rows, targets = classes()
    made = NetworkClassifier(plain_network, max_iter=1, random_state=0).fit(rows, targets)
    with pytest.raises(ValueError, match=r"dense.weights' must be"):
        made.set_params(network_factory=wider_network, warm_start=True).fit(rows, targets)


def test_the_divisions_of_an_adaptive_rate_are_not_those_of_another() -> None:
    rows, targets = classes()
    made = MLPClassifier(
        (8,),
        solver="sgd",
        learning_rate="adaptive",
        tol=9.0,
        n_iter_no_change=1,
        warm_start=True,
        random_state=0,
    ).fit(rows, targets)
    seen = Rates()
    made.set_params(solver="adam", learning_rate="constant", max_iter=1, callbacks=[seen])
    made.fit(rows, targets)
    assert seen.rates == [0.001]


def test_weights_put_there_by_hand_can_be_trained_on() -> None:
    rows, targets = continuous()
    start = regressor(max_iter=3).fit(rows, targets)
    made = regressor(max_iter=3, warm_start=True)
    made.coefs_, made.intercepts_ = start.coefs_, start.intercepts_
    before = made.score(rows, targets)
    assert made.fit(rows, targets).score(rows, targets) > before
    labeled = classifier()
    labeled.coefs_, labeled.intercepts_ = start.coefs_, start.intercepts_
    with pytest.raises(NotFittedError):
        labeled.predict(rows)
