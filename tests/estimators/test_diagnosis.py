"""Estimators are not diagnosed: fits may take milliseconds. With defaults nothing is found."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.preprocessing import StandardScaler

from handloom import History, MLPClassifier, MLPRegressor, Trainer
from handloom.estimators import fitting
from handloom.training import probe, trainer
from handloom.training.findings import findings

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def scaled(x: np.ndarray) -> np.ndarray:
    values: np.ndarray = StandardScaler().fit_transform(x)
    return values


def test_a_fit_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(*_: object) -> None:
        raise AssertionError("a fit is measured")

    monkeypatch.setattr(probe.Probe, "begin", measured)
    x, y = load_iris(return_X_y=True)
    assert MLPClassifier(max_iter=3, random_state=0).fit(x, y).n_iter_ == 3
    with pytest.raises(AssertionError, match="a fit is measured"):
        fit_with_measurements(monkeypatch, MLPClassifier(max_iter=3), x, y)


def fit_with_measurements(
    monkeypatch: pytest.MonkeyPatch,
    made: MLPClassifier | MLPRegressor,
    x: np.ndarray,
    y: np.ndarray,
) -> list[History]:
    """Fit with measurements; return the histories."""
    histories: list[History] = []

    class Diagnosed(Trainer):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **{**options, "diagnose": True})  # type: ignore[arg-type]

    def recorded(history: History) -> list[object]:
        histories.append(history)
        return []

    monkeypatch.setattr(fitting, "Trainer", Diagnosed)
    monkeypatch.setattr(probe, "SHORT_SECONDS", 1e9)
    monkeypatch.setattr(trainer, "findings", recorded)
    made.fit(x, y)
    return histories


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer, load_digits])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_classifier_with_defaults_has_no_findings(
    load: Callable[..., Any], solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = load(return_X_y=True)
    made = MLPClassifier(solver=solver, max_iter=50, random_state=0)
    (history,) = fit_with_measurements(monkeypatch, made, scaled(x), y)
    assert history.diagnosis is not None
    assert history.diagnosis.records
    assert findings(history) == []


def test_a_regressor_with_defaults_has_no_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = load_diabetes(return_X_y=True)
    made = MLPRegressor(max_iter=50, random_state=0)
    (history,) = fit_with_measurements(monkeypatch, made, scaled(x), (y - y.mean()) / y.std())
    assert findings(history) == []
