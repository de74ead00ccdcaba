"""Layers have activations of their own, networks are not shared, threads change no bit."""

from typing import Any

import numpy as np
import pytest
from tests.estimators.helpers import classes, classifier, continuous, weights_of

from handloom import Dense, MLPRegressor, ModelError, NetworkClassifier, Sequential

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = classes(3)


def test_every_layer_may_have_an_activation_of_its_own() -> None:
    made = classifier(hidden_layer_sizes=(8, 6, 4), activation=["tanh", "identity", "silu"])
    kinds = [layer.kind for layer in made.fit(X, y).network_.layers]
    assert kinds == ["dense", "tanh", "dense", "dense", "silu", "dense"]
    with pytest.raises(ValueError, match=r"'activation' must be one value, or one for each"):
        classifier(activation=["tanh", "relu"]).fit(X, y)
    with pytest.raises(ValueError, match=r"every entry of 'activation'.*'tahn'"):
        classifier(activation=["tahn"]).fit(X, y)


@pytest.mark.parametrize("rate", ["a", None, [0.5]])
def test_a_dropout_rate_that_is_no_number_is_named(rate: Any) -> None:
    with pytest.raises(ValueError, match="every entry of 'dropout' must be at least 0 and below"):
        classifier(dropout=[rate]).fit(X, y)


def test_an_activation_that_is_no_name_is_named() -> None:
    with pytest.raises(ValueError, match=r"every entry of 'activation'.*\['tanh'\]"):
        classifier(activation=[["tanh"]]).fit(X, y)


def test_a_network_in_place_of_its_factory_is_refused() -> None:
    network: Any = Sequential([Dense(3)])
    with pytest.raises(ModelError, match="network_factory must be a function that returns a net"):
        NetworkClassifier(network).fit(X, y)


@pytest.mark.parametrize("sizes", [[3.5], True, [4, None]])
def test_layers_have_whole_numbers_of_units(sizes: Any) -> None:
    rows, targets = continuous()
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        MLPRegressor(hidden_layer_sizes=sizes).fit(rows, targets)


def test_fits_share_no_network_whatever_the_factory_returns() -> None:
    rows, targets = classes()
    shared = Sequential([Dense(8), Dense(len(np.unique(targets)))])
    one, other = (
        NetworkClassifier(lambda _: shared, max_iter=2, random_state=seed) for seed in (0, 1)
    )
    before = one.fit(rows, targets).predict_proba(rows)
    other.fit(rows, targets)
    np.testing.assert_array_equal(one.predict_proba(rows), before)


def test_threads_do_not_change_a_bit() -> None:
    rows, targets = classes(3, 3000)
    one, two = (classifier(threads=n, batch_size=3000).fit(rows, targets) for n in (1, 2))
    assert np.array_equal(weights_of(one), weights_of(two))
