"""L-BFGS minimizes any function that measures a loss and its gradient."""

import os
import signal
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.estimators.helpers import Watch, classes, classifier

from handloom import (
    BatchNorm,
    Dense,
    Dropout,
    InverseTimeDecay,
    NetworkClassifier,
    Residual,
    Sequential,
)
from handloom.estimators.lbfgs import Minimum, minimize
from handloom.parameters import Parameters
from handloom.training import Objective
from handloom.training.objective import Measurement

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
TARGET = np.arange(4.0)


def weights() -> Parameters:
    return Sequential([Dense(1)]).build((3,), dtype=np.float64, seed=0).parameters


def bowl(parameters: Parameters) -> Callable[[], Measurement]:
    """Return the measurement of ``sum_i (i + 1) (w_i - target_i)^2 / 2``."""

    def measure() -> Measurement:
        steep, distance = np.arange(1.0, 5.0), parameters.vector - TARGET
        parameters.gradient[...] = steep * distance
        return Measurement(float(steep @ distance**2) / 2.0, 0.0, 0, 1, 1.0)

    return measure


def search(
    parameters: Parameters, interrupted: Callable[[], bool] = lambda: False, max_iter: int = 50
) -> Minimum:
    return minimize(
        bowl(parameters),
        parameters,
        interrupted=interrupted,
        max_iter=max_iter,
        max_fun=1000,
        tol=1e-8,
        verbose=False,
    )


def test_the_weights_end_at_the_minimum() -> None:
    parameters = weights()
    minimum = search(parameters)
    np.testing.assert_allclose(parameters.vector, TARGET, atol=1e-6)
    assert minimum.loss == pytest.approx(0.0, abs=1e-12)
    assert minimum.failure is None


def test_a_search_ends_after_the_iteration_that_is_interrupted() -> None:
    parameters = weights()
    before = bowl(parameters)().loss
    minimum = search(parameters, lambda: True)
    assert minimum.iterations == 1
    assert minimum.failure is not None
    assert bowl(parameters)().loss == minimum.loss < before


def test_too_few_iterations_are_told() -> None:
    failure = search(weights(), max_iter=2).failure
    assert failure is not None
    assert "after 2 iteration(s)" in failure
    assert "Increase max_iter (now 2)" in failure


X, y = classes(3)


def test_an_interrupted_search_keeps_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    measure, made = Objective.__call__, 0

    def interrupted(*arguments: Any, **options: Any) -> Any:
        nonlocal made
        made += 1
        if made == 12:
            os.kill(os.getpid(), signal.SIGINT)
        return measure(*arguments, **options)

    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Objective, "__call__", interrupted)
    search = classifier(solver="lbfgs", max_iter=500, tol=0.0)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        search.fit(X, y)
    assert made < 20
    assert 0 < search.n_iter_ < 500
    assert search.score(X, y) > 0.8
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_search_hands_a_signal_on(monkeypatch: pytest.MonkeyPatch) -> None:
    measure, made, heard = Objective.__call__, 0, list[float]()
    search = classifier(solver="lbfgs", max_iter=500, tol=0.0)

    def signalled(*arguments: Any, **options: Any) -> Any:
        nonlocal made
        made += 1
        if made == 12:
            os.kill(os.getpid(), signal.SIGTERM)
        return measure(*arguments, **options)

    monkeypatch.setattr(Objective, "__call__", signalled)
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(search.score(X, y)))
    try:
        with pytest.warns(UserWarning, match="Training interrupted by user"):
            search.fit(X, y)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [search.score(X, y)]  # the handler saw the trained network


@pytest.mark.parametrize(
    "layer", [BatchNorm, lambda: Dropout(0.5), lambda: Residual([BatchNorm()])]
)
def test_lbfgs_refuses_networks_that_change_as_they_are_asked(layer: Any) -> None:
    rows, targets = classes()
    made = NetworkClassifier(lambda k: Sequential([layer(), Dense(k)]), solver="lbfgs")
    with pytest.raises(ValueError, match=r"lbfgs.*computes the same"):
        made.fit(rows, targets)
    same = NetworkClassifier(
        lambda k: Sequential([Residual([Dense(rows.shape[1])]), Dense(k)]), solver="lbfgs"
    )
    assert same.fit(rows, targets).score(rows, targets) > 0.8


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dropout", 0.5),
        ("callbacks", [Watch()]),
        ("restore_best", True),
        ("weight_decay", 0.1),
        ("proximal_l1", 0.1),
        ("learning_rate", InverseTimeDecay(0.1, 1.0)),
    ],
)
def test_lbfgs_refuses_what_it_cannot_use(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name!r} has no effect with solver='lbfgs'"):
        classifier(solver="lbfgs", **{name: value}).fit(X, y)
