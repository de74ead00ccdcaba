"""L-BFGS minimizes any function that measures a loss and its gradient."""

from collections.abc import Callable

import numpy as np
import pytest

from handloom import Dense, Sequential
from handloom.estimators.lbfgs import Minimum, minimize
from handloom.parameters import Parameters
from handloom.training.objective import Measured

TARGET = np.arange(4.0)


def weights() -> Parameters:
    return Sequential([Dense(1)]).build((3,), dtype=np.float64, seed=0).parameters


def bowl(parameters: Parameters) -> Callable[[], Measured]:
    """Return the measurement of ``sum_i (i + 1) (w_i - target_i)^2 / 2``."""

    def measure() -> Measured:
        steep, distance = np.arange(1.0, 5.0), parameters.vector - TARGET
        parameters.gradient[...] = steep * distance
        return Measured(float(steep @ distance**2) / 2.0, 0.0, 0, 1, 1.0)

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
    assert minimum.complaint is None


def test_a_search_ends_after_the_iteration_that_is_interrupted() -> None:
    parameters = weights()
    before = bowl(parameters)().loss
    minimum = search(parameters, lambda: True)
    assert minimum.iterations == 1
    assert minimum.complaint is not None
    assert bowl(parameters)().loss == minimum.loss < before


def test_too_few_iterations_are_told() -> None:
    complaint = search(weights(), max_iter=2).complaint
    assert complaint is not None
    assert "after 2 iteration(s)" in complaint
    assert "Increase max_iter (now 2)" in complaint
