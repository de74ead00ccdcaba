"""What a user of scikit-learn meets in a first week: names, scales and wrong data."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from handloom import BestModel, Dataset, MLPClassifier, MLPRegressor, Model, evaluate
from handloom.errors import DataError
from tests.estimators.helpers import classes, continuous, labels

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
