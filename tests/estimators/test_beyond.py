"""The features of the estimators that scikit-learn's lack."""

import os
import signal
import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from tests.estimators.data import classes, continuous, labels

from handloom import (
    BatchNorm,
    BestWeights,
    Callback,
    ConfigurationError,
    Dense,
    Dropout,
    EarlyStopping,
    InverseTimeDecay,
    MLPClassifier,
    MLPRegressor,
    ModelError,
    NetworkClassifier,
    ReLU,
    Residual,
    Sequential,
    StopReason,
)
from handloom.estimators.convergence import Scores
from handloom.training import Objective, TrainingState

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def classifier(**options: Any) -> MLPClassifier:
    return MLPClassifier(
        **{"hidden_layer_sizes": (8,), "random_state": 0, "max_iter": 8, **options}
    )


def regressor(**options: Any) -> MLPRegressor:
    return MLPRegressor(**{"hidden_layer_sizes": (8,), "random_state": 0, "max_iter": 8, **options})


def weights_of(estimator: Any) -> Any:
    return estimator.network_.parameters.vector.copy()


def column(values: list[float] | None) -> list[float]:
    assert values is not None
    return values


X, y = classes(3)


# warm start and partial_fit


def test_so_many_partial_fits_are_so_many_epochs() -> None:
    whole = classifier(batch_size=32, dropout=0.2).fit(X, y)
    parts = classifier(batch_size=32, dropout=0.2)
    for _ in range(8):
        parts.partial_fit(X, y, classes=[0, 1, 2])
    assert np.array_equal(weights_of(whole), weights_of(parts))
    assert whole.loss_curve_ == parts.loss_curve_
    assert (whole.t_, whole.n_iter_, parts.t_, parts.n_iter_) == (960, 8, 960, 1)


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


def test_another_number_of_layers_is_refused_where_a_fit_goes_on() -> None:
    made = classifier(warm_start=True).fit(X, y).set_params(hidden_layer_sizes=(8, 8))
    with pytest.raises(ModelError, match=r"hidden_layer_sizes must be \(8,\).* got \(8, 8\)"):
        made.fit(X, y)


# sample weights


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


def test_class_weights_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="class_weight names classes"):
        classifier(class_weight={0: 1.0, 7: 2.0}).fit(X, y)
    with pytest.raises(ValueError, match="several labels"):
        classifier(class_weight="balanced").fit(*labels())
    with pytest.raises(ValueError, match="does not see all rows"):
        classifier(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])


# validation


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


# regularization


def test_weight_decay_shrinks_weights_whatever_the_batch() -> None:
    for batch in (1, 4, 12):
        made = classifier(
            solver="sgd", momentum=0, alpha=0, learning_rate_init=1e-12, weight_decay=1e10,
            batch_size=batch, max_iter=1, activation="identity",
        )  # fmt: skip
        start = made.fit(X[:12], y[:12]).coefs_[0]
        untouched = classifier(learning_rate_init=1e-12, alpha=0, max_iter=1).fit(X[:12], y[:12])
        np.testing.assert_allclose(start, untouched.coefs_[0] * 0.99 ** (12 // batch), rtol=1e-6)
        np.testing.assert_allclose(made.intercepts_[0], untouched.intercepts_[0], rtol=1e-6)


def test_l1_makes_weights_small_and_counts_in_the_loss() -> None:
    unpenalized = classifier(solver="lbfgs", max_iter=60, alpha=0).fit(X, y)
    sparse = classifier(solver="lbfgs", max_iter=60, alpha=0, l1=3.0).fit(X, y)
    total = sum(np.abs(array).sum() for array in sparse.coefs_)
    assert total < 0.5 * sum(np.abs(array).sum() for array in unpenalized.coefs_)
    cross_entropy = -np.log(sparse.predict_proba(X)[np.arange(120), y]).mean()
    assert sparse.loss_ == pytest.approx(cross_entropy + 3.0 * total / 120)


@pytest.mark.parametrize("k", [2, 3])
def test_label_smoothing_gives_a_share_of_every_target_to_all_classes(k: int) -> None:
    rows, targets = classes(k)
    unsmoothed = classifier(solver="lbfgs", max_iter=30, alpha=0).fit(rows, targets)
    made = clone(unsmoothed).set_params(label_smoothing=0.2).fit(rows, targets)
    smoothed = 0.8 * np.eye(k)[targets] + 0.2 / k
    cross_entropy = -(smoothed * made.predict_log_proba(rows)).sum(axis=1).mean()
    assert made.loss_ == pytest.approx(cross_entropy, rel=1e-9)
    assert made.predict_proba(rows).min() > 10 * unsmoothed.predict_proba(rows).min()


def test_dropout_draws_in_training_alone() -> None:
    made = classifier(hidden_layer_sizes=(8, 6), dropout=[0.5, 0.0]).fit(X, y)
    assert [layer.kind for layer in made.network_.layers].count("dropout") == 1
    assert np.array_equal(made.predict_proba(X), made.predict_proba(X))
    assert not np.array_equal(
        weights_of(made), weights_of(classifier(hidden_layer_sizes=(8, 6)).fit(X, y))
    )


# the network, the learning rate, the callbacks


def test_every_layer_may_have_an_activation_of_its_own() -> None:
    made = classifier(hidden_layer_sizes=(8, 6, 4), activation=["tanh", "identity", "silu"])
    kinds = [layer.kind for layer in made.fit(X, y).network_.layers]
    assert kinds == ["dense", "tanh", "dense", "dense", "silu", "dense"]
    with pytest.raises(ValueError, match=r"'activation' must be one value, or one for each"):
        classifier(activation=["tanh", "relu"]).fit(X, y)
    with pytest.raises(ValueError, match=r"every entry of 'activation'.*'tahn'"):
        classifier(activation=["tahn"]).fit(X, y)


class Watch(Callback):
    """Notes rates and accuracies of epochs, and ends training after some."""

    def __init__(self, epochs: int = 99) -> None:
        self.epochs, self.rates = epochs, [0.0] * 0
        self.accuracies: list[float] = []

    def on_epoch_end(self, *, state: TrainingState, record: Any) -> None:
        self.rates.append(record.learning_rate)
        self.accuracies.append(record.accuracy)
        if len(self.rates) == self.epochs:
            state.stop(StopReason.EARLY_STOPPING)


def test_callbacks_watch_and_stop() -> None:
    watch = Watch(3)
    made = classifier(callbacks=[watch]).fit(X, y)
    assert (made.n_iter_, len(watch.rates)) == (3, 3)
    assert all(0.0 <= accuracy <= 1.0 for accuracy in watch.accuracies)
    best = BestWeights("loss")
    classifier(callbacks=[best]).fit(X, y)
    assert best.epoch == 7
    with pytest.raises(ValueError, match=r"must be a handloom\.Callback"):
        classifier(callbacks=[print]).fit(X, y)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_schedule_may_give_the_rate(solver: str) -> None:
    watch = Watch()
    classifier(solver=solver, learning_rate=InverseTimeDecay(0.1, 1.0), callbacks=[watch]).fit(X, y)
    assert watch.rates == pytest.approx([0.1 / (1 + step) for step in range(8)])


def test_the_rate_falls_as_documented() -> None:
    watch = Watch()
    made = classifier(
        solver="sgd", learning_rate="invscaling", power_t=0.25, callbacks=[watch], max_iter=2
    )
    made.set_params(warm_start=True).fit(X, y).fit(X, y)
    rates = [1e-3 / (120 * i + 1) ** 0.25 for i in range(2)]
    assert watch.rates == pytest.approx(2 * rates)  # a warm start begins the schedule anew
    watch = Watch()
    made.set_params(learning_rate="adaptive", tol=9.0, callbacks=[watch], max_iter=500)
    made.set_params(warm_start=False, n_iter_no_change=3).fit(X, y)
    assert sorted({round(rate, 12) for rate in watch.rates}, reverse=True) == pytest.approx(
        [1e-3 / 5**i for i in range(6)]
    )
    assert watch.rates[-1] < 1e-6


@pytest.mark.parametrize("patience", [2, 5, np.inf])
def test_training_ends_after_so_many_epochs_without_gain(patience: float) -> None:
    made = classifier(tol=1e9, n_iter_no_change=patience, max_iter=20).fit(X, y)
    assert made.n_iter_ == min(patience + 2, 20)  # the first one gains, one more is allowed


def test_threads_do_not_change_a_bit() -> None:
    rows, targets = classes(3, 3000)
    one, two = (classifier(threads=n, batch_size=3000).fit(rows, targets) for n in (1, 2))
    assert np.array_equal(weights_of(one), weights_of(two))


def test_verbose_prints_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    classifier(verbose=True, early_stopping=True, max_iter=2).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0].split(":")[0] for line in lines] == [
        "Iteration 1",
        "Validation score",
        "Iteration 2",
        "Validation score",
    ]
    classifier(verbose=True, solver="lbfgs", max_iter=2).fit(X, y)
    assert capsys.readouterr().out.startswith("Iteration 1, loss = ")


# divergence


HUGE = {"solver": "sgd", "learning_rate_init": 1e30, "activation": "identity", "max_iter": 50}


def test_a_diverged_fit_raises_and_never_scores() -> None:
    rows, targets = continuous()
    made = regressor(**HUGE)
    with pytest.raises(ModelError, match=r"non-finite parameter weights.*first array"):
        made.fit(rows, targets)
    for use in (made.predict, lambda X: made.score(X, targets)):
        with pytest.raises(ModelError, match="weights must be finite"):
            use(rows)
    assert np.isnan(made.loss_)


def test_a_diverged_fit_warns_if_told_to_and_never_wins_a_search() -> None:
    rows, targets = continuous()
    made = regressor(on_divergence="warn", **HUGE)
    with pytest.warns(ConvergenceWarning, match="non-finite"):
        made.fit(rows, targets)
    with pytest.raises(ModelError, match="weights must be finite"):
        made.score(rows, targets)
    search = GridSearchCV(made, {"learning_rate_init": [1e30, 1e-6]}, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(rows, targets)
    assert search.best_params_ == {"learning_rate_init": 1e-6}
    assert np.isnan(search.cv_results_["mean_test_score"][0])


def test_the_best_weights_survive_a_divergence() -> None:
    rows, targets = continuous()
    with pytest.warns(ConvergenceWarning, match="best weights before that"):
        made = regressor(early_stopping=True, **{**HUGE, "learning_rate_init": 0.9}).fit(
            100 * rows, targets
        )
    assert np.isnan(column(made.validation_scores_)[-1])
    assert np.isfinite(made.predict(rows)).all()


def test_best_weights_of_a_callback_survive_a_divergence_too() -> None:
    rows, targets = continuous()

    def breaks(step: int) -> float:
        return 0.05 if step < 10 else 1e30

    made = regressor(solver="sgd", learning_rate=breaks, callbacks=[BestWeights("loss")])
    with pytest.warns(ConvergenceWarning, match="best weights before that were restored"):
        made.set_params(max_iter=50).fit(rows, targets)
    assert made.score(rows, targets) > 0.0


def test_a_partial_fit_that_diverges_keeps_the_best_weights() -> None:
    rows, targets = continuous()
    made = regressor(early_stopping=True, solver="sgd", learning_rate_init=0.01)
    for _ in range(5):
        made.partial_fit(rows, targets, X_val=rows, y_val=targets)
    best = made.best_validation_score_
    with pytest.warns(ConvergenceWarning, match="best weights before that were restored"):
        made.partial_fit(1e200 * rows, targets, X_val=rows, y_val=targets)
    assert made.score(rows, targets) == best


@pytest.mark.parametrize("options", [{"restore_best": True}, {"callbacks": [BestWeights("loss")]}])
def test_weights_that_exploded_after_they_were_measured_are_no_rescue(options: Any) -> None:
    rows, targets = continuous()

    def breaks_at_the_end_of_an_epoch(step: int) -> float:
        return 1e12 if step == 11 else 1e-3

    made = regressor(
        solver="sgd", learning_rate=breaks_at_the_end_of_an_epoch, batch_size=30, **options
    )
    with pytest.raises(ModelError, match="non-finite"):
        made.fit(rows, targets)


def test_an_interrupted_search_keeps_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    measure, made = Objective.__call__, 0

    def interrupted(*arguments: Any, **options: Any) -> Any:
        nonlocal made
        made += 1
        if made == 12:
            os.kill(os.getpid(), signal.SIGINT)
        return measure(*arguments, **options)

    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Objective, "__call__", interrupted)
    search = classifier(solver="lbfgs", max_iter=500, tol=0.0)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        search.fit(X, y)
    assert made < 20
    assert 0 < search.n_iter_ < 500
    assert search.score(X, y) > 0.8
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_search_hands_a_signal_on(monkeypatch: pytest.MonkeyPatch) -> None:
    measure, made, heard = Objective.__call__, 0, list[float]()
    search = classifier(solver="lbfgs", max_iter=500, tol=0.0)

    def signalled(*arguments: Any, **options: Any) -> Any:
        nonlocal made
        made += 1
        if made == 12:
            os.kill(os.getpid(), signal.SIGTERM)
        return measure(*arguments, **options)

    monkeypatch.setattr(Objective, "__call__", signalled)
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(search.score(X, y)))
    try:
        with pytest.warns(UserWarning, match="Training interrupted by user"):
            search.fit(X, y)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [search.score(X, y)]  # it had what was learned


# fits that are refused


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


def plain_network(outputs: int) -> Sequential:
    return Sequential([Dense(6), ReLU(), Dense(outputs)])


def wider_network(outputs: int) -> Sequential:
    return Sequential([Dense(9), ReLU(), Dense(outputs)])


class Smooth(MLPClassifier):
    def __init__(self, alpha: float = 0.1, named: str = "") -> None:
        super().__init__((8,), alpha=alpha, max_iter=60, random_state=0)
        self.named = named


class Rates(Callback):
    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_epoch_end(self, *, state: Any, record: Any) -> None:
        self.rates.append(record.learning_rate)


class Broken(Callback):
    def on_epoch_end(self, *, state: Any, record: Any) -> None:
        raise RuntimeError("of the caller's own")


def test_a_fit_that_a_callback_breaks_leaves_the_model_that_there_was() -> None:
    rows, targets = classes()
    made = MLPClassifier(max_iter=3, random_state=0)
    made.fit(rows, targets)
    before, labels, losses = made.predict_proba(rows), made.classes_, list(made.loss_curve_)
    made.set_params(callbacks=[Broken()])
    with pytest.raises(RuntimeError, match="of the caller's own"):
        made.fit(rows[:, :2], np.arange(len(rows)) % 7)
    np.testing.assert_array_equal(made.predict_proba(rows), before)
    np.testing.assert_array_equal(made.classes_, labels)
    assert made.loss_curve_ == losses


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


def test_a_changed_factory_is_refused_where_a_fit_goes_on() -> None:
    rows, targets = classes()
    made = NetworkClassifier(plain_network, max_iter=1, random_state=0).fit(rows, targets)
    with pytest.raises(ValueError, match=r"dense.weights' must be"):
        made.set_params(network_factory=wider_network, warm_start=True).fit(rows, targets)


@pytest.mark.parametrize(
    "layer", [BatchNorm, lambda: Dropout(0.5), lambda: Residual([BatchNorm()])]
)
def test_lbfgs_refuses_networks_that_change_as_they_are_asked(layer: Any) -> None:
    rows, targets = classes()
    made = NetworkClassifier(lambda k: Sequential([layer(), Dense(k)]), solver="lbfgs")
    with pytest.raises(ValueError, match=r"lbfgs.*computes the same"):
        made.fit(rows, targets)
    same = NetworkClassifier(
        lambda k: Sequential([Residual([Dense(rows.shape[1])]), Dense(k)]), solver="lbfgs"
    )
    assert same.fit(rows, targets).score(rows, targets) > 0.8


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


def test_estimators_can_have_subclasses_with_constructors_of_their_own() -> None:
    rows, targets = classes()
    made = clone(Smooth(alpha=0.5, named="a"))
    assert made.get_params() == {"alpha": 0.5, "named": "a"}
    assert made.fit(rows, targets).score(rows, targets) > 0.5


def test_two_classes_are_held_out_in_proportion_by_any_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, _ = classes()
    rare = (np.arange(len(rows)) < len(rows) // 20).astype(int)
    held_out: list[set[int]] = []

    class Watched(Scores):
        def __init__(self, task: Any, held: Any) -> None:
            super().__init__(task, held)
            held_out.append(set(held.targets.tolist()))

    monkeypatch.setattr("handloom.estimators.fitting.Scores", Watched)
    for seed in range(5):
        made = NetworkClassifier(plain_network, early_stopping=True, max_iter=1, random_state=seed)
        made.fit(rows, rare)
    assert held_out == 5 * [{0, 1}]


def test_targets_of_rows_that_weigh_nothing_may_be_anything() -> None:
    rows, targets = continuous()
    counts, weights = np.abs(targets), np.ones(len(rows))
    counts[0], weights[0] = -1.0, 0.0
    made = MLPRegressor("poisson", (4,), max_iter=2, random_state=0)
    made.fit(rows, counts, weights)
    np.testing.assert_array_equal(
        clone(made).fit(rows[1:], counts[1:]).predict(rows), made.predict(rows)
    )


def test_one_row_measures_nothing() -> None:
    rows, targets = classes()
    with pytest.raises(ValueError, match="X_val, y_val: must hold at least 2 rows"):
        MLPClassifier().fit(rows, targets, X_val=rows[:1], y_val=targets[:1])


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_warnings_of_a_fit_point_at_the_call(solver: str) -> None:
    rows, targets = classes()
    with pytest.warns(ConvergenceWarning) as warned:
        MLPClassifier(max_iter=2, solver=solver, random_state=0).fit(rows, targets)
    assert {warning.filename for warning in warned} == {__file__}


def test_the_warning_of_a_clipped_batch_points_at_the_call() -> None:
    rows, targets = classes()
    made = MLPClassifier(max_iter=2, batch_size=999, random_state=0)
    for call in (made.fit, made.partial_fit):
        with pytest.warns(UserWarning, match="is going to be clipped") as warned:
            call(rows, targets)
        assert {warning.filename for warning in warned} == {__file__}


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


def test_partial_fit_refuses_to_restore_the_best_of_one_epoch() -> None:
    rows, targets = continuous()
    with pytest.raises(ValueError, match=r"'restore_best'.*partial_fit"):
        MLPRegressor(restore_best=True).partial_fit(rows, targets)


@pytest.mark.parametrize("sizes", [[3.5], True, [4, None]])
def test_layers_have_whole_numbers_of_units(sizes: Any) -> None:
    rows, targets = continuous()
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        MLPRegressor(hidden_layer_sizes=sizes).fit(rows, targets)


def test_a_rate_that_is_no_rate_is_refused_with_its_step() -> None:
    rows, targets = continuous()
    for wrong in (-1.0, "a", None):
        rates: Any = {0: wrong}
        with pytest.raises(ConfigurationError, match=f"at step 0 must be .*, got {wrong!r}"):
            MLPRegressor(learning_rate=rates.get).fit(rows, targets)


def test_the_end_is_told_in_scikit_learns_words(capsys: pytest.CaptureFixture[str]) -> None:
    rows, targets = continuous()
    MLPRegressor(verbose=True, tol=10.0, n_iter_no_change=2, random_state=0).fit(rows, targets)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == (
        "Training loss did not improve more than tol=10.000000 for 2 consecutive epochs. Stopping."
    )


def test_fits_share_no_network_whatever_the_factory_returns() -> None:
    rows, targets = classes()
    shared = Sequential([Dense(8), Dense(len(np.unique(targets)))])
    one, other = (
        NetworkClassifier(lambda _: shared, max_iter=2, random_state=seed) for seed in (0, 1)
    )
    before = one.fit(rows, targets).predict_proba(rows)
    other.fit(rows, targets)
    np.testing.assert_array_equal(one.predict_proba(rows), before)


# names and combinations


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(TypeError, match=r"'hiden_layer_sizes'. Did you mean 'hidden_layer_sizes'"):
        MLPClassifier(hiden_layer_sizes=3)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match=r"Invalid parameter 'learning_rat'.*'learning_rate'\?"):
        MLPRegressor().set_params(learning_rat=1)
    with pytest.raises(ValueError, match="Invalid parameter 'xyz'"):
        MLPRegressor().set_params(xyz=1)


@pytest.mark.parametrize(
    ("name", "value"),
    [("alpha", -1), ("dropout", 1.0), ("threads", 0), ("on_divergence", "ignore"), ("l1", "much")],
)
def test_values_that_mean_nothing_are_refused_in_scikit_learns_words(name: str, value: Any) -> None:
    with pytest.raises(
        ValueError, match=rf"The '{name}' parameter of MLPClassifier must be .* Got"
    ):
        classifier(**{name: value}).fit(X, y)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dropout", 0.5),
        ("callbacks", [Watch()]),
        ("restore_best", True),
        ("weight_decay", 0.1),
        ("learning_rate", InverseTimeDecay(0.1, 1.0)),
    ],
)
def test_lbfgs_refuses_what_it_cannot_use(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name!r} must be unused with solver='lbfgs'"):
        classifier(solver="lbfgs", **{name: value}).fit(X, y)


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
        made.partial_fit(X, y, classes=[0, 1, 2], X_val=X[:30], y_val=y[:30])
    made.set_params(early_stopping=False)
    seen = Rates()
    made.set_params(callbacks=[seen])
    for _ in range(10):
        made.partial_fit(X, y)
    assert min(seen.rates) == max(seen.rates)  # a score is no loss that could not be reached
