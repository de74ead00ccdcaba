"""The estimators within scikit-learn's tools: pipelines, searches, clones, pickles."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csc_matrix, csr_array
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.estimators.helpers import classes, continuous, labels

from handloom import (
    Adam,
    BestModel,
    Callback,
    Dense,
    Dropout,
    Layer,
    MLPClassifier,
    MLPRegressor,
    Model,
    NetworkClassifier,
    NetworkRegressor,
    ReLU,
    Sequential,
    Tanh,
)
from handloom.errors import ModelError
from handloom.training import EpochRecord, TrainingState

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def small(outputs: int) -> Sequential:
    return Sequential([Dense(16), ReLU(), Dropout(0.1), Dense(outputs)])


X, y = classes(3)
MLP = MLPClassifier((8,), random_state=0, max_iter=20, learning_rate_init=0.02)
NETWORK = NetworkClassifier(small, random_state=0, max_iter=20, learning_rate_init=0.02)


@pytest.mark.parametrize("made", [MLP, NETWORK], ids=["mlp", "network"])
def test_searches_pipelines_calibration_and_processes(made: Any) -> None:
    piped = make_pipeline(StandardScaler(), made)
    assert cross_val_score(piped, X, y, cv=2, n_jobs=2).mean() > 0.8
    search = GridSearchCV(made, {"learning_rate_init": [1e-9, 0.02]}, cv=2).fit(X, y)
    assert search.best_params_ == {"learning_rate_init": 0.02}
    assert CalibratedClassifierCV(made, cv=2).fit(X, y).score(X, y) > 0.8


@pytest.mark.parametrize("made", [MLP, NETWORK], ids=["mlp", "network"])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])  # noqa: S301
def test_a_copy_predicts_and_goes_on_alike(made: Any, copied: Any) -> None:
    made = clone(made).set_params(warm_start=True, batch_size=32).fit(X, y)
    replica = copied(made)
    assert np.array_equal(replica.predict_proba(X), made.predict_proba(X))
    replica.fit(X, y)
    untouched = made.predict_proba(X)
    assert not np.array_equal(replica.predict_proba(X), untouched)
    assert np.array_equal(made.fit(X, y).predict_proba(X), replica.predict_proba(X))


def test_a_clone_is_not_fitted() -> None:
    assert not hasattr(clone(clone(MLP).fit(X, y)), "coefs_")


def test_columns_have_names_that_are_checked() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcde"))
    made = clone(MLP).fit(frame, y)
    assert made.feature_names_in_.tolist() == list("abcde")
    with pytest.raises(ValueError, match="feature names"):
        made.predict(frame[list("edcba")])
    named = make_pipeline(StandardScaler(), clone(MLP)).set_output(transform="pandas")
    assert named.fit(frame, y)[-1].feature_names_in_.tolist() == list("abcde")


@pytest.mark.parametrize("kind", [csr_array, csc_matrix])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_rows_are_dense_rows_with_zeros_left_out(kind: Any, solver: str) -> None:
    rows = np.where(np.abs(X) > 0.8, X, 0.0)
    made = clone(MLP).set_params(solver=solver, batch_size=32, early_stopping=True)
    dense, sparse = clone(made).fit(rows, y), clone(made).fit(kind(rows), y)
    np.testing.assert_allclose(sparse.coefs_[0], dense.coefs_[0], rtol=1e-9)
    many = kind(np.tile(rows, (20, 1)))
    np.testing.assert_allclose(
        sparse.predict_proba(many)[-120:], dense.predict_proba(rows), rtol=1e-9
    )


def test_several_labels_may_be_sparse_too() -> None:
    rows, targets = labels()
    made = MLPClassifier((16,), random_state=0, solver="lbfgs").fit(rows, csr_array(targets))
    predicted: Any = made.predict(rows)
    assert (predicted.toarray() == targets).all()


def test_classes_may_be_strings() -> None:
    names = np.array(["cat", "dog", "owl"], dtype=object)
    made = clone(MLP).fit(X, names[y])
    assert made.classes_.tolist() == ["cat", "dog", "owl"]
    assert np.array_equal(made.predict(X), names[clone(MLP).fit(X, y).predict(X)])


def test_a_single_class_is_always_predicted() -> None:
    made = clone(MLP).fit(X, np.full(120, "owl"))
    assert set(made.predict(X)) == {"owl"}
    assert (made.predict_proba(X) == [1.0, 0.0]).all()


def test_predictions_from_several_threads_are_the_same() -> None:
    made = clone(MLP).fit(X, y)
    many = np.tile(X, (30, 1))
    alone = made.predict_proba(many)
    with ThreadPoolExecutor(4) as pool:
        assert all(
            np.array_equal(probabilities, alone)
            for probabilities in pool.map(made.predict_proba, [many] * 8)
        )


def test_other_weights_may_be_put_in_place() -> None:
    made, other = clone(MLP).fit(X, y), clone(MLP).set_params(random_state=1).fit(X, y)
    made.coefs_, made.intercepts_ = other.coefs_, other.intercepts_
    assert np.array_equal(made.predict_proba(X), other.predict_proba(X))
    made.coefs_[0][...] = 0.0
    made.intercepts_[0][...] = 0.0
    assert np.ptp(made.predict_proba(X), axis=0).max() == 0.0
    assert np.ptp(other.predict_proba(X), axis=0).max() > 0.0


def test_a_network_may_have_several_labels_or_numbers() -> None:
    rows, targets = labels()
    made = NetworkClassifier(small, random_state=0, max_iter=200, learning_rate_init=0.02)
    assert made.fit(rows, targets).score(rows, targets) > 0.8
    regressor = NetworkRegressor(small, random_state=0, max_iter=200, learning_rate_init=0.02)
    assert regressor.fit(*continuous(2)).score(*continuous(2)) > 0.8


class Wide(BaseEstimator):  # type: ignore[misc]
    """A factory with a parameter of its own."""

    def __init__(self, width: int = 4, activation: type[Layer] = Tanh) -> None:
        self.width, self.activation = width, activation

    def __call__(self, outputs: int) -> Sequential:
        return Sequential([Dense(self.width), self.activation(), Dense(outputs)])


def test_parameters_of_a_factory_can_be_searched() -> None:
    made = NetworkClassifier(Wide(), random_state=0, max_iter=2)
    assert "network_factory__width" in made.get_params()
    search = GridSearchCV(made, {"network_factory__width": [3, 6]}, cv=2).fit(X, y)
    assert search.best_estimator_.network_.layers[0].units in (3, 6)
    with pytest.raises(ValueError, match=r"'network_factry'.*Did you mean 'network_factory'"):
        made.set_params(network_factry__width=3)


@pytest.mark.parametrize("changed", [Wide(4, ReLU), Wide(9)])
def test_a_copy_is_what_was_fitted_whatever_the_factory_makes_now(changed: Wide) -> None:
    made = NetworkClassifier(Wide(), random_state=0, max_iter=20).fit(X, y)
    expected = made.predict_proba(X)
    made.set_params(network_factory=changed)
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):  # noqa: S301
        np.testing.assert_array_equal(other.predict_proba(X), expected)


def test_what_is_predicted_is_what_was_fitted() -> None:
    rows, targets = continuous()
    made = MLPRegressor(hidden_layer_sizes=(4,), random_state=0, max_iter=5).fit(rows, targets)
    expected = made.predict(rows)
    np.testing.assert_array_equal(made.set_params(loss="poisson").predict(rows), expected)


def test_a_factory_may_return_a_trained_network_to_go_on_from() -> None:
    first = NetworkClassifier(Wide(), random_state=0, max_iter=60, learning_rate_init=0.05)
    first.fit(X, y)
    before = dict(first.network_.parameters.weights)

    def tuned(_: int) -> Sequential:
        return copy.deepcopy(first.network_).freeze("0.dense")

    made = NetworkClassifier(tuned, random_state=1, max_iter=3).fit(X, y)
    after = made.network_.parameters.weights
    np.testing.assert_array_equal(after["0.dense.weights"], before["0.dense.weights"])
    change = np.abs(after["2.dense.weights"] - before["2.dense.weights"]).max()
    assert 0.0 < change < 0.1
    with pytest.raises(ModelError, match=r"from \(4,\) to \(3,\), got one from \(5,\)"):
        made.fit(X[:, :4], y)


def test_layers_may_be_frozen_and_freed_between_fits() -> None:
    frozen = ["0.dense"]

    def network(outputs: int) -> Sequential:
        made = Sequential([Dense(8), Tanh(), Dense(8), Dense(outputs)])
        for layer in (made.layers[int(name[0])] for name in frozen):
            layer.freeze()
        return made

    held = classes(3, 60, seed=1)
    made = NetworkClassifier(
        network, warm_start=True, early_stopping=True, max_iter=15, random_state=0
    ).set_params(learning_rate_init=0.05)
    made.fit(X, y, X_val=held[0], y_val=held[1])
    before = {name: array.copy() for name, array in made.network_.parameters.weights.items()}
    made.set_params(learning_rate_init=1e-9, max_iter=3)
    for names in ([], ["2.dense"], ["0.dense", "2.dense"]):
        frozen[:] = names
        made.fit(X, y, X_val=held[0], y_val=held[1])
        for name, array in made.network_.parameters.weights.items():
            np.testing.assert_allclose(array, before[name], rtol=0, atol=1e-6)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_pickle_holds_the_weights_once(solver: str) -> None:
    rows, targets = classes(3)
    made = MLPClassifier((500, 200), solver=solver, max_iter=2, random_state=0).fit(rows, targets)
    size = made.network_.parameters.values.nbytes
    moments = 2 if solver == "adam" else 0
    assert len(pickle.dumps(made)) < (1.1 + moments) * size


def test_saved_models_name_the_classes(tmp_path: Path) -> None:
    for kinds in (2, 3):
        rows, indices = classes(kinds)
        names = np.array(["cat", "dog", "eel"])[indices]
        callbacks = [BestModel(tmp_path / str(kinds), "loss")]
        made = MLPClassifier(
            (4,), callbacks=callbacks, batch_size=30, max_iter=2, random_state=0
        ).fit(rows, names)
        model = Model.load(tmp_path / str(kinds))
        assert model.class_names == (("dog",) if kinds == 2 else ("cat", "dog", "eel"))
        shown = model.predict(rows[:3])
        np.testing.assert_allclose(shown[:, -1], made.predict_proba(rows[:3])[:, -1], rtol=1e-12)
    rows, targets = labels()
    spied: list[tuple[str, ...]] = []

    class Spy(Callback):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            spied.append(state.model.class_names)

    MLPClassifier((4,), callbacks=[Spy()]).partial_fit(rows, targets, classes=[0, 1, 2])
    assert spied == [("0", "1", "2")]


def test_a_factory_must_return_a_network_that_fits() -> None:
    with pytest.raises(ModelError, match=r"must return a handloom\.Sequential"):
        NetworkClassifier(lambda outputs: Adam()).fit(X, y)  # type: ignore[arg-type, return-value]
    with pytest.raises(ModelError, match=r"from \(5,\) to \(3,\), got one from \(5,\) to \(4,\)"):
        NetworkClassifier(lambda outputs: small(outputs + 1)).fit(X, y)
    with pytest.raises(TypeError, match=r"Did you mean 'network_factory'"):
        NetworkClassifier(network_factry=small)  # type: ignore[call-arg]
