"""Habits of scikit-learn's users that the estimators keep, or refuse in a sentence."""

import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.multioutput import ClassifierChain
from sklearn.neural_network import MLPClassifier as TheirClassifier, MLPRegressor as TheirRegressor
from tests.estimators.helpers import classes, continuous, labels

import handloom.estimators.rows
from handloom import (
    BestModel,
    Callback,
    CSVLog,
    Dense,
    MLPClassifier,
    MLPRegressor,
    Model,
    NetworkClassifier,
    Sequential,
)
from handloom.errors import ConfigurationError, ModelError
from handloom.training import TrainingState
from handloom.training.objective import Measurement

X, y = classes(3)
TWO = classes(2)

quietly = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def small(**options: Any) -> MLPClassifier:
    usual: dict[str, Any] = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0}
    return MLPClassifier(**usual | options)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize(
    "filters",
    [
        {"module": "sklearn"},
        {"module": "sklearn.neural_network"},
        {"category": ConvergenceWarning},
    ],
    ids=str,
)
def test_filters_for_scikit_learns_warnings_silence_ours(
    solver: str, filters: dict[str, Any]
) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        small(solver=solver).fit(X, y)
    assert [warning.category for warning in seen] == [ConvergenceWarning]
    assert seen[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", **filters)
        small(solver=solver).fit(X, y)


def test_the_warning_of_a_large_batch_is_silenced_by_the_module_too() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="Got `batch_size` less than 1"):
            small(batch_size=1000).fit(X, y)
        warnings.filterwarnings("ignore", module="sklearn")
        small(batch_size=1000).fit(X, y)


def test_a_column_as_targets_warns_at_the_line_of_the_fit_as_scikit_learn_s_module() -> None:
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed") as seen:
        small(max_iter=1).partial_fit(X, y[:, None], classes=np.unique(y))
    assert seen[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", module="sklearn")
        small().fit(X, y[:, None])


@quietly
@pytest.mark.parametrize("sizes", [(5,), (8, 8), ()])
@pytest.mark.parametrize("step", ["fit", "partial_fit"])
def test_other_hidden_layers_are_refused_by_name_where_a_fit_continues(
    sizes: tuple[int, ...], step: str
) -> None:
    made = small(warm_start=True).fit(X, y).set_params(hidden_layer_sizes=sizes)
    with pytest.raises(ModelError, match=r"hidden_layer_sizes must be \(8,\).*got \("):
        getattr(made, step)(X, y)


@pytest.mark.parametrize(
    ("rows", "fraction", "message"),
    [
        (120, 0, r"'validation_fraction' must be above 0 with early_stopping=True, .*got 0"),
        (120, 0.999, r"validation_fraction must leave at least 1 rows to train on, got 0.999"),
        (120, 0.001, r"Increase 'validation_fraction'.*0.001 of 120 rows is 1"),
        (1, 0.1, r"Increase 'validation_fraction'.*0.1 of 1 rows is 1"),
    ],
)
def test_a_split_that_holds_out_too_much_or_too_little_names_the_fraction(
    rows: int, fraction: float, message: str
) -> None:
    made = small(early_stopping=True, validation_fraction=fraction)
    with pytest.raises(ValueError, match=message):
        made.fit(X[:rows], y[:rows])


@quietly
def test_a_fraction_of_zero_serves_where_nothing_is_held_out_of_the_rows() -> None:
    made = small(validation_fraction=0, early_stopping=True)
    made.fit(X[30:], y[30:], X_val=X[:30], y_val=y[:30])
    assert small(validation_fraction=0).fit(X, y).n_iter_ == 3


def test_a_class_of_one_row_cannot_be_held_out_and_trained_on() -> None:
    lone = np.arange(120) == 7
    with pytest.raises(ValueError, match=r"at least 2 rows of each class.*members are: \['True'\]"):
        small(early_stopping=True).fit(X, lone)


def network(outputs: int) -> Sequential:
    return Sequential([Dense(outputs)])


@quietly
@pytest.mark.parametrize("constant", [0, 1])
@pytest.mark.parametrize(
    "made", [small(), NetworkClassifier(network, max_iter=2, random_state=0)], ids=["mlp", "own"]
)
def test_a_chain_may_have_a_constant_column_as_with_scikit_learns(made: Any, constant: int) -> None:
    Y = np.column_stack([TWO[1], np.full(120, constant)])
    chain = ClassifierChain(made).fit(TWO[0], Y)
    assert (chain.predict(TWO[0])[:, 1] == constant).all()
    theirs = ClassifierChain(TheirClassifier((8,), max_iter=300, random_state=0)).fit(TWO[0], Y)
    # of the only class, whichever it is
    assert (chain.predict_proba(TWO[0])[:, 1] == 1.0).all()
    assert (theirs.predict_proba(TWO[0])[:, 1] > 0.5).all()


@quietly
def test_an_output_activation_that_a_user_sets_is_obeyed_as_in_scikit_learn() -> None:
    for targets in (TWO, (X, y), labels()):
        rows, wanted = targets
        theirs = TheirClassifier((8,), max_iter=3, random_state=0, shuffle=False).fit(rows, wanted)
        ours = small(shuffle=False).fit(rows, wanted)
        for name in ("identity", "logistic", "softmax", "tanh", "relu"):
            theirs.out_activation_ = ours.out_activation_ = name
            np.testing.assert_allclose(
                ours.predict_proba(rows), theirs.predict_proba(rows), rtol=1e-6, atol=1e-9
            )
            np.testing.assert_array_equal(ours.predict(rows), theirs.predict(rows))
            assert ours.score(rows, wanted) == theirs.score(rows, wanted)


@quietly
def test_a_regressor_obeys_it_too() -> None:
    rows, targets = continuous()
    made = MLPRegressor(hidden_layer_sizes=(8,), max_iter=3, random_state=0).fit(rows, targets)
    theirs = TheirRegressor(hidden_layer_sizes=(8,), max_iter=3, random_state=0).fit(rows, targets)
    before = made.predict(rows)
    made.out_activation_ = theirs.out_activation_ = "logistic"
    np.testing.assert_allclose(made.predict(rows), expit(before), rtol=1e-6)
    assert theirs.predict(rows).max() < 1.0


@quietly
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_an_unknown_output_activation_is_refused(kind: Any) -> None:
    made = kind(hidden_layer_sizes=(8,), max_iter=3).fit(*TWO)
    made.out_activation_ = "sigmoid"
    with pytest.raises(ValueError, match=r"unknown out_activation_ 'sigmoid'; known are:.*logis"):
        made.predict(TWO[0])


@quietly
def test_a_fit_does_not_continue_from_another_output_activation() -> None:
    made = small(warm_start=True).fit(X, y)
    made.out_activation_ = "identity"
    with pytest.raises(ValueError, match=r"out_activation_ must be 'softmax'.*got 'identity'"):
        made.partial_fit(X, y)


def timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


WIDE: Any = random_array((1000, 20_000), density=0.01, format="csr", rng=np.random.default_rng(0))
"""As dense rows these take 160 MB."""


@pytest.fixture(scope="module")
def fitted() -> Any:
    return small(hidden_layer_sizes=(100,), max_iter=1).fit(WIDE[:200], np.arange(200) % 3)


@quietly
@pytest.mark.slow
def test_sparse_rows_are_predicted_much_faster_than_dense_ones(
    fitted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sparse = min(timed(lambda: fitted.predict(WIDE)) for _ in range(5))
    expected = fitted.predict_proba(WIDE)
    monkeypatch.setattr(handloom.estimators.rows, "DENSE_FROM", -1.0)
    dense = min(timed(lambda: fitted.predict(WIDE)) for _ in range(5))
    assert sparse < dense / 3  # an idle machine has a tenth
    np.testing.assert_allclose(fitted.predict_proba(WIDE), expected, rtol=1e-9)


@quietly
def test_a_prediction_of_sparse_rows_takes_little_memory(fitted: Any) -> None:
    tracemalloc.start()
    try:
        fitted.predict(WIDE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20e6


@quietly
@pytest.mark.parametrize("hidden", [(), (8,), (8, 4)])
@pytest.mark.parametrize("density", [0.02, 0.9])
def test_sparse_rows_are_predicted_as_dense_ones(hidden: tuple[int, ...], density: float) -> None:
    rows = np.where(
        np.random.default_rng(1).random((700, 5)) < density, np.tile(X, (6, 1))[:700], 0
    )
    made = small(hidden_layer_sizes=hidden).fit(X, y)
    expected = made.predict_proba(rows)
    np.testing.assert_allclose(made.predict_proba(csr_array(rows)), expected, rtol=1e-9)
    assert made.predict_proba(csr_array(rows[:1])).shape == (1, 3)


@pytest.mark.long
@quietly
@pytest.mark.parametrize("jobs", [1, 2])
def test_the_fits_of_a_cross_validation_write_files_of_their_own(tmp_path: Path, jobs: int) -> None:
    files = [CSVLog(tmp_path / "log.csv"), BestModel(tmp_path / "best", "loss")]
    found = cross_validate(
        small(callbacks=files, max_iter=2, batch_size=20),
        X,
        y,
        cv=3,
        n_jobs=jobs,
        return_estimator=True,
    )
    logs, models = ({made.callbacks[index] for made in found["estimator"]} for index in (0, 1))
    assert {log.path.name for log in logs} == {"log.csv", "log-2.csv", "log-3.csv"}
    assert {model.folder.name for model in models} == {"best", "best-2", "best-3"}
    for made in found["estimator"]:
        log, best = made.callbacks
        lines = log.path.read_text().splitlines()
        assert len(lines) == 3
        assert float(lines[-1].split(",")[1]) == pytest.approx(made.loss_, rel=1e-5)
        saved = Model.load(best.folder)
        np.testing.assert_allclose(saved.predict(X), made.predict_proba(X), rtol=1e-6)


@quietly
def test_a_search_leaves_the_files_of_earlier_fits_in_place(tmp_path: Path) -> None:
    made = small(callbacks=[CSVLog(tmp_path / "log.csv")], max_iter=1)
    made.fit(X, y)
    own = (tmp_path / "log.csv").read_text()
    search = GridSearchCV(made, {"alpha": [0.0, 1.0]}, cv=2).fit(X, y)
    assert (tmp_path / "log.csv").read_text() == own
    assert search.best_estimator_.callbacks[0].path == tmp_path / "log-6.csv"
    assert len(list(tmp_path.iterdir())) == 6
    assert made.set_params(max_iter=2).fit(X, y).callbacks[0].path == tmp_path / "log.csv"
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3  # replaced by its owner


class Score(Callback):
    """Records a score of its own under the estimators' name."""

    def on_validation_end(self, *, state: TrainingState, measured: Measurement) -> None:
        state.record("validation_score", 0.5)


class Mine(Callback):
    """Records a figure at every step."""

    def on_step_end(self, *, state: TrainingState, measured: Measurement) -> None:
        state.record("mine", measured.loss)


@quietly
def test_two_callbacks_that_record_the_same_figure_are_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="from two, RecordScore and Score"):
        small(callbacks=[Score()], early_stopping=True).fit(X, y)
    with pytest.raises(ConfigurationError, match=r"'mine' from two, Mine and Mine"):
        small(callbacks=[Mine(), Mine()]).fit(X, y)
    assert small(callbacks=[Mine()]).fit(X, y).n_iter_ == 3
