"""Raw tables in the estimators: texts, categories and missing values are encoded by a fit."""

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.utils import get_tags

from handloom import (
    DataError,
    Dataset,
    DataWarning,
    Dense,
    Embedding,
    MLPClassifier,
    MLPRegressor,
    Model,
    NetworkClassifier,
    NetworkRegressor,
    ReLU,
    Sequential,
    evaluate,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ROWS = 120


def network(outputs: int) -> Sequential:
    return Sequential([Dense(8), ReLU(), Dense(outputs)])


def frame(rows: int = ROWS, *, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "size": np.where(generator.random(rows) < 0.1, np.nan, generator.normal(90, 30, rows)),
            "town": pd.Series(generator.choice(["Bern", "Genf"], rows)).mask(
                generator.random(rows) < 0.05
            ),
            "heating": pd.Categorical(generator.choice(["gas", "oil"], rows)),
            "balcony": generator.random(rows) < 0.5,
            "zone": generator.integers(1, 4, rows),
        }
    )


X = frame()
PRICE = pd.Series(
    np.nan_to_num(X["size"]) / 30 + 2.0 * (X["town"] == "Genf") - (X["zone"] == 2), name="price"
)
LEVEL = pd.Series(np.where(PRICE > 4.0, "high", "low"), name="level")
SMALL: dict[str, Any] = {"max_iter": 30, "learning_rate_init": 0.02, "random_state": 0}


def classifier(**options: Any) -> MLPClassifier:
    made = {"hidden_layer_sizes": (8,), "categorical_features": "from_dtype", **SMALL, **options}
    return MLPClassifier(**made)


def all_kinds(**options: Any) -> list[Any]:
    options = {"categorical_features": "from_dtype", **SMALL, **options}
    return [
        MLPClassifier((8,), **options),
        MLPRegressor(hidden_layer_sizes=(8,), **options),
        NetworkClassifier(network, **options),
        NetworkRegressor(network, **options),
    ]


def target_of(estimator: Any) -> pd.Series:
    return LEVEL if hasattr(estimator, "predict_proba") else PRICE


@pytest.mark.parametrize("encoding", ["one-hot", "embed"])
@pytest.mark.parametrize("kind", range(4))
def test_every_estimator_learns_and_predicts_raw_rows(
    kind: int, encoding: str, tmp_path: Path
) -> None:
    made = all_kinds(categorical_encoding=encoding, max_iter=100)[kind]
    y = target_of(made)
    made.fit(X, y)
    assert made.score(X, y) > 0.8
    assert made.n_features_in_ == 5
    assert list(made.feature_names_in_) == list(X)
    assert isinstance(made.network_.layers[0], Embedding) == (encoding == "embed")
    again = pickle.loads(pickle.dumps(made))  # noqa: S301
    assert np.array_equal(again.predict(X), made.predict(X))
    made.to_model().save(tmp_path)
    model = Model.load(tmp_path)
    expected = made.predict_proba(X) if y is LEVEL else made.predict(X)[:, None]
    expected = expected[:, -model.network.output_shape[0] :]
    np.testing.assert_allclose(model.predict(X[reversed(list(X))]), expected, rtol=1e-6)


def test_it_computes_as_a_pipeline_of_scikit_learn_does() -> None:
    complete = X.assign(size=X["size"].fillna(50.0), town=X["town"].fillna("Bern"))
    columns = ColumnTransformer(
        [
            ("size", StandardScaler(), ["size"]),
            ("texts", OneHotEncoder(sparse_output=False), ["town", "heating"]),
            ("rest", StandardScaler(), ["balcony", "zone"]),
        ]
    )
    to_float32 = FunctionTransformer(lambda rows: rows.astype(np.float32))
    plain = MLPClassifier((8,), **SMALL)
    pipeline = make_pipeline(columns, to_float32, plain).fit(complete, LEVEL)
    made = classifier().fit(complete, LEVEL)
    np.testing.assert_allclose(
        made.predict_proba(complete), pipeline.predict_proba(complete), atol=1e-5
    )


@pytest.mark.parametrize(
    "features",
    [
        ["town", "heating", "zone"],
        np.array([1, 2, 4]),
        [False, True, True, False, True],
        pd.Index(["zone", "heating", "town"]),
    ],
)
def test_categories_are_named_by_name_index_or_mask(features: Any) -> None:
    made = classifier(categorical_features=features, max_iter=2).fit(X, LEVEL)
    assert [each.name for each in made.columns_.inputs if each.kind == "category"] == [
        "town",
        "heating",
        "zone",
    ]
    by_dtype = classifier(max_iter=2).fit(X, LEVEL)
    assert "zone=2" in made.columns_.names
    assert "zone=2" not in by_dtype.columns_.names


@pytest.mark.parametrize("held_out", ["early_stopping", "X_val"])
def test_held_out_rows_teach_nothing(held_out: str) -> None:
    """Each row has a number and a category that no other row has."""
    rows = pd.DataFrame({"x": np.arange(30.0) ** 2, "name": [f"row {n}" for n in range(30)]})
    rows["name"] = rows["name"].astype("category")
    y = np.arange(30) % 3
    made = classifier(max_iter=2, early_stopping=held_out == "early_stopping")
    parts: dict[str, Any] = {"X": rows, "y": y}
    if held_out == "X_val":
        parts = {"X": rows[:27], "y": y[:27], "X_val": rows[27:], "y_val": y[27:]}
    with pytest.warns(DataWarning, match="column 'name': .* categories that the training rows"):
        made.fit(**parts)
    number, name = made.columns_.inputs
    assert made.columns_.rows == len(name.categories) == 27
    kept = rows["x"][[int(each[4:]) for each in name.categories]]
    assert number.mean == pytest.approx(kept.mean())
    assert number.scale == pytest.approx(kept.std(ddof=0))


def test_rows_of_weight_zero_teach_nothing() -> None:
    weights = np.ones(ROWS)
    weights[60:] = 0.0
    made = classifier(max_iter=2).fit(X, LEVEL, sample_weight=weights)
    assert made.columns_.rows == 60
    assert made.columns_.inputs[0].mean == pytest.approx(X["size"][:60].mean())


@pytest.mark.parametrize("encoding", ["one-hot", "embed"])
def test_unseen_categories_are_told_and_are_no_category(encoding: str) -> None:
    made = classifier(categorical_encoding=encoding).fit(X, LEVEL)
    with pytest.warns(DataWarning, match=r"column 'town': 120 rows .* such as 'Oslo'"):
        oslo = made.predict_proba(X.assign(town="Oslo"))
    with pytest.warns(DataWarning, match="such as 'Rome'"):
        rome = made.predict_proba(X.assign(town="Rome"))
    assert np.array_equal(oslo, rome)
    assert not np.array_equal(oslo, made.predict_proba(X))


def test_arrays_of_objects_and_lists_are_raw_rows_too() -> None:
    values = X.to_numpy(object)
    made = classifier(max_iter=3).fit(values, LEVEL)
    assert made.columns_.names[:3] == ("x0", "x0 is missing", "x1=Bern")
    assert not hasattr(made, "feature_names_in_")
    lists = classifier(max_iter=3).fit(values.tolist(), LEVEL)
    frames = classifier(max_iter=3).fit(X, LEVEL)
    assert np.array_equal(lists.predict_proba(values), made.predict_proba(values))
    assert np.array_equal(frames.predict_proba(X), made.predict_proba(values))


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_frames_of_other_libraries_are_the_same(library: str) -> None:
    module = pytest.importorskip(library)
    data = {
        name: [None if pd.isna(each) else each for each in column.astype(object)]
        for name, column in X.items()
    }
    other = module.DataFrame(data) if library == "polars" else module.table(data)
    made, expected = classifier(max_iter=3), classifier(max_iter=3).fit(X, LEVEL)
    made.fit(other, LEVEL)
    np.testing.assert_allclose(made.predict_proba(other), expected.predict_proba(X), rtol=1e-6)


def test_columns_are_checked_as_scikit_learn_checks_them() -> None:
    made = classifier(max_iter=2).fit(X, LEVEL)
    with pytest.raises(ValueError, match="must be in the same order"):
        made.predict(X[reversed(list(X))])
    with pytest.raises(ValueError, match="Feature names unseen at fit time"):
        made.predict(X.rename(columns={"zone": "Zone"}))
    unnamed = pytest.warns(UserWarning, match="X does not have valid feature names")
    with unnamed, pytest.raises(ValueError, match="4 features, but MLPClassifier is expecting 5"):
        made.predict(X.to_numpy(object)[:, :4])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        made.predict(X.to_numpy(object))
    with pytest.raises(DataError, match="column 'zone' must hold numbers, as in the training rows"):
        made.predict(X.assign(zone="three"))


def test_searches_pipelines_and_clones_take_it() -> None:
    made = make_pipeline(FunctionTransformer(), classifier(max_iter=3))
    grid = {
        "mlpclassifier__categorical_encoding": ["one-hot", "embed"],
        "mlpclassifier__categorical_features": ["from_dtype", ["town", "heating"]],
    }
    search = GridSearchCV(made, grid, cv=2, error_score="raise").fit(X, LEVEL)
    assert len(search.cv_results_["params"]) == 4
    assert search.predict(X).shape == (ROWS,)
    copied = clone(search.best_estimator_[-1])
    assert copied.get_params() == search.best_estimator_[-1].get_params()
    assert not hasattr(copied, "columns_")
    assert cross_val_score(classifier(max_iter=40), X, LEVEL, cv=3).mean() > 0.75


def test_scorers_and_callbacks_of_a_fit_get_an_estimator_that_predicts() -> None:
    made = classifier(early_stopping=True, scoring="roc_auc", max_iter=5).fit(X, LEVEL)
    assert made.validation_scores_ is not None
    assert np.isfinite(made.validation_scores_).all()
    callback = pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 or later")
    monitor = callback.ScoringMonitor(scoring="accuracy")
    made = classifier(max_iter=3, categorical_encoding="embed").set_callbacks(monitor)
    made.fit(X, LEVEL)
    scores = [task["accuracy"] for task in monitor.get_logs().data if task["task_name"] == "epoch"]
    assert scores[-1] == made.score(X, LEVEL)


@pytest.mark.parametrize("encoding", ["one-hot", "embed"])
def test_the_first_part_of_a_fit_teaches_the_columns(encoding: str) -> None:
    made = classifier(categorical_encoding=encoding)
    made.partial_fit(X[:60], LEVEL[:60], classes=["high", "low"])
    learned = made.columns_
    with pytest.warns(DataWarning, match="such as 'Oslo'"):
        made.partial_fit(X[60:].assign(town="Oslo"), LEVEL[60:])
    assert made.columns_ is learned
    assert learned.rows == 60
    unseen = X.assign(town="Rome")
    with pytest.warns(DataWarning, match="such as 'Rome'"):
        assert np.isfinite(made.predict_proba(unseen)).all()


def test_a_warm_start_keeps_the_columns_and_refuses_others() -> None:
    made = classifier(warm_start=True, max_iter=3).fit(X, LEVEL)
    learned, before = made.columns_, made.predict_proba(X)
    made.fit(X[:80], LEVEL[:80])
    assert made.columns_ is learned
    assert not np.array_equal(made.predict_proba(X), before)
    for options in ({"categorical_encoding": "embed"}, {"categorical_features": ["town"]}):
        other = clone(made).fit(X, LEVEL).set_params(**options)
        with pytest.raises(ValueError, match="must be as in the fit that is continued"):
            other.fit(X, LEVEL)
    assert made.set_params(warm_start=False).fit(X[:80], LEVEL[:80]).columns_.rows == 80


def test_a_fit_without_it_forgets_the_columns() -> None:
    made = classifier(max_iter=2).fit(X, LEVEL)
    numbers = X[["balcony", "zone"]].to_numpy(float)
    made.set_params(categorical_features=None).fit(numbers, LEVEL)
    assert not hasattr(made, "columns_")
    plain = classifier(max_iter=2, categorical_features=None).fit(numbers, LEVEL)
    assert np.array_equal(made.predict_proba(numbers), plain.predict_proba(numbers))


def test_a_fit_that_fails_leaves_the_estimator_as_it_was() -> None:
    made = classifier(max_iter=2).fit(X, LEVEL)
    before, learned = made.predict_proba(X), made.columns_
    with pytest.raises(DataError, match="must hold finite numbers"):
        made.fit(X.assign(size=np.inf), LEVEL)
    assert made.columns_ is learned
    assert np.array_equal(made.predict_proba(X), before)


def test_a_model_reads_the_target_from_a_table_too() -> None:
    for y, made in ((LEVEL, classifier()), (PRICE, all_kinds()[1])):
        model = made.fit(X, y).to_model("flats")
        whole = X.assign(**{str(y.name): y})
        data = Dataset.from_frame(whole, str(y.name), columns=model.columns)
        measured = evaluate(model, data)
        score = measured.accuracy if measured.regression is None else measured.regression.r2
        assert score == pytest.approx(made.score(X, y), abs=1e-5)


def test_coefficients_that_a_caller_assigns_keep_the_vectors() -> None:
    made = classifier(categorical_encoding="embed").fit(X, LEVEL)
    before = made.predict_proba(X)
    made.coefs_ = [array.copy() for array in made.coefs_]
    assert np.array_equal(made.predict_proba(X), before)
    made.coefs_[-1][...] = 0.0
    assert len(np.unique(made.predict_proba(X)[:, 0].round(6))) == 1


def test_the_tags_say_that_texts_and_missing_values_are_taken() -> None:
    raw, plain = get_tags(classifier()), get_tags(MLPClassifier())
    assert (raw.input_tags.allow_nan, raw.input_tags.sparse) == (True, False)
    assert (plain.input_tags.allow_nan, plain.input_tags.sparse) == (False, True)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_built_network_is_refused_behind_an_embedding(solver: str) -> None:
    def built(outputs: int) -> Sequential:
        return network(outputs).build(5)

    made = NetworkClassifier(
        built,
        categorical_features="from_dtype",
        categorical_encoding="embed",
        solver=solver,
        max_iter=2,
    )
    with pytest.raises(ValueError, match="must return a network that is not built"):
        made.fit(X, LEVEL)


NUMBERS = X[["balcony", "zone"]].to_numpy(float)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (X, {"categorical_features": ["twon"]}, "names the column 'twon'.* Did you mean 'town'"),
        (X, {"categorical_features": ["town"]}, "column 'heating' holds texts or categories, but"),
        (X, {"categorical_features": [5]}, "indices .* must be from 0 to 4, got 5"),
        (X, {"categorical_features": [True]}, "a mask must have an entry for each of the 5"),
        (X, {"categorical_features": [1.5]}, "the names, the indices or a mask of columns"),
        (X, {"categorical_features": "town"}, "'categorical_features' parameter of MLPClassifier"),
        (X, {"categorical_encoding": "ordinal"}, "'categorical_encoding' parameter of MLPClass"),
        (
            NUMBERS,
            {"categorical_features": None, "categorical_encoding": "embed"},
            "'categorical_encoding' has no effect without categorical features",
        ),
        (X.assign(zone=range(ROWS)).astype({"zone": str}), {}, "'zone' holds numbers as texts"),
        (X.assign(town=[f"t{n}" for n in range(ROWS)]), {}, "free text .* leave it out of X"),
        (
            X.assign(town=pd.Categorical([f"t{n % 60}" for n in range(ROWS)])),
            {},
            "60 categories.*set categorical_encoding='embed' to learn",
        ),
        (X["town"].to_numpy(), {}, "Expected 2D array, got 1D array instead"),
        (X[[]], {}, "at least one row and one column"),
        (X[["town"]].assign(town="Bern"), {}, "whose values differ, got none"),
        (X, {"categorical_features": None}, r'(?s)could not convert .*ures="from_dtype"'),
        (X[["size"]], {"categorical_features": None}, r'(?s)contains NaN.*ures="from_dtype"'),
        (X.assign(zone=pd.Timestamp(0)), {}, "must not hold dates, times or records"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(
    rows: Any, options: dict[str, Any], message: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        with pytest.raises(ValueError, match=message):
            classifier(**options).fit(rows, LEVEL)


def test_sparse_rows_are_refused() -> None:
    sparse = pytest.importorskip("scipy.sparse").csr_matrix(NUMBERS)
    with pytest.raises(DataError, match=r"a frame or an array .* got a sparse matrix"):
        classifier().fit(sparse, LEVEL)


def test_a_constant_column_is_left_out_with_a_warning() -> None:
    with pytest.warns(DataWarning, match="all training rows have the same value: 'country'"):
        made = classifier(max_iter=2).fit(X.assign(country="CH"), LEVEL)
    assert made.n_features_in_ == 6
    assert made.columns_.left_out == ("country",)
    assert made.predict(X.assign(country="FR")).shape == (ROWS,)


def test_filters_for_scikit_learn_silence_the_warnings() -> None:
    made = classifier(max_iter=2).fit(X, LEVEL)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", module="sklearn")
        warnings.simplefilter("ignore", ConvergenceWarning)
        made.predict(X.assign(town="Oslo"))
