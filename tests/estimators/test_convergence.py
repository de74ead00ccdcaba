"""A fit ends when it gains no more, and says so in the words of scikit-learn, at the call."""

import io
import sys

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from tests.estimators.helpers import classes, classifier, continuous

from handloom import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = classes(3)


@pytest.mark.parametrize("patience", [2, 5, np.inf])
def test_training_ends_after_so_many_epochs_without_gain(patience: float) -> None:
    made = classifier(tol=1e9, n_iter_no_change=patience, max_iter=20).fit(X, y)
    assert made.n_iter_ == min(patience + 2, 20)  # the first one gains, one more is allowed


def test_verbose_prints_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    classifier(verbose=True, early_stopping=True, max_iter=2).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0].split(":")[0] for line in lines] == [
        "Iteration 1",
        "Validation score",
        "Iteration 2",
        "Validation score",
    ]
    classifier(verbose=True, solver="lbfgs", max_iter=2).fit(X, y)
    assert capsys.readouterr().out.startswith("Iteration 1, loss = ")


class OnlyWrites:
    """A stream as that of some applications."""

    def write(self, text: str) -> int:
        return len(text)


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("error", [None, OnlyWrites(), closed()], ids=["none", "object", "closed"])
def test_verbose_needs_no_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: object
) -> None:
    monkeypatch.setattr(sys, "stderr", error)
    classifier(verbose=True, max_iter=1).fit(X, y)
    assert capsys.readouterr().out.startswith("Iteration 1, loss = ")


def test_the_end_is_told_in_scikit_learns_words(capsys: pytest.CaptureFixture[str]) -> None:
    rows, targets = continuous()
    MLPRegressor(verbose=True, tol=10.0, n_iter_no_change=2, random_state=0).fit(rows, targets)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == (
        "Training loss did not improve more than tol=10.000000 for 2 consecutive epochs. Stopping."
    )


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_warnings_of_a_fit_point_at_the_call(solver: str) -> None:
    rows, targets = classes()
    with pytest.warns(ConvergenceWarning) as warned:
        MLPClassifier(max_iter=2, solver=solver, random_state=0).fit(rows, targets)
    assert {warning.filename for warning in warned} == {__file__}


def test_the_warning_of_a_clipped_batch_points_at_the_call() -> None:
    rows, targets = classes()
    made = MLPClassifier(max_iter=2, batch_size=999, random_state=0)
    for call in (made.fit, made.partial_fit):
        with pytest.warns(UserWarning, match="is going to be clipped") as warned:
            call(rows, targets)
        assert {warning.filename for warning in warned} == {__file__}
