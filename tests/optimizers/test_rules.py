"""Optimizers follow their published rules, whatever the size of the vector."""

import numpy as np
import pytest
from tests.optimizers.helpers import SHAPES, SIZE, drawn, gradients, parameters, run, shaped

from handloom import SGD, Adagrad, Adam, AdamW, RMSprop
from handloom.optimizers import OPTIMIZERS, optimizer


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
    np.testing.assert_allclose(run(SGD(momentum=0.9, nesterov=nesterov)), w, rtol=1e-12)


def test_adam_corrects_its_moments_for_their_start_at_zero() -> None:
    w, m, v = parameters().vector, np.zeros(SIZE), np.zeros(SIZE)
    for step, g in enumerate(gradients(5)):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        m_hat, v_hat = m / (1 - 0.9 ** (step + 1)), v / (1 - 0.999 ** (step + 1))
        w = w - 0.1 / (1 + step) * m_hat / (np.sqrt(v_hat) + 1e-7)
    np.testing.assert_allclose(run(Adam()), w, rtol=1e-11)


def test_rmsprop_divides_by_the_root_of_a_running_mean_of_squares() -> None:
    w, v = parameters().vector, np.zeros(SIZE)
    for step, g in enumerate(gradients(5)):
        v = 0.8 * v + 0.2 * g**2
        w = w - 0.1 / (1 + step) * g / (np.sqrt(v) + 1e-7)
    np.testing.assert_allclose(run(RMSprop(rho=0.8)), w, rtol=1e-11)


def test_adagrad_divides_by_the_root_of_all_squares() -> None:
    w, s = parameters().vector, np.zeros(SIZE)
    for step, g in enumerate(gradients(5)):
        s = s + g**2
        w = w - 0.1 / (1 + step) * g / (np.sqrt(s) + 1e-7)
    np.testing.assert_allclose(run(Adagrad()), w, rtol=1e-11)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "muon"])
def test_matrices_decay_by_the_rate_beside_the_rule_and_nothing_else_does(name: str) -> None:
    decayed, plain = shaped(elementwise=True), shaped(elementwise=True)
    rules = optimizer(name, weight_decay=0.3).bind(decayed), optimizer(name, weight_decay=0.0)
    rules[1].bind(plain)
    for step, g in enumerate(drawn(decayed, 3)):
        rate = 0.1 / (1 + step)
        before = {name: array.copy() for name, array in decayed.weights.items()}
        plain.vector[...] = decayed.vector
        for made, rule in zip((decayed, plain), rules, strict=True):
            made.gradient[...] = g
            rule.step(rate)
        for array in SHAPES:
            shrinks = array in ("0.weights", "1.kernel")
            expected = plain.weights[array] - (rate * 0.3 * before[array] if shrinks else 0.0)
            np.testing.assert_allclose(decayed.weights[array], expected, rtol=1e-12, atol=1e-15)


def test_adamw_is_adam_that_decays_unless_told_otherwise() -> None:
    vectors = []
    for rule in (AdamW(), Adam(weight_decay=0.01), Adam()):
        made = shaped()
        rule.bind(made)
        for g in drawn(made, 3):
            made.gradient[...] = g
            rule.step(0.1)
        vectors.append(made.vector)
    assert np.array_equal(vectors[0], vectors[1])
    assert not np.array_equal(vectors[0], vectors[2])
