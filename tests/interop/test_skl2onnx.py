"""Pipelines that end in an estimator are exported as those with scikit-learn's own perceptrons."""

import sys
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as TheirClassifier, MLPRegressor as TheirRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from handloom import (
    Conv2D,
    Dense,
    Flatten,
    Layer,
    MLPClassifier,
    MLPRegressor,
    NetworkClassifier,
    NetworkRegressor,
    Reshape,
    Sequential,
)
from handloom.errors import ConfigurationError, MissingExtraError, ModelError
from handloom.interop.skl2onnx import register

skl2onnx: Any = pytest.importorskip("skl2onnx")
onnxruntime: Any = pytest.importorskip("onnxruntime")
pd: Any = pytest.importorskip("pandas")

IRIS, SPECIES = load_iris(return_X_y=True)
DIABETES, PROGRESSION = load_diabetes(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[SPECIES]
LABELS = np.column_stack([SPECIES == 0, IRIS[:, 0] > 5.8, SPECIES > 0]).astype(int)
TARGETS = {
    "two integers": (SPECIES > 0).astype(int),
    "integers": SPECIES + 3,
    "two texts": np.where(SPECIES > 0, "other", "setosa"),
    "texts": NAMES,
    "booleans": SPECIES > 1,
    "floats": SPECIES.astype(float),
    "several labels": LABELS,
}
QUICK: dict[str, Any] = {"max_iter": 5, "random_state": 0}
SMALL: dict[str, Any] = {"hidden_layer_sizes": (8,), **QUICK}
TOLERANCES = {"float32": 2e-6, "float64": 1e-12}


@pytest.fixture(autouse=True)
def _registered() -> None:
    register()
    register()  # as often as anyone likes


def fitted(estimator: BaseEstimator, rows: Any, y: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(rows, y)


def pipeline(estimator: BaseEstimator, rows: Any, y: Any) -> Any:
    return fitted(make_pipeline(StandardScaler(), estimator), rows, y)


def session(subject: Any, rows: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of the converter of scikit-learn's perceptrons
        content = skl2onnx.to_onnx(subject, rows[:1], **options).SerializeToString()
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 3
    return onnxruntime.InferenceSession(content, quiet, providers=["CPUExecutionProvider"])


def predicted(subject: Any, rows: npt.NDArray[Any], **options: Any) -> list[Any]:
    """Return onnxruntime's predictions with an exported estimator."""
    results: list[Any] = session(subject, rows, **options).run(None, {"X": rows})
    return results


def outputs(subject: Any, rows: npt.NDArray[Any], **options: Any) -> list[tuple[str, str, Any]]:
    """Return the names, types and shapes of the outputs of an exported estimator."""
    described = session(subject, rows, **options).get_outputs()
    return [(each.name, each.type, each.shape) for each in described]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", TARGETS)
def test_labels_and_probabilities_of_a_classifier(target: str, dtype: str) -> None:
    rows, y = IRIS.astype(dtype), TARGETS[target]
    own = pipeline(MLPClassifier(**SMALL), rows, y)
    label, probabilities = predicted(own, rows, options={"zipmap": False})
    np.testing.assert_array_equal(label, own.predict(rows))
    assert probabilities.dtype == dtype
    tolerance = TOLERANCES[dtype]
    np.testing.assert_allclose(probabilities, own.predict_proba(rows), rtol=0.0, atol=tolerance)


@pytest.mark.parametrize("zipmap", [True, False, "columns"])
@pytest.mark.parametrize("target", ["two texts", "integers", "booleans"])
def test_outputs_are_those_of_the_perceptron_of_scikit_learn(target: str, zipmap: Any) -> None:
    rows, y = IRIS.astype(np.float32), TARGETS[target]
    own, theirs = (
        outputs(pipeline(kind(**SMALL), rows, y), rows, options={kind: {"zipmap": zipmap}})
        for kind in (MLPClassifier, TheirClassifier)
    )
    assert own == theirs


def test_the_default_option_works_for_float64_too() -> None:
    own = pipeline(MLPClassifier(**SMALL), IRIS, NAMES)
    label, probabilities = predicted(own, IRIS)
    assert label.tolist() == own.predict(IRIS).tolist()
    assert probabilities[0] == pytest.approx(
        dict(zip(own.classes_, own.predict_proba(IRIS[:1])[0], strict=True)), abs=1e-6
    )


def test_other_options_of_a_classifier() -> None:
    rows = IRIS.astype(np.float32)
    own = pipeline(MLPClassifier(**SMALL), rows, NAMES)
    options = {"zipmap": False, "nocl": True}
    label, _ = predicted(own, rows, options={MLPClassifier: options})
    assert own.classes_[label].tolist() == own.predict(rows).tolist()
    options = {"zipmap": False, "output_class_labels": True}
    *_, classes = predicted(own, rows, options={MLPClassifier: options})
    assert classes.tolist() == own.classes_.tolist()


REGRESSORS = {
    "one output": (MLPRegressor(**SMALL), PROGRESSION / 100),
    "two outputs": (MLPRegressor(**SMALL), np.column_stack([PROGRESSION, -PROGRESSION]) / 100),
    "counts": (MLPRegressor("poisson", **SMALL), PROGRESSION / 100),
    "quantile": (MLPRegressor("quantile", quantile=0.9, **SMALL), PROGRESSION / 100),
    "quantiles": (MLPRegressor("quantile", quantile=[0.1, 0.5, 0.9], **SMALL), PROGRESSION / 100),
    "any network": (
        NetworkRegressor(lambda k: Sequential([Dense(4), "tanh", Dense(k)]), **QUICK),
        PROGRESSION / 100,
    ),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", REGRESSORS)
def test_predictions_of_a_regressor(name: str, dtype: str) -> None:
    estimator, y = REGRESSORS[name]
    rows = DIABETES.astype(dtype)
    own = pipeline(estimator, rows, y)
    (values,) = predicted(own, rows)
    assert values.dtype == dtype
    expected = own.predict(rows).reshape(values.shape)
    np.testing.assert_allclose(values, expected, rtol=TOLERANCES[dtype], atol=TOLERANCES[dtype])


def test_the_output_of_a_regressor_is_that_of_scikit_learn() -> None:
    own, theirs = (
        outputs(pipeline(kind(**SMALL), DIABETES, PROGRESSION / 100), DIABETES)
        for kind in (MLPRegressor, TheirRegressor)
    )
    assert own == theirs


@pytest.mark.parametrize("opset", [17, 18, 21])
def test_any_network_with_any_opset(opset: int) -> None:
    rows = IRIS.astype(np.float32)
    images: list[Layer | str] = [Reshape((1, 2, 2)), Conv2D(3, 2, padding=1), "gelu", Flatten()]
    own = fitted(
        NetworkClassifier(lambda k: Sequential([*images, Dense(k)]), **QUICK), rows, SPECIES > 0
    )
    label, probabilities = predicted(own, rows, options={"zipmap": False}, target_opset=opset)
    np.testing.assert_array_equal(label, own.predict(rows))
    np.testing.assert_allclose(probabilities, own.predict_proba(rows), rtol=0.0, atol=2e-6)


def test_columns_of_a_frame_are_encoded_by_the_pipeline() -> None:
    rows = pd.DataFrame({"length": IRIS[:, 0], "width": IRIS[:, 1]})
    rows["petal"] = np.where(IRIS[:, 2] > 4.0, "long", "short")
    encoder = make_column_transformer(
        (StandardScaler(), ["length", "width"]), (OneHotEncoder(sparse_output=False), ["petal"])
    )
    own = fitted(make_pipeline(encoder, MLPClassifier(**SMALL)), rows, NAMES)
    runner = session(own, rows, options={"zipmap": False})
    feeds = {name: rows[[name]].to_numpy(object if name == "petal" else float) for name in rows}
    label, probabilities = runner.run(None, feeds)
    np.testing.assert_array_equal(label, own.predict(rows))
    np.testing.assert_allclose(probabilities, own.predict_proba(rows), rtol=0.0, atol=2e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_estimators_inside_of_others(dtype: str) -> None:
    rows, own = IRIS.astype(dtype), MLPClassifier(**SMALL)
    outer = [
        GridSearchCV(own, {"alpha": [1e-4, 1e-3]}, cv=2),
        StackingClassifier([("a", own), ("b", own)], final_estimator=own, cv=2),
        BaggingClassifier(own, n_estimators=2, random_state=0),
    ]
    for each in outer:
        estimator = fitted(each, rows, NAMES)
        label, probabilities = predicted(estimator, rows, options={"zipmap": False})
        np.testing.assert_array_equal(label, estimator.predict(rows))
        assert probabilities.dtype == dtype
        expected = estimator.predict_proba(rows)
        np.testing.assert_allclose(probabilities, expected, rtol=0.0, atol=TOLERANCES[dtype])


def test_another_output_activation_and_other_weights_of_a_caller() -> None:
    rows = IRIS.astype(np.float32)
    own = fitted(MLPClassifier(**SMALL), rows, NAMES)
    own.out_activation_ = "tanh"
    own.intercepts_ = [b + np.float32(0.1) for b in own.intercepts_]
    label, outputs = predicted(own, rows, options={"zipmap": False})
    np.testing.assert_array_equal(label, own.predict(rows))
    np.testing.assert_allclose(outputs, own.predict_proba(rows), rtol=0.0, atol=2e-6)


def test_integers_and_booleans_become_numbers() -> None:
    integers = np.round(IRIS).astype(np.int64)
    for rows in (integers, integers > 3):
        own = fitted(MLPClassifier(**SMALL), rows, NAMES)
        label, probabilities = predicted(own, rows, options={"zipmap": False})
        np.testing.assert_array_equal(label, own.predict(rows))
        np.testing.assert_allclose(probabilities, own.predict_proba(rows), rtol=0.0, atol=2e-6)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_an_estimator_that_is_not_fitted_is_refused(kind: Any) -> None:
    with pytest.raises(NotFittedError, match=f"This {kind.__name__} instance is not fitted yet"):
        session(kind(), IRIS)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_raw_columns_of_an_estimator_are_refused(kind: Any) -> None:
    rows = pd.DataFrame({"a": IRIS[:, 0], "b": NAMES})
    own = fitted(kind(categorical_features=["b"], **SMALL), rows, SPECIES)
    with pytest.raises(ModelError, match=r"handloom\.to_onnx\(estimator\.to_model\(\), path\)"):
        session(own, rows)


def test_a_fit_that_has_nothing_to_predict_is_refused() -> None:
    single = fitted(MLPClassifier(**SMALL), IRIS, np.full(len(IRIS), "all"))
    with pytest.raises(ModelError, match="the single class 'all'"):
        session(single, IRIS)
    diverged = fitted(MLPClassifier(**SMALL), IRIS, NAMES)
    diverged.network_.parameters.values[...] = np.nan
    with pytest.raises(ModelError, match="weights that are not finite"):
        session(diverged, IRIS)


def test_an_older_opset_is_refused() -> None:
    own = fitted(MLPClassifier(**SMALL), IRIS, NAMES)
    with pytest.raises(ConfigurationError, match=r"opset must be .* at least 17, got 16"):
        session(own, IRIS, target_opset=16)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(MissingExtraError, match=r"needs the package 'skl2onnx'.*extra 'onnx'"):
        register()
