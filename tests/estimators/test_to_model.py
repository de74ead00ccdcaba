"""An estimator as a model: the same predictions, saved and loaded without pickle."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from tests.estimators.helpers import classifier, plain_network, regressor

from handloom import (
    ConfigurationError,
    Dataset,
    Dense,
    MLPClassifier,
    MLPRegressor,
    Model,
    ModelError,
    NetworkClassifier,
    Sequential,
    Softmax,
    evaluate,
)
from handloom.data.transforms import AsFloat

pd: Any = pytest.importorskip("pandas")

X = np.random.default_rng(0).standard_normal((90, 5))
Y = X[:, 0] + 2.0 * X[:, 1]
MADE: dict[str, Any] = {
    "classes": (MLPClassifier((8,), max_iter=20, random_state=0, tol=0), np.arange(90) % 3),
    "two classes": (MLPClassifier((8,), max_iter=20, random_state=0, tol=0), Y > 0),
    "labels": (
        MLPClassifier((8,), max_iter=20, random_state=0, tol=0),
        np.c_[Y > 0, X[:, 2] > 0] * 1,
    ),
    "continuous": (MLPRegressor(hidden_layer_sizes=(8,), max_iter=200, random_state=0, tol=0), Y),
    "counts": (
        MLPRegressor("poisson", hidden_layer_sizes=(8,), max_iter=200, random_state=0, tol=0),
        np.exp(0.3 * Y),
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_a_model_of_an_estimator_predicts_the_same_after_a_file(name: str, tmp_path: Path) -> None:
    made, targets = MADE[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        made.fit(X, targets)
    made.to_model("mine").save(tmp_path)
    predicted = Model.load(tmp_path).predict(X)
    expected = made.predict_proba(X) if isinstance(made, MLPClassifier) else made.predict(X)
    if name == "two classes":
        expected = expected[:, 1]
    assert np.allclose(predicted, expected.reshape(predicted.shape), rtol=1e-12)


def test_several_quantiles_of_a_table_keep_their_target() -> None:
    frame = pd.DataFrame({"size": X[:, 0], "town": np.where(X[:, 1] > 0, "Bern", "Oslo")})
    estimator = MLPRegressor(
        "quantile", quantile=[0.1, 0.9], categorical_features="from_dtype", max_iter=3, tol=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(frame, pd.Series(Y, name="price"))
    model = estimator.to_model()
    assert model.columns is not None
    assert model.columns.class_names == ("price",)
    data = Dataset.from_frame(frame.assign(price=Y), "price", columns=model.columns)
    metrics = evaluate(model, data).quantiles
    assert metrics is not None
    assert metrics.quantiles == (0.1, 0.9)
    assert np.allclose(metrics.predictions, estimator.predict(frame), rtol=1e-5)


def test_a_model_of_two_classes_is_asked_for_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"MLPClassifier: pass estimator\.to_model\(\)"):
        evaluate(MLPClassifier(), Dataset(X, Y))


def test_an_estimator_that_is_not_fitted_has_no_model() -> None:
    with pytest.raises(NotFittedError):
        MLPClassifier().to_model()


def test_a_model_that_could_not_be_loaded_is_not_made() -> None:
    network = Sequential([Dense(3)]).build((5,))
    arguments: Any = (AsFloat(), ("a", "b"), (5,), "float32")
    with pytest.raises(ModelError, match="2 class names do not fit"):
        Model(network, *arguments)
    with pytest.raises(ModelError, match=r"rows of shape \(6,\) do not fit"):
        Model(network, AsFloat(), tuple("abc"), (6,), "float32")


def test_numpy_names_and_dtypes_of_a_model_are_saved(tmp_path: Path) -> None:
    network = Sequential([Dense(3)]).build((5,))
    names: Any = tuple(np.arange(3))
    dtype: Any = np.dtype(np.float32)
    Model(network, AsFloat(), names, (5,), dtype).save(tmp_path)
    assert Model.load(tmp_path).class_names == ("0", "1", "2")


def test_the_softmax_of_a_single_output_is_refused() -> None:
    with pytest.raises(ModelError, match="the softmax is always 1"):
        Sequential([Dense(1), Softmax()]).build((5,))
    network = Sequential([Dense(1)]).build((5,))
    with pytest.raises(ModelError, match="softmax of a single output is always 1"):
        Model(network, AsFloat(), ("a",), (5,), "float32").predict(X.astype(np.float32))


@pytest.mark.parametrize("how", ["fit", "partial_fit", "network"])
def test_a_single_class_is_no_model(how: str) -> None:
    if how == "network":
        made: Any = NetworkClassifier(plain_network, max_iter=2, random_state=0)
    else:
        made = classifier(max_iter=2)
    only = np.full(len(X), 7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        made = made.partial_fit(X, only, classes=[7]) if how == "partial_fit" else made.fit(X, only)
    with pytest.raises(ModelError, match=r"of a single class, '7', has no model: it predicts that"):
        made.to_model()


def test_weights_without_a_fit_are_no_model() -> None:
    fitted, made = regressor(max_iter=3, tol=1e9, n_iter_no_change=1).fit(X, Y), regressor()
    made.coefs_, made.intercepts_ = fitted.coefs_, fitted.intercepts_
    assert made.predict(X).shape == (90,)
    with pytest.raises(ModelError, match="MLPRegressor has weights that were assigned without a"):
        made.to_model()


def test_another_output_activation_is_refused_in_a_model() -> None:
    made = regressor(tol=1.0, max_iter=20).fit(X, Y)
    made.out_activation_ = "exp"
    with pytest.raises(ModelError, match="must be 'identity', that of the loss, in a model, got"):
        made.to_model()


def test_weights_of_a_diverged_fit_are_refused_in_a_model() -> None:
    made = regressor(solver="sgd", learning_rate_init=1e9, on_divergence="warn")
    with pytest.warns(ConvergenceWarning, match="non-finite"):
        made.fit(X, Y)
    with pytest.raises(ModelError, match=r"must be finite to make a model, .* its fit diverged"):
        made.to_model()


def test_whole_floats_as_classes_keep_the_target_of_a_table() -> None:
    frame = pd.DataFrame({"size": X[:, 0], "town": np.where(X[:, 1] > 0, "Bern", "Oslo")})
    y = pd.Series(Y > 0, name="rich").astype("Int64")
    made = classifier(categorical_features="from_dtype", max_iter=20, tol=1.0).fit(frame, y)
    model = made.to_model()
    assert model.columns is not None
    assert model.columns.class_names == ("0", "1")
    data = Dataset.from_frame(frame.assign(rich=y), "rich", columns=model.columns)
    assert evaluate(model, data).accuracy == pytest.approx(made.score(frame, y))
