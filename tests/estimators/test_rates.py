"""Learning rates: a schedule, a rule of scikit-learn, or a refusal."""

from typing import Any

import pytest
from tests.estimators.helpers import Watch, classes, classifier, continuous

from handloom import ConfigurationError, InverseTimeDecay, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = classes(3)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_schedule_may_give_the_rate(solver: str) -> None:
    watch = Watch()
    classifier(solver=solver, learning_rate=InverseTimeDecay(0.1, 1.0), callbacks=[watch]).fit(X, y)
    assert watch.rates == pytest.approx([0.1 / (1 + step) for step in range(8)])


def test_the_rate_falls_as_documented() -> None:
    watch = Watch()
    made = classifier(
        solver="sgd", learning_rate="invscaling", power_t=0.25, callbacks=[watch], max_iter=2
    )
    made.set_params(warm_start=True).fit(X, y).fit(X, y)
    rates = [1e-3 / (120 * i + 1) ** 0.25 for i in range(2)]
    assert watch.rates == pytest.approx(2 * rates)  # a warm start begins the schedule anew
    watch = Watch()
    made.set_params(learning_rate="adaptive", tol=9.0, callbacks=[watch], max_iter=500)
    made.set_params(warm_start=False, n_iter_no_change=3).fit(X, y)
    assert sorted({round(rate, 12) for rate in watch.rates}, reverse=True) == pytest.approx(
        [1e-3 / 5**i for i in range(6)]
    )
    assert watch.rates[-1] < 1e-6


def test_a_rate_that_is_no_rate_is_refused_with_its_step() -> None:
    rows, targets = continuous()
    for wrong in (-1.0, "a", None):
        rates: Any = {0: wrong}
        with pytest.raises(ConfigurationError, match=f"at step 0 must be .*, got {wrong!r}"):
            MLPRegressor(learning_rate=rates.get).fit(rows, targets)
