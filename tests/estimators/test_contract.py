"""scikit-learn's contract of an estimator, checked by scikit-learn itself."""

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from handloom import (
    Dense,
    MLPClassifier,
    MLPRegressor,
    NetworkClassifier,
    NetworkRegressor,
    ReLU,
    Sequential,
)


class OneHiddenLayer:
    """A factory whose name in the report is the same in every process."""

    def __call__(self, outputs: int) -> Sequential:
        return Sequential([Dense(32), ReLU(), Dense(outputs)])

    def __repr__(self) -> str:
        return "one hidden layer"


ESTIMATORS = [MLPClassifier(max_iter=100), MLPRegressor(max_iter=100)]
AROUND_NETWORKS = [
    NetworkClassifier(OneHiddenLayer(), max_iter=100),
    NetworkRegressor(OneHiddenLayer(), max_iter=100),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS)  # type: ignore[untyped-decorator]
def test_the_contract_holds(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(AROUND_NETWORKS)  # type: ignore[untyped-decorator]
def test_the_contract_holds_around_any_network(estimator: Any, check: Any) -> None:
    check(estimator)
