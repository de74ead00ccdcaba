"""Data that scikit-learn's checks let through with other values than it holds is refused."""

from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
from scipy.sparse import csr_matrix

from handloom import DataError, MLPClassifier, MLPRegressor

X = np.random.default_rng(0).standard_normal((30, 3))
Y = np.array(["ant", "bee", "cat"])[np.arange(30) % 3]
DAYS = pd.date_range("2020", periods=30)
MASKED = np.ma.masked_equal(X, X[4, 1])
TABLE = pd.DataFrame(X, columns=["u", "v", "w"])


def classifier(**options: Any) -> MLPClassifier:
    return MLPClassifier((4,), random_state=0, max_iter=2, tol=0.0, n_iter_no_change=9, **options)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (MASKED, "X must have no masked values, got one in row"),
        (TABLE.assign(v=DAYS), "X must not hold dates, times or records, got dtype datetime64"),
        (
            TABLE.assign(v=DAYS - DAYS[0]),
            "X must not hold dates, times or records, got dtype timedelta64",
        ),
        (X.astype("M8[D]"), "X must not hold dates, times or records, got dtype datetime64"),
    ],
)
def test_masked_inputs_and_times_are_refused(inputs: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        classifier().fit(inputs, Y)
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, Y, X_val=inputs, y_val=Y)
    with pytest.raises(DataError, match=message):
        classifier().fit(X, Y).predict_proba(inputs)


def test_tables_of_other_libraries_with_times_are_refused() -> None:
    polars = pytest.importorskip("polars")
    with pytest.raises(DataError, match="X must not hold dates, times or records"):
        classifier().fit(polars.DataFrame({"day": DAYS.to_numpy()}), Y)


def test_masked_targets_and_weights_are_refused() -> None:
    masked = np.ma.masked_array(np.ones(30), np.arange(30) == 7)
    for fit in (classifier().fit, MLPRegressor(random_state=0).fit):
        with pytest.raises(DataError, match="y must have no masked values, got one in row 7"):
            fit(X, masked)
        with pytest.raises(DataError, match=r"sample_weight must have no masked .* row 7"):
            fit(X, np.arange(30) % 3, sample_weight=masked)
    with pytest.raises(
        DataError, match="y must not hold dates, times or records, got dtype datetime64"
    ):
        MLPRegressor().fit(X, DAYS.to_numpy())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(("no", "yes"), [(1, 2), (-1, 1), (0, 2), (-1, 0), (1.0, 3.0)])
def test_several_labels_other_than_0_and_1_are_refused(no: float, yes: float, sparse: bool) -> None:
    right = np.stack([X[:, 0] > 0, X[:, 1] > 0], 1)
    wrong: Any = np.where(right, yes, no)
    if sparse:
        wrong = pytest.importorskip("scipy.sparse").csr_matrix(wrong)
    message = "a 0 or 1 for each label, got|one class a row, got"
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, wrong)
    with pytest.raises(ValueError, match=message):
        classifier().partial_fit(X, wrong, classes=[0, 1])
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, right, X_val=X, y_val=wrong)
    for accepted in (right, right.astype(int), right.astype(float)):
        assert classifier().fit(X, accepted).predict(X).shape == right.shape


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("inputs", "targets"),
    [
        (np.ma.masked_array(X), np.ma.masked_array(Y)),
        (TABLE.to_numpy(), pd.Series(Y, index=np.arange(30)[::-1])),
        (X.astype(">f8"), pd.Series(Y).astype("category")),
        (X.astype(np.longdouble), pd.Series(Y).astype(pd.CategoricalDtype(["cat", "bee", "ant"]))),
        (X.tolist(), Y.tolist()),
        (pd.DataFrame(X).astype("Float64"), pd.Series(Y).to_frame()),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
def test_other_forms_of_the_same_data_give_the_same_predictions(inputs: Any, targets: Any) -> None:
    expected = classifier().fit(X, Y)
    fitted = classifier().fit(inputs, targets)
    assert fitted.classes_.tolist() == ["ant", "bee", "cat"]
    assert np.array_equal(fitted.predict_proba(inputs), expected.predict_proba(X))


@pytest.mark.parametrize("mixed", [["a", 1], [1, "a"]])
def test_labels_of_several_kinds_are_refused_in_any_order(mixed: list[Any]) -> None:
    y = np.array(mixed * 15, object)
    message = r"must hold labels of one kind, got int and str: pass y\.astype\(str\)"
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, y)
    with pytest.raises(ValueError, match=f"X_val, y_val: .*{message}"):
        classifier().fit(X, y.astype(str), X_val=X, y_val=y)
    with pytest.raises(ValueError, match=message):
        classifier().partial_fit(X, y, classes=["1", "a"])


@pytest.mark.parametrize("dtype", ["string", object])
def test_missing_labels_of_pandas_are_refused_by_row(dtype: Any) -> None:
    y = pd.Series(["a", pd.NA] * 15, dtype=dtype)
    with pytest.raises(DataError, match="y must have no missing values, got <NA> in row 1"):
        classifier().fit(X, y)


def test_sparse_targets_of_a_regression_are_to_be_dense() -> None:
    with pytest.raises(DataError, match=r"must be dense in a regression, .* pass y\.toarray\(\)"):
        MLPRegressor().fit(X, csr_matrix(X))


def test_advice_on_raw_columns_is_given_where_they_can_be_taken() -> None:
    objects = TABLE.astype(object)
    objects.iloc[3, 1] = pd.NA
    with pytest.raises(DataError, match=r'NAType(?s:.*)categorical_features="from_dtype"'):
        classifier().fit(objects, Y)
    with pytest.raises(ValueError, match="Input X contains NaN") as error:
        classifier().fit(csr_matrix(np.where(X > 1, np.nan, X)), Y)
    assert "categorical_features" not in str(error.value)
