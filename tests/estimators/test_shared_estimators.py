"""An estimator fits once at a time, and no two estimators share a callback while they fit."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
from joblib import parallel_backend  # type: ignore[import-untyped]
from sklearn.model_selection import GridSearchCV

from handloom import Callback, EarlyStopping
from handloom.errors import ModelError
from handloom.estimators import MLPClassifier

X = np.random.default_rng(0).standard_normal((90, 4)).astype(np.float32)
Y = np.arange(90) % 3


class Hold(Callback):
    """Holds the first fit after its first epoch, until it is released."""

    def __init__(self) -> None:
        self.inside, self.release = Event(), Event()

    def on_epoch_end(self, **_: Any) -> None:
        self.inside.set()
        assert self.release.wait(30)


def classifier(*callbacks: Callback) -> MLPClassifier:
    options: dict[str, Any] = {"max_iter": 3, "random_state": 0, "backend": "numpy"}
    return MLPClassifier((4,), callbacks=list(callbacks) or None, **options)


FITS: dict[str, Callable[[MLPClassifier], Any]] = {
    "fit": lambda made: made.fit(X, Y),
    "partial_fit": lambda made: made.partial_fit(X, Y, classes=[0, 1, 2]),
}


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("second", FITS)
@pytest.mark.parametrize("first", FITS)
def test_an_estimator_fits_once_at_a_time(first: str, second: str) -> None:
    hold = Hold()
    made, alone = classifier(hold), classifier(Callback())
    FITS[first](alone)
    with ThreadPoolExecutor(1) as pool:
        fit = pool.submit(FITS[first], made)
        try:
            assert hold.inside.wait(30)
            with pytest.raises(ModelError, match="MLPClassifier is in use by another training"):
                FITS[second](made)
        finally:
            hold.release.set()
        assert fit.result() is made
    assert np.array_equal(made.predict_proba(X), alone.predict_proba(X))
    FITS[second](made)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_callback_serves_one_estimator_at_a_time() -> None:
    hold, shared = Hold(), EarlyStopping("loss", patience=50)
    other = classifier(shared)
    with ThreadPoolExecutor(1) as pool:
        fit = pool.submit(FITS["fit"], classifier(shared, hold))
        try:
            assert hold.inside.wait(30)
            with pytest.raises(ModelError, match="the callback EarlyStopping is in use by another"):
                other.fit(X, Y)
        finally:
            hold.release.set()
        fit.result()
    other.fit(X, Y)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_search_on_threads_copies_the_callbacks_of_its_estimator() -> None:
    estimator = classifier(EarlyStopping("loss", patience=50))
    search = GridSearchCV(estimator, {"alpha": [1e-4, 1e-2]}, cv=3, n_jobs=4, error_score="raise")
    with parallel_backend("threading"):
        search.fit(X, Y)
    assert len(search.cv_results_["mean_test_score"]) == 2
