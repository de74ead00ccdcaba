"""Optimizers follow their published rules, whatever the size of the vector."""

import numpy as np
import pytest
from tests.gradients import Float64

from handloom import SGD, Adam, ModelError
from handloom.errors import ConfigurationError
from handloom.initializers import Zeros
from handloom.kernels import NUMPY
from handloom.optimizers import Optimizer, optimizer
from handloom.parameters import Parameters, ParameterSpec

SIZE = (NUMPY.block or 0) + 3  # more than one block, and a remainder


def parameters() -> Parameters:
    made = Parameters({"w": ParameterSpec((SIZE,), Zeros())}, np.float64)
    made.vector[...] = np.random.default_rng(0).standard_normal(SIZE)
    return made


def gradients(steps: int) -> Float64:
    return np.random.default_rng(1).standard_normal((steps, SIZE))


def run(rule: Optimizer, steps: int = 5) -> Float64:
    made = parameters()
    rule.bind(made)
    for step, gradient in enumerate(gradients(steps)):
        made.gradient[...] = gradient
        rule.step(0.1 / (1 + step))
    return made.vector.astype(np.float64)


def test_sgd_is_gradient_descent() -> None:
    w = parameters().vector
    for step, g in enumerate(gradients(5)):
        w = w - 0.1 / (1 + step) * g
    np.testing.assert_allclose(run(SGD()), w, rtol=1e-13)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_keeps_the_rate_inside_the_velocity(nesterov: bool) -> None:
    w, u = parameters().vector, np.zeros(SIZE)
    for step, g in enumerate(gradients(5)):
        rate = 0.1 / (1 + step)
        u = 0.9 * u - rate * g
        w = w + (0.9 * u - rate * g if nesterov else u)
    np.testing.assert_allclose(run(SGD(0.9, nesterov=nesterov)), w, rtol=1e-12)


def test_adam_corrects_its_moments_for_their_start_at_zero() -> None:
    w, m, v = parameters().vector, np.zeros(SIZE), np.zeros(SIZE)
    for step, g in enumerate(gradients(5)):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        m_hat, v_hat = m / (1 - 0.9 ** (step + 1)), v / (1 - 0.999 ** (step + 1))
        w = w - 0.1 / (1 + step) * m_hat / (np.sqrt(v_hat) + 1e-7)
    np.testing.assert_allclose(run(Adam()), w, rtol=1e-11)


@pytest.mark.parametrize("make", [SGD, lambda: SGD(0.9), Adam])
def test_state_carries_on_where_it_was_saved(make: type[SGD]) -> None:
    whole = run(make(), steps=6)

    made, first = parameters(), make()
    first.bind(made)
    for step, gradient in enumerate(gradients(6)):
        if step == 3:
            second = make()
            second.bind(made)
            second.load_state_dict(first.state_dict())
            first = second
        made.gradient[...] = gradient
        first.step(0.1 / (1 + step))
    assert np.array_equal(made.vector, whole)


def test_a_state_of_another_rule_is_refused() -> None:
    adam, sgd = Adam().bind(parameters()), SGD(0.9).bind(parameters())
    with pytest.raises(ModelError, match="first_moment"):
        adam.load_state_dict(sgd.state_dict())


def test_the_gradient_is_not_overwritten() -> None:
    made = parameters()
    rule = Adam().bind(made)
    made.gradient[...] = 1.0
    rule.step(0.1)
    assert np.all(made.gradient == 1.0)


def test_a_step_before_bind_is_refused() -> None:
    with pytest.raises(ModelError, match="bind"):
        SGD().step(0.1)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: SGD(-0.1), "momentum"),
        (lambda: SGD(1.0), "momentum"),
        (lambda: Adam(beta1=1.5), "beta1"),
        (lambda: Adam(beta2=-1), "beta2"),
        (lambda: Adam(epsilon=0), "epsilon"),
        (lambda: SGD(nesterov=True), "nesterov"),
    ],
)
def test_options_out_of_range_are_refused_by_name(make: type[SGD], name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        make()


def test_an_unknown_optimizer_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"unknown optimizer 'adm'.*Did you mean 'adam'"):
        optimizer("adm")
