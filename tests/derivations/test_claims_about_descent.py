"""Statements in the derivations of penalties and optimizers that explain or predict, computed."""

import math

import numpy as np
import pytest
from tests.helpers.descent import walked
from tests.helpers.gradients import Float64

from handloom import EMA, SGD, Adagrad, Adam, BatchNorm, RMSprop, build
from handloom.initializers import Zeros
from handloom.optimizers import Optimizer
from handloom.parameters import Array, Parameters, ParameterSpec

X = np.random.default_rng(0).standard_normal((100, 12))
T = X[:, :3] @ [1.0, -2.0, 0.5] + 0.1 * np.random.default_rng(1).standard_normal(100)
L1 = 0.1


def slope(w: Array) -> Float64:
    """Return the gradient of half the mean squared error of a linear model."""
    return np.asarray(X.T @ (X @ w - T) / len(T))


def fitted(optimizer: Optimizer, rate: float, steps: int, *, l1: float = 0.0) -> Float64:
    """Return the weights of a linear model after each of the last steps."""
    parameters = Parameters({"w": ParameterSpec((12, 1), Zeros(), l1=l1)}, np.float64)
    optimizer.bind(parameters)
    parameters.vector[...] = np.random.default_rng(2).standard_normal(12)
    path = []
    for _ in range(steps):
        parameters.gradient[...] = slope(parameters.vector)
        parameters.add_penalty_gradient()
        optimizer.step(rate)
        path.append(parameters.vector.copy())
    return np.array(path[-20:])


def solves_the_lasso(w: Array) -> bool:
    dw = slope(w)
    return bool(np.where(w == 0, abs(dw) <= L1, np.isclose(dw, -L1 * np.sign(w), rtol=1e-6)).all())


# SGD


def test_the_noise_of_batches_cancels_if_each_counts_by_its_rows() -> None:
    rows = np.random.default_rng(0).standard_normal(100)
    batches = np.split(rows, [30, 60, 90])
    noise = np.array([batch.mean() for batch in batches]) - rows.mean()
    sizes = np.array([len(batch) for batch in batches])
    assert noise @ sizes == pytest.approx(0, abs=1e-12)
    assert abs(noise.sum()) > 0.1


def test_the_gradient_of_batch_normalization_is_not_a_mean_over_rows() -> None:
    layer = BatchNorm()
    build([layer], (1,), dtype=np.float64)
    x, dy = X[:8, :1], X[8:16, :1]

    def dscale(rows: slice) -> float:
        layer.forward(x[rows], training=True)
        layer.backward(dy[rows])
        return float(layer.gradients["scale"][0]) / len(x[rows])

    halves = (dscale(slice(0, 4)) + dscale(slice(4, 8))) / 2
    assert abs(halves - dscale(slice(0, 8))) > 0.01


def test_a_velocity_of_gradients_is_the_same_at_a_constant_rate_only() -> None:
    gradients = np.random.default_rng(0).standard_normal(50)
    for nesterov in (False, True):
        parameters = Parameters({"w": ParameterSpec((1,), Zeros())}, np.float64)
        optimizer = SGD(momentum=0.9, nesterov=nesterov).bind(parameters)
        w = u = 0.0
        for step, gradient in enumerate(gradients):
            rate = 0.1 if step < 40 else 0.01
            parameters.gradient[...] = gradient
            optimizer.step(rate)
            u = 0.9 * u + gradient  # a sum of gradients, as PyTorch's
            w -= rate * (gradient + 0.9 * u if nesterov else u)
            same = parameters.vector[0] == pytest.approx(w, rel=1e-9)
            assert same == (step < 40)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_velocity_that_is_set_to_0_changes_no_weight_above_1e_17(dtype: type) -> None:
    parameters = Parameters({"w": ParameterSpec((3,), Zeros())}, dtype)
    optimizer = SGD(momentum=0.9).bind(parameters)
    start: Array = np.array([1.1e-17, 1.0, 0.0], dtype)
    parameters.vector[...] = start
    optimizer.state["velocity"][...] = 9e-35
    optimizer.step(0.1)
    np.testing.assert_array_equal(parameters.vector == start, [True, True, False])
    optimizer.state["velocity"][...] = [9e-35, -9e-35, 2e-34]
    optimizer.steps = 7
    optimizer.step(0.1)
    np.testing.assert_array_equal(optimizer.state["velocity"] != 0, [False, False, True])


# penalties


def test_gradients_of_an_l1_penalty_jump_over_0() -> None:
    rate = 0.2
    path = fitted(SGD(), rate, 300, l1=L1)
    idle = path[:, 3:]
    assert not solves_the_lasso(path[-1])
    assert np.abs(idle).max() <= 2 * rate * L1
    assert idle.all()
    assert (idle.min(axis=0) < 0).all()
    assert (idle.max(axis=0) > 0).all()
    largest = 2 / np.linalg.eigvalsh(X.T @ X / len(X))[-1]  # at which descent converges
    assert np.abs(fitted(SGD(), 0.95 * largest, 300, l1=L1)[:, 3:]).max() > 2 * largest * L1


def test_a_weight_of_0_has_no_gradient_of_its_penalty() -> None:
    parameters = Parameters({"w": ParameterSpec((2,), Zeros(), l1=0.5)}, np.float64)
    parameters.vector[...] = [0.0, -1.0]
    parameters.gradient[...] = 1.0
    parameters.add_penalty_gradient()
    np.testing.assert_array_equal(parameters.gradient, [1.0, 0.5])


def test_an_l2_penalty_shrinks_to_a_factor_from_0_to_1_if_the_rate_allows() -> None:
    for rate, factor in ((0.25, 0.5), (0.5, 0.0), (0.75, -0.5)):
        w = walked(SGD(), np.zeros(1), rate=rate, l2=1.0, start=3.0)[-1]
        assert w == pytest.approx(3.0 * factor)


def test_adam_divides_an_l2_penalty_by_the_size_of_the_gradients_and_not_a_decay() -> None:
    signs = np.where(np.random.default_rng(0).random(400) < 0.5, -1.0, 1.0)
    gradients = signs[:, None] * [1.0, 100.0]
    penalized = walked(Adam(), gradients, rate=0.01, l2=0.2, start=1.0)
    still = walked(Adam(), gradients, rate=0.01, start=1.0)
    decayed = walked(Adam(weight_decay=0.4), gradients, rate=0.01, start=1.0)
    shrunk = (still - penalized)[-1]
    assert shrunk[0] > 10 * shrunk[1] > 0
    shrunk = (still - decayed)[-1]
    assert shrunk[0] == pytest.approx(shrunk[1], rel=1e-3)


# proximal step


def test_proximal_steps_solve_the_lasso_wherever_gradient_descent_converges() -> None:
    largest = np.linalg.eigvalsh(X.T @ X / len(X))[-1]
    for rate in (0.2, 1.95 / largest):
        assert solves_the_lasso(fitted(SGD(proximal_l1=L1), rate, 300)[-1])


def test_the_proximal_step_of_adam_is_relative_to_the_size_of_the_gradients() -> None:
    assert not solves_the_lasso(fitted(Adam(proximal_l1=L1), 0.02, 300)[-1])
    assert not fitted(Adam(proximal_l1=2.0), 0.02, 300).any()
    gradients = np.random.default_rng(0).standard_normal(100) - 0.5
    path, scaled = (walked(Adam(proximal_l1=0.1), scale * gradients) for scale in (1.0, 1000.0))
    np.testing.assert_allclose(scaled, path, atol=1e-4)


def test_decay_and_proximal_steps_take_the_weights_of_adagrad_to_0() -> None:
    """After 1 / l1^2 steps of a constant gradient the proximal step is the larger one."""
    gradients = -np.ones(400)
    path = walked(Adagrad(proximal_l1=L1), gradients, rate=0.1)
    assert path.argmax() == pytest.approx(1 / L1**2, abs=1)
    assert path[-1] == 0
    path = walked(Adagrad(weight_decay=10.0), gradients, rate=0.01)
    assert path[-1] == pytest.approx(1 / (10.0 * math.sqrt(400)), rel=0.05)
    assert not fitted(Adagrad(proximal_l1=0.5), 0.5, 400).any()


def test_every_step_keeps_a_share_in_a_moving_average_of_weights() -> None:
    parameters = Parameters({"w": ParameterSpec((2,), Zeros())}, np.float64)
    average = EMA(0.9).bind(parameters)
    for step in range(100):
        parameters.vector[...] = [step == 0, 0.0]
        average.update()
    assert average.values[0] > 0
    assert average.values[1] == 0


# Adagrad and RMSprop


def test_after_large_gradients_adagrad_stays_slow_and_rmsprop_recovers() -> None:
    gradients = np.repeat([100.0, 1.0], 100)
    adagrad, rmsprop = (abs(np.diff(walked(o, gradients)))[-1] for o in (Adagrad(), RMSprop()))
    assert adagrad == pytest.approx(0.001, rel=0.01)
    assert rmsprop > 0.8


@pytest.mark.parametrize("optimizer", [Adagrad(), RMSprop(rho=0.0)])
def test_a_gradient_as_small_as_epsilon_makes_half_a_step(optimizer: Optimizer) -> None:
    steps = walked(optimizer, np.array([[1e-7, 1.0]]))[-1]
    assert steps == pytest.approx([-0.5, -1.0], rel=1e-6)


def test_the_roots_of_the_example_differ_by_half_and_less_if_the_average_is_slower() -> None:
    def roots(rho: float) -> Float64:
        parameters = Parameters({"w": ParameterSpec((1,), Zeros())}, np.float64)
        optimizer, path = RMSprop(rho=rho).bind(parameters), []
        for gradient in ([0.1] * 9 + [-0.9]) * 30:
            parameters.gradient[...] = gradient
            optimizer.step(0.1)
            path.append(math.sqrt(optimizer.state["second_moment"][0]))
        return np.array(path[-10:])

    by_default, slower = roots(0.9), roots(0.99)
    assert by_default.argmax() == 9  # of the gradient of -0.9
    assert 1.515 < by_default.max() / by_default.min() < 1.52
    assert slower.max() / slower.min() < 1.05
