"""scikit-learn's own tests of its multilayer perceptrons, run against ours.

The installed module is loaded when the tests are collected, with our classes under the names that
it imports. Nothing of it is kept here.
"""

import importlib.util
from types import ModuleType

import pytest
import sklearn.neural_network

import handloom

pytestmark = pytest.mark.filterwarnings("default")

LEFT_OUT = {
    "test_gradient": "calls the private _loss_grad_lbfgs; tests/gradcheck has ours",
    "test_learning_rate_warmstart": "reads the private _optimizer.learning_rate; "
    "test_the_rate_falls_as_documented is about the same",
    "test_adaptive_learning_rate": "reads the private _optimizer.learning_rate; "
    "test_the_rate_falls_as_documented is about the same",
    "test_n_iter_no_change": "reads the private _no_improvement_count; "
    "test_training_ends_after_so_many_epochs_without_gain is about the same",
    "test_n_iter_no_change_inf": "reads the private _no_improvement_count; "
    "test_training_ends_after_so_many_epochs_without_gain is about the same",
}


def load_with_ours() -> ModuleType:
    spec = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sklearn.neural_network, "MLPClassifier", handloom.MLPClassifier)
        patch.setattr(sklearn.neural_network, "MLPRegressor", handloom.MLPRegressor)
        spec.loader.exec_module(module)
    return module


THEIRS = load_with_ours()
TESTS = {name: test for name, test in vars(THEIRS).items() if name.startswith("test_")}
globals().update({name: test for name, test in TESTS.items() if name not in LEFT_OUT})


@pytest.fixture
def global_random_seed() -> int:
    return 0


def test_it_is_ours_that_is_tested() -> None:
    assert THEIRS.MLPClassifier is handloom.MLPClassifier
    assert THEIRS.MLPRegressor is handloom.MLPRegressor
    assert set(LEFT_OUT) <= set(TESTS)
    assert len(TESTS) > 40
