"""Parameters: names and values that mean nothing are refused, and subclasses may have others."""

from typing import Any

import pytest
from sklearn.base import clone
from tests.estimators.helpers import classes, classifier

from handloom import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = classes(3)


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(TypeError, match=r"'hiden_layer_sizes'. Did you mean 'hidden_layer_sizes'"):
        MLPClassifier(hiden_layer_sizes=3)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match=r"Invalid parameter 'learning_rat'.*'learning_rate'\?"):
        MLPRegressor().set_params(learning_rat=1)
    with pytest.raises(ValueError, match="Invalid parameter 'xyz'"):
        MLPRegressor().set_params(xyz=1)


@pytest.mark.parametrize(
    ("name", "value"),
    [("alpha", -1), ("dropout", 1.0), ("threads", 0), ("on_divergence", "ignore"), ("l1", "much")],
)
def test_values_that_mean_nothing_are_refused_in_scikit_learns_words(name: str, value: Any) -> None:
    with pytest.raises(
        ValueError, match=rf"The '{name}' parameter of MLPClassifier must be .* Got"
    ):
        classifier(**{name: value}).fit(X, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dropout": [2]}, "every entry of 'dropout' must be at least 0 and below 1, got 2"),
        (
            {"early_stopping": True, "validation_fraction": 0.0},
            "'validation_fraction' must be above 0 with early_stopping=True, .* got 0.0",
        ),
    ],
)
def test_an_error_names_the_parameter_of_the_estimator(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        classifier(**{"hidden_layer_sizes": (8,), **options}).fit(X, y)


class Smooth(MLPClassifier):
    def __init__(self, alpha: float = 0.1, named: str = "") -> None:
        super().__init__((8,), alpha=alpha, max_iter=60, random_state=0)
        self.named = named


def test_estimators_can_have_subclasses_with_constructors_of_their_own() -> None:
    rows, targets = classes()
    made = clone(Smooth(alpha=0.5, named="a"))
    assert made.get_params() == {"alpha": 0.5, "named": "a"}
    assert made.fit(rows, targets).score(rows, targets) > 0.5
