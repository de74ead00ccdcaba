"""scikit-learn's callbacks in our estimators, and its own tests of the protocol."""

import importlib.util
import pickle
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.estimators.helpers import classes, classifier, continuous, plain_network, regressor

from handloom import MLPRegressor, NetworkClassifier, NetworkRegressor

PRIVATE = "scikit-learn with callbacks (1.9) and with its own tests of them, which are private"

callback = pytest.importorskip("sklearn.callback", reason=PRIVATE)
theirs = pytest.importorskip("sklearn.callback.tests._utils", reason=PRIVATE, exc_type=ImportError)
EXAMPLES = [
    *("FailingCallback", "MaxIterEstimator", "RecordingAutoPropagatedCallback"),
    *("RecordingCallback", "StopFitCallback"),
]
if not all(hasattr(theirs, name) for name in EXAMPLES):
    pytest.skip(PRIVATE, allow_module_level=True)

pytestmark = [
    pytest.mark.filterwarnings("default"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
X, Y = continuous()
ROWS, CLASSES = classes(3)


class MaxIterEstimator(MLPRegressor):
    """Ours with the name, the constructor and the rows of their example."""

    def __init__(self, max_iter: int = 20, computation_intensity: float = 0.001) -> None:
        super().__init__(
            hidden_layer_sizes=(3,),
            max_iter=max_iter,
            n_iter_no_change=np.inf,
            random_state=0,
            backend="numpy",
        )
        self.computation_intensity = computation_intensity

    def fit(self, X: Any = None, y: Any = None, sample_weight: Any = None) -> Any:  # type: ignore[override]
        if X is None or y is None:
            X, y = continuous(rows=20)
        return super().fit(X, y, sample_weight)


def load(name: str) -> dict[str, Any]:
    """Return their tests of a module, with our estimator in place of their example."""
    spec = importlib.util.find_spec(f"sklearn.callback.tests.{name}")
    if spec is None or spec.loader is None:
        pytest.skip(PRIVATE, allow_module_level=True)
    module: ModuleType = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theirs, "MaxIterEstimator", MaxIterEstimator)
        spec.loader.exec_module(module)
    return {n: test for n, test in vars(module).items() if n.startswith("test_")}


TESTS = {**load("test_callback_support"), **load("test_callback_context")}
globals().update(TESTS)


def record() -> Any:
    return theirs.RecordingCallback()


@pytest.mark.parametrize(
    "made",
    [
        regressor(max_iter=3),
        classifier(max_iter=3, early_stopping=True),
        NetworkRegressor(plain_network, max_iter=3, random_state=0),
        NetworkClassifier(plain_network, max_iter=3, random_state=0),
        regressor(max_iter=3, solver="lbfgs"),
    ],
)
def test_a_fit_and_each_epoch_are_tasks(made: BaseEstimator) -> None:
    heard, made = record(), clone(made)
    rows, y = (ROWS, CLASSES) if is_classifier(made) else (X, Y)
    plain = clone(made).fit(rows, y)
    made.set_callbacks(heard).fit(rows, y)
    names = [each["name"] for each in heard.record]
    one = ["on_fit_task_begin", "on_fit_task_end"]
    assert names == ["setup", "on_fit_task_begin", *3 * one, "on_fit_task_end", "teardown"]
    assert np.array_equal(made.predict(rows), plain.predict(rows))  # a callback changes nothing


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_they_get_an_estimator_as_if_the_fit_had_stopped(solver: str) -> None:
    heard = record()
    made = regressor(max_iter=4, solver=solver).set_callbacks(heard).fit(X, Y)
    ends = [each for each in heard.record if each["name"] == "on_fit_task_end"]
    fitted = [each["kwargs"]["fitted_estimator"] for each in ends]
    for epochs, stopped in enumerate(fitted[:4], start=1):
        expected = regressor(max_iter=epochs, solver=solver).fit(X, Y).predict(X)
        np.testing.assert_allclose(stopped.predict(X), expected, rtol=1e-9)
    assert np.array_equal(fitted[-1].predict(X), made.predict(X))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_callback_can_end_a_fit(solver: str) -> None:
    made = regressor(max_iter=50, solver=solver).set_callbacks(theirs.StopFitCallback())
    made.fit(X, Y)
    assert made.n_iter_ == 1
    assert made.set_callbacks().fit(X, Y).n_iter_ > 1


def test_a_monitor_logs_the_score_of_each_epoch() -> None:
    monitor = callback.ScoringMonitor(scoring="r2")
    made = regressor(max_iter=5).set_callbacks(monitor).fit(X, Y)
    scores = [task["r2"] for task in monitor.get_logs().data if task["task_name"] == "epoch"]
    assert len(scores) == 5
    assert made.score(X, Y) == pytest.approx(scores[-1])
    assert scores[0] < scores[-1]


def test_a_search_and_a_pipeline_pass_them_on() -> None:
    heard = theirs.RecordingAutoPropagatedCallback()
    pipeline = make_pipeline(StandardScaler(), regressor(max_iter=2))
    search = GridSearchCV(pipeline, {"mlpregressor__alpha": [0.1, 1.0]}, cv=2)
    search.set_callbacks(heard).fit(X, Y)
    tasks = [e["context"] for e in heard.record if e["name"] == "on_fit_task_end"]
    assert sum(task.task_name == "epoch" for task in tasks) == 5 * 2  # 4 fits and the last one


def test_an_epoch_that_a_fit_does_not_complete_ends_too() -> None:
    heard = record()
    with pytest.warns(ConvergenceWarning):
        regressor(max_time=1e-9, batch_size=5).set_callbacks(heard).fit(X, Y)
    begun, ended = map(heard.count_hooks, ("on_fit_task_begin", "on_fit_task_end"))
    assert begun == ended == 2


def test_a_part_of_a_fit_is_a_task_of_one_epoch() -> None:
    heard = record()
    regressor().set_callbacks(heard).partial_fit(X, Y)
    assert heard.count_hooks("on_fit_task_end") == 2


@pytest.mark.parametrize("fail_at", ["on_fit_task_begin", "on_fit_task_end"])
def test_an_error_leaves_the_estimator_as_it_was(fail_at: str) -> None:
    failing = theirs.FailingCallback(fail_at=fail_at)
    made = regressor().fit(X, Y)
    before = made.predict(X)
    with pytest.raises(ValueError, match="Failing callback failed"):
        made.set_callbacks(failing).fit(X, Y)
    assert failing.count_hooks("teardown") == 1
    assert not hasattr(made, "_callback_fit_ctx")
    assert np.array_equal(made.predict(X), before)
    assert np.array_equal(pickle.loads(pickle.dumps(made)).predict(X), before)  # noqa: S301


def test_it_is_ours_that_is_tested() -> None:
    module = next(iter(TESTS.values())).__globals__
    assert module["MaxIterEstimator"] is MaxIterEstimator
    assert len(TESTS) > 20
