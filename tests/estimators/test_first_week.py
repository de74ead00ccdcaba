"""The first week of a user of scikit-learn: names, scales and wrong data."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from tests.estimators.helpers import classes, continuous, labels

from handloom import (
    BestModel,
    Dataset,
    InverseTimeDecay,
    MeanSquaredError,
    MLPClassifier,
    MLPRegressor,
    Model,
    evaluate,
)
from handloom.errors import DataError
from handloom.estimators.scales import differ_grossly

pd = pytest.importorskip("pandas")

COLUMNS = list("abcde")


def test_a_saved_model_keeps_the_columns_of_the_frame(tmp_path: Path) -> None:
    X, y = classes()
    frame = pd.DataFrame(X, columns=COLUMNS)
    best = BestModel(tmp_path / "m", monitor="loss")
    fitted = MLPClassifier(random_state=0, max_iter=30, tol=0, callbacks=[best])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted.fit(frame, y)
    model = Model.load(tmp_path / "m")
    assert model.column_names == tuple(COLUMNS)
    np.testing.assert_array_equal(model.predict(frame).argmax(axis=1), fitted.predict(frame))
    with pytest.raises(DataError, match="the same order"):
        model.predict(frame[COLUMNS[::-1]])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_saved_model_keeps_the_names_of_targets(tmp_path: Path) -> None:
    X, y = continuous(2)
    targets = pd.DataFrame(y, columns=["height", "width"])
    MLPRegressor(max_iter=2, callbacks=[BestModel(tmp_path / "r", monitor="loss")]).fit(X, targets)
    assert Model.load(tmp_path / "r").class_names == ("height", "width")
    X, y = labels()
    marks = pd.DataFrame(y, columns=["red", "green", "blue"])
    MLPClassifier(max_iter=2, callbacks=[BestModel(tmp_path / "c", monitor="loss")]).fit(X, marks)
    assert Model.load(tmp_path / "c").class_names == ("red", "green", "blue")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_saved_model_of_two_classes_is_evaluated_on_both(tmp_path: Path) -> None:
    X, y = classes(2)
    texts = np.array(["neg", "pos"])[y]
    best = BestModel(tmp_path / "m", monitor="loss")
    fitted = MLPClassifier(random_state=0, max_iter=20, callbacks=[best]).fit(X, texts)
    model = Model.load(tmp_path / "m")
    assert (model.class_names, model.binary_classes) == (("pos",), ("neg", "pos"))
    result = evaluate(model, Dataset(X, texts))
    assert result.accuracy == fitted.score(X, texts)
    np.testing.assert_allclose(result.probabilities[:, 1:], model.predict(X), atol=1e-12)
    assert result.confusion.shape == (2, 2)
    with pytest.raises(DataError, match=r"class_names=model\.binary_classes"):
        evaluate(model, Dataset(X, y))


@pytest.mark.parametrize("wrong", [[0], [0, 1], range(4)])
def test_classes_that_are_not_the_columns_of_labels_are_refused(wrong: object) -> None:
    X, y = labels()
    with pytest.raises(ValueError, match=r"`y` has classes not in `self\.classes_`.*range\(3\)"):
        MLPClassifier().partial_fit(X, y, classes=wrong)
    fitted = MLPClassifier().partial_fit(X, y, classes=range(3))
    assert fitted.classes_.tolist() == [0, 1, 2]


def test_a_class_of_one_row_is_named_as_in_the_targets() -> None:
    X, _ = classes()
    with pytest.raises(ValueError, match=r"too few members are: \['spam'\]"):
        MLPClassifier(early_stopping=True).fit(X, ["ham"] * 119 + ["spam"])


def test_objects_that_are_no_strings_get_an_advice_that_works() -> None:
    X, y = classes(2)
    for values in (y, y > 0):
        objects = pd.Series(values).astype(object)
        with pytest.raises(DataError, match=r"column\.astype\(int\)"):
            Dataset(X, objects)
        with pytest.raises(ValueError, match=r"pass y\.astype\(int\)"):
            MLPClassifier().fit(X, objects)


def test_a_schedule_without_its_arguments_gets_an_advice_that_works() -> None:
    X, y = classes()
    rate: Any = InverseTimeDecay
    with pytest.raises(
        ValueError, match=r"pass InverseTimeDecay\(learning_rate=\.\.\., decay=\.\.\.\)"
    ):
        MLPClassifier(learning_rate=rate).fit(X, y)


def test_times_among_objects_are_refused_by_column() -> None:
    X, y = classes()
    frame = pd.DataFrame(X, columns=COLUMNS)
    periods = pd.period_range("2020", periods=120)
    for times in (periods, pd.Series([pd.Timestamp("2020")] * 120, dtype=object)):
        with pytest.raises(DataError, match="row 0 of column 'day'"):
            MLPClassifier().fit(frame.assign(day=times), y)


def test_none_among_labels_is_named() -> None:
    X, y = classes()
    texts = np.array(list("xyz"), dtype=object)[y]
    texts[3] = None
    for targets in (texts, texts.tolist(), pd.Series(texts, dtype=object)):
        with pytest.raises(DataError, match="None in row 3"):
            MLPClassifier().fit(X, targets)


def test_a_parameter_passed_to_fit_is_for_the_constructor() -> None:
    X, y = classes()
    unchecked: Any = MLPClassifier()
    with pytest.raises(TypeError, match=r"MLPClassifier\.fit.*: pass MLPClassifier\(class_weight="):
        unchecked.fit(X, y, class_weight={0: 9})


WINE = load_wine(return_X_y=True)


def halves() -> tuple[Any, Any, Any, Any]:
    parts: tuple[Any, Any, Any, Any] = train_test_split(*WINE, random_state=0, stratify=WINE[1])
    return parts


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler()])
def test_validation_rows_that_the_pipeline_did_not_transform(scaler: Any) -> None:
    X, X_val, y, y_val = halves()
    model = MLPClassifier(random_state=0, tol=0.01)
    with pytest.warns(UserWarning, match=r'transform_input=\["X_val"\]'):
        make_pipeline(scaler, model).fit(
            X, y, mlpclassifier__X_val=X_val, mlpclassifier__y_val=y_val
        )


def test_validation_rows_of_one_source_are_not_warned_of() -> None:
    X, X_val, _, _ = halves()
    scaler = StandardScaler().fit(X)
    small = np.arange(12)
    for rows, others in ((X, X_val), (scaler.transform(X), scaler.transform(X_val))):
        assert not differ_grossly(rows, others)
        assert not differ_grossly(rows, others[small])
    trend = np.arange(200.0)[:, None] * [1.0, -2.0, 5.0]
    for part in (100, 160):
        assert not differ_grossly(trend[:part], trend[part:])
    rare = np.eye(50)[np.random.default_rng(0).integers(0, 50, 300)]
    assert not differ_grossly(rare[:200], rare[200:])


def a_lognormal(generator: np.random.Generator, rows: int) -> np.ndarray:
    return generator.lognormal(0.0, 1.5, (rows, 1))


def rare_claims(generator: np.random.Generator, rows: int) -> np.ndarray:
    amounts = generator.lognormal(8.0, 1.5, (rows, 1))
    return np.where(generator.random((rows, 1)) < 0.05, amounts, 0.0)


def two_clusters(generator: np.random.Generator, rows: int) -> np.ndarray:
    return 9.0 * (generator.random((rows, 1)) < 0.5) + 0.1 * generator.normal(size=(rows, 1))


@pytest.mark.parametrize(
    ("draw", "rows"),
    [
        (a_lognormal, 20),
        (a_lognormal, 100),
        (rare_claims, 300),
        (two_clusters, 20),
        (two_clusters, 100),
    ],
)
def test_scaled_values_of_any_distribution_differ_grossly_from_unscaled_ones_alone(
    draw: Any, rows: int
) -> None:
    false, missed = 0, 0
    for seed in range(50):
        generator = np.random.default_rng(seed)
        known, others = draw(generator, 800), draw(generator, rows)
        scaler = StandardScaler().fit(known)
        false += differ_grossly(scaler.transform(known), scaler.transform(others))
        missed += not differ_grossly(scaler.transform(known), 20.0 * scaler.scale_ + 10.0 * others)
    assert false <= 1
    assert missed == 0


def test_validation_targets_that_were_not_transformed() -> None:
    x = np.random.default_rng(0).normal(size=(400, 3))
    y = 1e4 + 1e3 * x[:, 0]
    inner = MLPRegressor(random_state=0, early_stopping=True, max_iter=100)
    model = TransformedTargetRegressor(inner, transformer=StandardScaler())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x[:300], y[:300], X_val=x[300:], y_val=y[300:])
    assert any("y_val has another scale than y" in str(each.message) for each in caught)


@pytest.mark.parametrize("scale", [1e-3, 1e-6])
def test_a_fit_worse_than_the_mean_names_the_scale_of_the_targets(scale: float) -> None:
    x = np.random.default_rng(1).normal(size=(500, 3))
    y = scale * (x @ [1.0, 2.0, 3.0])
    with pytest.warns(ConvergenceWarning, match="worse than predicting the mean of y.*scale the"):
        MLPRegressor(random_state=0, max_iter=300).fit(x, y)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_a_fit_better_than_the_mean_by_its_own_loss_is_not_warned_of(scale: float) -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(400, 3))
    y = scale * (generator.random(400) < 0.4)  # the median is 0
    made = MLPRegressor("absolute_error", (8,), random_state=0, solver="lbfgs", alpha=10).fit(x, y)
    assert abs(made.predict(x) - y).mean() < abs(y.mean() - y).mean()
    rare = np.where(y > 0, 1.0, 0.0) * generator.lognormal(3.0, 2.0, 400)
    made = MLPRegressor("huber", (8,), random_state=0, solver="lbfgs", max_iter=2000).fit(x, rare)
    assert np.isfinite(made.predict(x)).all()


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "poisson", MeanSquaredError()])
def test_a_fit_worse_than_the_mean_is_warned_of_by_its_own_loss(loss: Any) -> None:
    x = np.random.default_rng(1).normal(size=(500, 3))
    y = 1e-4 * abs(x @ [1.0, 2.0, 3.0])
    with pytest.warns(ConvergenceWarning, match=r"the mean of y: its loss .* is .* times as large"):
        MLPRegressor(loss, random_state=0, max_iter=300, tol=1e-2).fit(x, y)
