"""An estimator as a model: the same predictions, saved and loaded without pickle."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from handloom import (
    ConfigurationError,
    Dataset,
    Dense,
    MLPClassifier,
    MLPRegressor,
    Model,
    ModelError,
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
