"""A fit that diverges raises or warns, and never wins a search."""

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from tests.estimators.helpers import classes, column, continuous, regressor

from handloom import BestWeights, ModelError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = classes(3)
HUGE = {"solver": "sgd", "learning_rate_init": 1e30, "activation": "identity", "max_iter": 50}


def test_a_diverged_fit_raises_and_never_scores() -> None:
    rows, targets = continuous()
    made = regressor(**HUGE)
    with pytest.raises(ModelError, match=r"non-finite parameter weights.*first array"):
        made.fit(rows, targets)
    for use in (made.predict, lambda X: made.score(X, targets)):
        with pytest.raises(ModelError, match="weights must be finite"):
            use(rows)
    assert np.isnan(made.loss_)


def test_a_diverged_fit_warns_if_told_to_and_never_wins_a_search() -> None:
    rows, targets = continuous()
    made = regressor(on_divergence="warn", **HUGE)
    with pytest.warns(ConvergenceWarning, match="non-finite"):
        made.fit(rows, targets)
    with pytest.raises(ModelError, match="weights must be finite"):
        made.score(rows, targets)
    search = GridSearchCV(made, {"learning_rate_init": [1e30, 1e-6]}, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(rows, targets)
    assert search.best_params_ == {"learning_rate_init": 1e-6}
    assert np.isnan(search.cv_results_["mean_test_score"][0])


def test_the_best_weights_survive_a_divergence() -> None:
    rows, targets = continuous()
    with pytest.warns(ConvergenceWarning, match="best weights before that"):
        made = regressor(early_stopping=True, **{**HUGE, "learning_rate_init": 0.9}).fit(
            100 * rows, targets
        )
    assert np.isnan(column(made.validation_scores_)[-1])
    assert np.isfinite(made.predict(rows)).all()


def test_best_weights_of_a_callback_survive_a_divergence_too() -> None:
    rows, targets = continuous()

    def breaks(step: int) -> float:
        return 0.05 if step < 10 else 1e30

    made = regressor(solver="sgd", learning_rate=breaks, callbacks=[BestWeights("loss")])
    with pytest.warns(ConvergenceWarning, match="best weights before that were restored"):
        made.set_params(max_iter=50).fit(rows, targets)
    assert made.score(rows, targets) > 0.0


def test_a_partial_fit_that_diverges_keeps_the_best_weights() -> None:
    rows, targets = continuous()
    (rows, seen), (targets, known) = np.array_split(rows, 2), np.array_split(targets, 2)
    made = regressor(early_stopping=True, solver="sgd", learning_rate_init=0.01)
    for _ in range(5):
        made.partial_fit(rows, targets, X_val=seen, y_val=known)
    best = made.best_validation_score_
    with pytest.warns(ConvergenceWarning, match="best weights before that were restored"):
        made.partial_fit(1e200 * rows, targets, X_val=seen, y_val=known)
    assert made.score(seen, known) == best


@pytest.mark.parametrize("options", [{"restore_best": True}, {"callbacks": [BestWeights("loss")]}])
def test_weights_that_exploded_after_they_were_measured_are_no_rescue(options: Any) -> None:
    rows, targets = continuous()

    def breaks_at_the_end_of_an_epoch(step: int) -> float:
        return 1e12 if step == 11 else 1e-3

    made = regressor(
        solver="sgd", learning_rate=breaks_at_the_end_of_an_epoch, batch_size=30, **options
    )
    with pytest.raises(ModelError, match="non-finite"):
        made.fit(rows, targets)


@pytest.mark.parametrize("how", ["partial_fit", "warm_start"])
def test_a_continued_fit_that_diverges_keeps_the_weights_of_before(how: str) -> None:
    rows, targets = continuous()
    made, same = (
        regressor(solver="sgd", learning_rate_init=0.01, warm_start=how == "warm_start")
        for _ in range(2)
    )
    for each in (made, same):
        fit = each.partial_fit if how == "partial_fit" else each.fit
        fit(rows, targets)
    before = made.predict(rows)
    again = made.partial_fit if how == "partial_fit" else made.fit
    with pytest.raises(ModelError, match=r"non-finite.*The weights before this call are kept\."):
        again(1e200 * rows, targets)
    assert np.array_equal(made.predict(rows), before)
    again(rows, targets)
    fit(rows, targets)
    assert np.array_equal(made.predict(rows), same.predict(rows))  # as if there was no other call


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"learning_rate_init": 1e9}, "learning_rate_init"),
        ({"learning_rate": lambda _: 1e9}, "learning_rate"),
    ],
)
def test_the_advice_names_parameters_of_the_estimator(options: dict[str, Any], name: str) -> None:
    rows, targets = continuous()
    made = regressor(solver="sgd", **options)
    with pytest.raises(ModelError) as raised:
        made.fit(rows, targets)
    assert str(raised.value).endswith(
        f". A smaller {name} usually helps; if not, inputs of mean 0 and standard deviation 1."
    )
    made = regressor(solver="sgd", warm_start=True).fit(rows, targets).set_params(**options)
    with pytest.raises(ModelError, match=r"deviation 1\. The weights before this call are kept\.$"):
        made.fit(rows, targets)


def test_the_advice_on_large_inputs_is_a_sentence() -> None:
    rows, targets = continuous()
    with pytest.raises(ModelError, match=r"The inputs are as large as .* standard deviation 1\.$"):
        regressor(solver="sgd", learning_rate_init=0.9).fit(1e8 * rows, targets)
