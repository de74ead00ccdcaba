"""The backend of a fit: compiled code for small fits too, NumPy in its place, and signals."""

import os
import signal
from typing import Any

import pytest
from tests.estimators.helpers import classes, classifier, plain_network

from handloom import ConfigurationError, NetworkClassifier
from handloom.backend import FUSED_FROM

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = classes(2)


def test_auto_falls_back_to_numpy_where_a_kernel_does_not_compile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("numba")

    def compile_for(_: object) -> None:
        raise RuntimeError("LLVM says no")

    monkeypatch.setattr("handloom.fused.adam.compile_for", compile_for)
    with pytest.warns(RuntimeWarning, match=r"fused/adam\.py does not compile: .*LLVM says no"):
        made = classifier(max_iter=1).fit(X, y)
    assert made.predict(X).shape == y.shape
    with pytest.raises(ConfigurationError, match="backend='fused' must be able to compile code"):
        classifier(max_iter=1, backend="fused").fit(X, y)


def test_auto_takes_compiled_code_for_small_fits_of_perceptrons_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bool] = []

    def problem() -> str:
        asked.append(True)
        return "the tests of estimators do without"

    monkeypatch.setattr("handloom.backend.FUSED_FROM", FUSED_FROM)
    monkeypatch.setattr("handloom.backend.fused_is_installed", lambda: True)
    monkeypatch.setattr("handloom.backend.problem_of_fused", problem)
    NetworkClassifier(plain_network, max_iter=1).fit(X, y)
    assert not asked
    with pytest.warns(RuntimeWarning, match="the tests of estimators do without"):
        classifier(max_iter=1).fit(X, y)
    assert asked


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_ctrl_c_takes_effect_after_compiled_code_is_loaded(
    solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[Any] = []

    def load() -> str:
        steps.append("begun")
        os.kill(os.getpid(), signal.SIGINT)
        steps.append("whole")
        return f"the tests of {solver} do without"

    monkeypatch.setattr("handloom.backend.fused_is_installed", lambda: True)
    monkeypatch.setattr("handloom.backend.problem_of_fused", load)
    with (
        pytest.warns(RuntimeWarning, match="do without"),
        pytest.raises(KeyboardInterrupt),
    ):
        classifier(solver=solver).fit(X, y)
    assert steps == ["begun", "whole"]
